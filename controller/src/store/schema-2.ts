// The schema's second version: account logs carry the objects they speak of, for watchers. What was
// logged before lacks them and is dropped; watchers from then are told to list again.

/** Every statement of version 2, in order. */
export const SCHEMA_2: readonly string[] = [
  "DROP TABLE account_changes",
  `CREATE TABLE account_changes (account TEXT NOT NULL, account_revision INTEGER NOT NULL,
    revision INTEGER NOT NULL, at INTEGER NOT NULL, entries TEXT NOT NULL,
    objects BLOB NOT NULL) STRICT`,
  "CREATE UNIQUE INDEX account_changes_key ON account_changes (account, account_revision)",
  `CREATE TABLE encoded_objects (id TEXT NOT NULL, kind TEXT NOT NULL, object BLOB NOT NULL)
    STRICT`,
  "CREATE UNIQUE INDEX encoded_objects_key ON encoded_objects (id, kind)",
];
