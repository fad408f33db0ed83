// The public bytes of tenant objects, kept beside their rows: what watchers of the account are
// sent. An object whose bytes stay the same did not change for its tenant. Knows no format.
import type { AccountEntry, ChangeEntry, Encode } from "./contract.js";
import type { Sql } from "./sql.js";

/** Makes the bytes of what a transaction leaves behind, in the entries' order. */
export type EncodeNow = (entries: readonly ChangeEntry[]) => ReturnType<Encode>;

type Which = Pick<ChangeEntry, "kind" | "id">;

/** An object's bytes from before. */
export type Kept = (of: Which) => Promise<Uint8Array | undefined>;

export interface KeptObject extends Which {
  /** Undefined when it is gone. */
  readonly object: Uint8Array | undefined;
}

/** How accounts see what a transaction changed. */
export interface Shown {
  /** Entries of accounts, each with the object's bytes, or the last ones of what is gone. */
  readonly seen: readonly AccountEntry[];
  /** The bytes to be kept. */
  readonly objects: readonly KeptObject[];
}

/**
 * Looks at the entries as their accounts do; updates that no tenant can see are left out.
 */
export async function withObjects(
  kept: Kept,
  encode: EncodeNow,
  entries: readonly ChangeEntry[],
): Promise<Shown> {
  const encoded = await encode(entries.filter(({ op }) => op !== "deleted"));
  const seen: AccountEntry[] = [];
  const objects: KeptObject[] = [];
  let living = 0;
  for (const entry of entries) {
    const { kind, id, account, op } = entry;
    const before = op === "created" ? undefined : await kept(entry);
    const object = op === "deleted" ? undefined : encoded[living++];
    if (object && before && Buffer.compare(object, before) === 0) continue;
    if (object || op === "deleted") objects.push({ kind, id, object });
    const shown = object ?? before;
    seen.push(shown ? { kind, id, account, op, object: shown } : entry);
  }
  return { seen, objects };
}

/** What tells kept objects apart. */
export function keptKey({ kind, id }: Which): string {
  return `${kind}/${id}`;
}

export async function readObject(sql: Sql, { kind, id }: Which): Promise<Uint8Array | undefined> {
  const row = await sql.get("SELECT object FROM encoded_objects WHERE id = ? AND kind = ?", [
    id,
    kind,
  ]);
  return row?.object instanceof Uint8Array ? row.object : undefined;
}

export async function writeObjects(sql: Sql, objects: readonly KeptObject[]): Promise<void> {
  const kept: [string, string, Uint8Array][] = [];
  const gone: [string, string][] = [];
  for (const { kind, id, object } of objects) {
    if (object) kept.push([id, kind, object]);
    else gone.push([id, kind]);
  }
  await sql.runEach(
    `INSERT INTO encoded_objects (id, kind, object) VALUES (?, ?, ?)
     ON CONFLICT (id, kind) DO UPDATE SET object = excluded.object`,
    kept,
  );
  await sql.runEach("DELETE FROM encoded_objects WHERE id = ? AND kind = ?", gone);
}
