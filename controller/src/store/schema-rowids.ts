// The schema's step that lays the tables with most rows out in the order in which rows come. By
// their ids, which are random, every new row touched a page of its own; now only indexes do.

const OWNED = `account TEXT NOT NULL, created_at INTEGER NOT NULL, name TEXT NOT NULL,
  body TEXT NOT NULL`;

/** Each after those that it refers to; `columns` as they were, `id` first. */
const TABLES = [
  {
    name: "reserved_ips",
    columns: `${OWNED}, cluster_network_id TEXT NOT NULL REFERENCES cluster_networks (id),
      subnet_id TEXT NOT NULL REFERENCES subnets (id), address INTEGER NOT NULL`,
  },
  {
    name: "interfaces",
    columns: `${OWNED}, cluster_network_id TEXT NOT NULL REFERENCES cluster_networks (id),
      subnet_id TEXT NOT NULL REFERENCES subnets (id),
      primary_ip_id TEXT NOT NULL REFERENCES new_reserved_ips (id),
      mac TEXT NOT NULL, target_id TEXT`,
  },
  {
    name: "attachments",
    columns: `${OWNED}, instance_id TEXT NOT NULL REFERENCES instances (id),
      interface_id TEXT NOT NULL REFERENCES new_interfaces (id),
      position INTEGER NOT NULL CHECK (position >= 0), slot INTEGER`,
  },
];

/** As they were. */
const INDEXES = [
  "CREATE UNIQUE INDEX unique_reserved_ips_subnet_id_name ON reserved_ips (subnet_id, name)",
  "CREATE UNIQUE INDEX unique_reserved_ips_subnet_id_address ON reserved_ips (subnet_id, address)",
  `CREATE UNIQUE INDEX unique_interfaces_cluster_network_id_name
    ON interfaces (cluster_network_id, name)`,
  `CREATE UNIQUE INDEX unique_interfaces_cluster_network_id_mac
    ON interfaces (cluster_network_id, mac)`,
  "CREATE UNIQUE INDEX unique_interfaces_target_id ON interfaces (target_id)",
  "CREATE UNIQUE INDEX unique_attachments_instance_id_name ON attachments (instance_id, name)",
  "CREATE UNIQUE INDEX unique_attachments_interface_id ON attachments (interface_id)",
  "CREATE UNIQUE INDEX unique_attachments_instance_id_slot ON attachments (instance_id, slot)",
  "CREATE INDEX reserved_ips_list ON reserved_ips (subnet_id, created_at DESC, name, id)",
  "CREATE INDEX reserved_ips_network ON reserved_ips (cluster_network_id)",
  "CREATE INDEX interfaces_list ON interfaces (cluster_network_id, created_at DESC, name, id)",
  "CREATE INDEX interfaces_subnet ON interfaces (subnet_id)",
  "CREATE INDEX interfaces_ip ON interfaces (primary_ip_id)",
];

/**
 * Every statement of the step, in order. Nothing refers to a table that is dropped (those that do
 * go before it, or were made anew), so that foreign keys are kept all the while; renaming a table
 * renames it in the references to it.
 */
export const SCHEMA_ROWIDS: readonly string[] = [
  ...TABLES.flatMap(({ name, columns }) => [
    `CREATE TABLE new_${name} (id TEXT PRIMARY KEY, ${columns}) STRICT`,
    `INSERT INTO new_${name} SELECT * FROM ${name}`,
  ]),
  ...TABLES.toReversed().map(({ name }) => `DROP TABLE ${name}`),
  ...TABLES.map(({ name }) => `ALTER TABLE new_${name} RENAME TO ${name}`),
  ...INDEXES,
];
