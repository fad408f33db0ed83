// The schema's first version, as statements. Columns are what the database itself must know (keys,
// uniqueness, order, filters, sums); the rest of a row is JSON in `body`. Knows no engine but
// SQLite's types.
import { indexName, UNIQUE_INDEXES } from "./unique.js";

const OWNED = `account TEXT NOT NULL, created_at INTEGER NOT NULL, name TEXT NOT NULL,
  body TEXT NOT NULL`;

const TENANT_TABLES = [
  `CREATE TABLE cluster_networks (id TEXT PRIMARY KEY, ${OWNED},
    vpc_id TEXT NOT NULL, resource_group_id TEXT NOT NULL,
    physical_cluster_id TEXT NOT NULL REFERENCES physical_clusters (id)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE subnets (id TEXT PRIMARY KEY, ${OWNED},
    cluster_network_id TEXT NOT NULL REFERENCES cluster_networks (id),
    first_address INTEGER NOT NULL,
    available_count INTEGER NOT NULL CHECK (available_count >= 0)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE reserved_ips (id TEXT PRIMARY KEY, ${OWNED},
    cluster_network_id TEXT NOT NULL REFERENCES cluster_networks (id),
    subnet_id TEXT NOT NULL REFERENCES subnets (id),
    address INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE interfaces (id TEXT PRIMARY KEY, ${OWNED},
    cluster_network_id TEXT NOT NULL REFERENCES cluster_networks (id),
    subnet_id TEXT NOT NULL REFERENCES subnets (id),
    primary_ip_id TEXT NOT NULL REFERENCES reserved_ips (id),
    mac TEXT NOT NULL, target_id TEXT) STRICT, WITHOUT ROWID`,
  `CREATE TABLE instances (id TEXT PRIMARY KEY, ${OWNED},
    vpc_id TEXT NOT NULL, profile TEXT NOT NULL, status TEXT NOT NULL,
    cluster_network_id TEXT REFERENCES cluster_networks (id),
    placement TEXT, placed_on TEXT REFERENCES nodes (id)) STRICT`,
  `CREATE TABLE attachments (id TEXT PRIMARY KEY, ${OWNED},
    instance_id TEXT NOT NULL REFERENCES instances (id),
    interface_id TEXT NOT NULL REFERENCES interfaces (id),
    position INTEGER NOT NULL CHECK (position >= 0), slot INTEGER) STRICT, WITHOUT ROWID`,
  `CREATE TABLE address_pools (subnet_id TEXT PRIMARY KEY REFERENCES subnets (id) ON DELETE CASCADE,
    first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE address_runs (subnet_id TEXT NOT NULL REFERENCES address_pools (subnet_id)
    ON DELETE CASCADE, first INTEGER NOT NULL, last INTEGER NOT NULL CHECK (first <= last),
    PRIMARY KEY (subnet_id, first)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE resting_macs (cluster_network_id TEXT NOT NULL, mac TEXT NOT NULL,
    until INTEGER NOT NULL, PRIMARY KEY (cluster_network_id, mac)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE quota_limits (account TEXT NOT NULL, subject TEXT NOT NULL,
    quota INTEGER NOT NULL, PRIMARY KEY (account, subject)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE quota_counts (account TEXT NOT NULL, subject TEXT NOT NULL, within TEXT NOT NULL,
    used INTEGER NOT NULL CHECK (used >= 0),
    PRIMARY KEY (account, subject, within)) STRICT, WITHOUT ROWID`,
];

const YARD_TABLES = [
  ...["zones", "cluster_network_profiles", "instance_profiles", "hardware_kinds", "mzones"].map(
    (table) => `CREATE TABLE ${table} (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT`,
  ),
  `CREATE TABLE catalog_items (kind TEXT NOT NULL, id TEXT NOT NULL, account TEXT,
    body TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE physical_clusters (id TEXT PRIMARY KEY, name TEXT NOT NULL,
    isolation_min INTEGER NOT NULL, isolation_max INTEGER NOT NULL, body TEXT NOT NULL) STRICT`,
  `CREATE TABLE isolation_ids (
    physical_cluster_id TEXT NOT NULL REFERENCES physical_clusters (id),
    isolation_id INTEGER NOT NULL, cluster_network_id TEXT, resting_until INTEGER,
    PRIMARY KEY (physical_cluster_id, isolation_id),
    CHECK ((cluster_network_id IS NULL) <> (resting_until IS NULL))) STRICT, WITHOUT ROWID`,
  `CREATE TABLE nodes (id TEXT PRIMARY KEY, name TEXT NOT NULL, serial TEXT NOT NULL,
    physical_cluster_id TEXT NOT NULL REFERENCES physical_clusters (id),
    generation INTEGER NOT NULL, accepted_generation INTEGER NOT NULL,
    applied_generation INTEGER NOT NULL, body TEXT NOT NULL) STRICT`,
  `CREATE TABLE node_amounts (node_id TEXT PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    vcpu_max INTEGER NOT NULL, memory_mib_max INTEGER NOT NULL, disk_gib_max INTEGER NOT NULL,
    vcpu INTEGER NOT NULL, memory_mib INTEGER NOT NULL, disk_gib INTEGER NOT NULL,
    CHECK (vcpu >= 0 AND memory_mib >= 0 AND disk_gib >= 0)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE amount_claims (instance_id TEXT PRIMARY KEY,
    node_id TEXT NOT NULL REFERENCES nodes (id), vcpu INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL, disk_gib INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE gpu_claims (node_id TEXT NOT NULL REFERENCES nodes (id), device_id TEXT NOT NULL,
    instance_id TEXT NOT NULL REFERENCES amount_claims (instance_id), pair INTEGER NOT NULL,
    PRIMARY KEY (node_id, device_id)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE vf_claims (node_id TEXT NOT NULL REFERENCES nodes (id), nic TEXT NOT NULL,
    vf INTEGER NOT NULL, instance_id TEXT NOT NULL REFERENCES amount_claims (instance_id),
    attachment_id TEXT NOT NULL, PRIMARY KEY (node_id, nic, vf)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE outbox (node_id TEXT PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL, since INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
];

const RECORD_TABLES = [
  `CREATE TABLE tokens (id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL, created_at INTEGER NOT NULL,
    body TEXT NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE request_records (scope TEXT NOT NULL, method TEXT NOT NULL,
    request_id TEXT NOT NULL, hash TEXT NOT NULL, answer BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (scope, method, request_id)) STRICT`,
  "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
  `CREATE TABLE revision (id INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL) STRICT`,
  `CREATE TABLE changes (revision INTEGER PRIMARY KEY, at INTEGER NOT NULL,
    entries TEXT NOT NULL) STRICT`,
  `CREATE TABLE account_revisions (account TEXT PRIMARY KEY, value INTEGER NOT NULL)
    STRICT, WITHOUT ROWID`,
  `CREATE TABLE account_changes (account TEXT NOT NULL, account_revision INTEGER NOT NULL,
    revision INTEGER NOT NULL, at INTEGER NOT NULL, entries TEXT NOT NULL,
    PRIMARY KEY (account, account_revision)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE audit (revision INTEGER PRIMARY KEY, caller TEXT NOT NULL, method TEXT NOT NULL,
    request_id TEXT, account TEXT, at INTEGER NOT NULL, targets TEXT NOT NULL) STRICT`,
];

const INDEXES = [
  ...UNIQUE_INDEXES.map(
    (rule) =>
      `CREATE UNIQUE INDEX ${indexName(rule)} ON ${rule.table} (${rule.columns.join(", ")})`,
  ),
  ...listIndexes("cluster_networks", "account"),
  ...listIndexes("instances", "account"),
  ...listIndexes("subnets", "cluster_network_id"),
  ...listIndexes("interfaces", "cluster_network_id"),
  ...listIndexes("reserved_ips", "subnet_id"),
  "CREATE INDEX cluster_networks_cluster ON cluster_networks (physical_cluster_id)",
  "CREATE INDEX subnets_address ON subnets (cluster_network_id, first_address)",
  "CREATE INDEX reserved_ips_network ON reserved_ips (cluster_network_id)",
  "CREATE INDEX interfaces_subnet ON interfaces (subnet_id)",
  "CREATE INDEX interfaces_ip ON interfaces (primary_ip_id)",
  "CREATE INDEX instances_network ON instances (cluster_network_id)",
  "CREATE INDEX instances_node ON instances (placed_on, id)",
  "CREATE INDEX nodes_cluster ON nodes (physical_cluster_id)",
  "CREATE INDEX amount_claims_node ON amount_claims (node_id)",
  "CREATE INDEX gpu_claims_instance ON gpu_claims (instance_id)",
  "CREATE INDEX vf_claims_instance ON vf_claims (instance_id)",
  "CREATE INDEX outbox_since ON outbox (since)",
  "CREATE INDEX request_records_at ON request_records (at)",
];

/** Lists run in this order by default; a page starts with one index seek. */
function listIndexes(table: string, within: string): readonly string[] {
  return [`CREATE INDEX ${table}_list ON ${table} (${within}, created_at DESC, name, id)`];
}

const FIRST_ROWS = [
  "INSERT INTO revision (id, value) VALUES (1, 0)",
  "INSERT INTO meta (key, value) VALUES ('epoch', '1')",
];

/** Every statement of version 1, in order. */
export const SCHEMA_1: readonly string[] = [
  ...YARD_TABLES,
  ...TENANT_TABLES,
  ...RECORD_TABLES,
  ...INDEXES,
  ...FIRST_ROWS,
];
