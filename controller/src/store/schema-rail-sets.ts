// A step of the schema: on which rails instances that take a part of a node were placed, so
// that all of a cluster network and profile are on the same ones.

/** Its statements, in order. */
export const SCHEMA_RAIL_SETS: readonly string[] = [
  `CREATE TABLE rail_sets (instance_id TEXT PRIMARY KEY
    REFERENCES instances (id) ON DELETE CASCADE,
    cluster_network_id TEXT NOT NULL, profile TEXT NOT NULL, rails TEXT NOT NULL)
    STRICT, WITHOUT ROWID`,
  "CREATE INDEX rail_sets_of ON rail_sets (cluster_network_id, profile)",
];
