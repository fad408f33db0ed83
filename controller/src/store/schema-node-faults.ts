// The schema's step that keeps the faults injected into made-up machines. They go with their node.

/** Every statement of the step, in order. */
export const SCHEMA_NODE_FAULTS: readonly string[] = [
  `CREATE TABLE node_faults (id TEXT PRIMARY KEY,
    node_id TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL, expires_at INTEGER, name TEXT NOT NULL, body TEXT NOT NULL)
    STRICT`,
  "CREATE INDEX node_faults_node ON node_faults (node_id)",
  "CREATE INDEX node_faults_expiry ON node_faults (expires_at) WHERE expires_at IS NOT NULL",
];
