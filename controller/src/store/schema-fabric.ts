// A step of the schema: which node drives the subnet manager of a cluster, at most one each, and
// what it last read back of the fabric's ports.

/** Its statements, in order. */
export const SCHEMA_FABRIC: readonly string[] = [
  "ALTER TABLE nodes ADD COLUMN role TEXT NOT NULL DEFAULT 'hypervisor'",
  "CREATE UNIQUE INDEX nodes_fabric ON nodes (physical_cluster_id) WHERE role = 'fabric'",
  `CREATE TABLE fabric_members (
    physical_cluster_id TEXT NOT NULL REFERENCES physical_clusters (id) ON DELETE CASCADE,
    guid TEXT NOT NULL, pkey INTEGER NOT NULL, isolated INTEGER NOT NULL,
    PRIMARY KEY (physical_cluster_id, guid, pkey)) STRICT, WITHOUT ROWID`,
  "CREATE INDEX isolation_ids_network ON isolation_ids (cluster_network_id)",
];
