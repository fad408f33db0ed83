// The schema's step that keeps holds, and for a while how each of them ended. What a hold has of
// machines stands among the claims, under its members' ids.

/** Every statement of the step, in order. */
export const SCHEMA_HOLDS: readonly string[] = [
  `CREATE TABLE holds (id TEXT PRIMARY KEY, account TEXT NOT NULL, created_at INTEGER NOT NULL,
    name TEXT NOT NULL, body TEXT NOT NULL,
    cluster_network_id TEXT NOT NULL REFERENCES cluster_networks (id), profile TEXT NOT NULL,
    expires_at INTEGER NOT NULL, rails TEXT) STRICT`,
  "CREATE UNIQUE INDEX unique_holds_account_name ON holds (account, name)",
  "CREATE INDEX holds_list ON holds (account, created_at DESC, name, id)",
  "CREATE INDEX holds_network ON holds (cluster_network_id, profile)",
  "CREATE INDEX holds_expiry ON holds (expires_at)",
  `CREATE TABLE ended_holds (id TEXT PRIMARY KEY, account TEXT NOT NULL, how TEXT NOT NULL,
    at INTEGER NOT NULL) STRICT`,
  "CREATE INDEX ended_holds_at ON ended_holds (at)",
];
