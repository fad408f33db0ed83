// Small values of the whole database, by key.
import type { WriteTx } from "../contract.js";
import { toText } from "../sql.js";
import type { Work } from "../work.js";

/** Setting the value that stands changes nothing and is not logged. */
export function metaValues(work: Work): WriteTx["meta"] {
  return {
    async get(key) {
      const found = await work.declared(`meta/${key}`, async () => {
        const row = await work.sql.get("SELECT value FROM meta WHERE key = ?", [key]);
        return { value: row && toText(row.value) };
      });
      return found.value;
    },
    async set(key, value) {
      const changed = await work.sql.run(
        `INSERT INTO meta (key, value) VALUES (?, ?)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value <> excluded.value`,
        [key, value],
      );
      if (changed > 0) work.note({ kind: "meta", id: key, account: undefined, op: "updated" });
    },
  };
}
