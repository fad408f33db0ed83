// Declared things, kept in memory: profiles, zones, hardware kinds, the catalog, quotas and the
// database's own small values are read by nearly every call and hardly ever change. Forgets all
// when one changes. Knows no table and no row.
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

  /** The value under `key`, or what `read` finds; what is not there is not kept. */
  async get<T>(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.kept.get(key);
    if (known !== undefined) return known as T;
    const found = await read();
    if (found === undefined) return found;
    if (this.kept.size >= VALUES_MAX) this.kept.clear();
    this.kept.set(key, found);
    return found;
  }

  /** To be told of everything that a transaction touches, and again when that is undone. */
  touched({ kind }: Touch): void {
    if (KINDS.includes(kind)) this.kept.clear();
  }
}
