// Declared things, kept in memory: profiles, zones, hardware kinds, the catalog, quotas and the
// database's own small values are read by nearly every call and hardly ever change. Forgets all
// when one changes. Knows no table and no row.
import type { Soon } from "@railyard/lib/soon";
import type { Touch } from "./touches.js";

const KINDS = [
  "zone",
  "clusterNetworkProfile",
  "instanceProfile",
  "hardwareKind",
  "mzone",
  "catalogItem",
  "quota",
  "meta",
];
/** Values kept; beyond that all are forgotten and read again. */
const VALUES_MAX = 8_192;

export class DeclaredCache {
  private readonly kept = new Map<string, unknown>();
  /** How often something declared has changed. */
  private changes = 0;

  /**
   * The value under `key`, at once when it is known, or what `read` finds: that something is not
   * there is kept, too.
   */
  get<T>(key: string, read: () => Promise<T>): Soon<T> {
    const known = this.kept.get(key);
    return known !== undefined || this.kept.has(key) ? (known as T) : this.read(key, read);
  }

  private async read<T>(key: string, read: () => Promise<T>): Promise<T> {
    const before = this.changes;
    const found = await read();
    // What changed while it was read may be newer than what was found.
    if (this.changes !== before) return found;
    if (this.kept.size >= VALUES_MAX) this.kept.clear();
    this.kept.set(key, found);
    return found;
  }

  /** To be told of everything that a transaction touches, and again when that is undone. */
  touched({ kind }: Touch): void {
    if (!KINDS.includes(kind)) return;
    this.changes += 1;
    this.kept.clear();
  }
}
