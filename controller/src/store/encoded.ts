// The public bytes of tenant objects, kept beside their rows: what watchers of the account are
// sent. An object whose bytes stay the same did not change for its tenant. Knows no format.
import type { AccountEntry, ChangeEntry, Encode } from "./contract.js";
import type { Sql } from "./sql.js";

/** Makes the bytes of what a transaction leaves behind, in the entries' order. */
export type EncodeNow = (entries: readonly ChangeEntry[]) => ReturnType<Encode>;

/**
 * The entries of accounts, each with the object's bytes, or the last ones of what is gone. Updates
 * that no tenant can see are left out.
 */
export async function withObjects(
  sql: Sql,
  encode: EncodeNow,
  entries: readonly ChangeEntry[],
): Promise<readonly AccountEntry[]> {
  const living = entries.filter(({ op }) => op !== "deleted");
  const encoded = await encode(living);
  const objects = new Map(living.map((entry, i) => [entry, encoded[i]]));
  const seen: AccountEntry[] = [];
  const kept: [string, string, Uint8Array][] = [];
  for (const entry of entries) {
    const before = entry.op === "created" ? undefined : await keptObject(sql, entry);
    const object = objects.get(entry);
    if (object && before && Buffer.compare(object, before) === 0) continue;
    if (entry.op === "deleted") await forget(sql, entry);
    else if (object) kept.push([entry.id, entry.kind, object]);
    const shown = object ?? before;
    seen.push(shown ? { ...entry, object: shown } : entry);
  }
  await sql.runEach(
    `INSERT INTO encoded_objects (id, kind, object) VALUES (?, ?, ?)
     ON CONFLICT (id, kind) DO UPDATE SET object = excluded.object`,
    kept,
  );
  return seen;
}

async function keptObject(sql: Sql, { kind, id }: ChangeEntry): Promise<Uint8Array | undefined> {
  const row = await sql.get("SELECT object FROM encoded_objects WHERE id = ? AND kind = ?", [
    id,
    kind,
  ]);
  return row?.object instanceof Uint8Array ? row.object : undefined;
}

async function forget(sql: Sql, { kind, id }: ChangeEntry): Promise<void> {
  await sql.run("DELETE FROM encoded_objects WHERE id = ? AND kind = ?", [id, kind]);
}
