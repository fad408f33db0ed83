// The schema's thirteenth version: what follows from a subnet is no longer stored. That is what its
// free addresses begin with, and the provider's reserved IPs: their ids are others now, so that
// watchers of their accounts must relist. Indexes are smaller, or go, that every create writes.

const KEPT = "json_extract(body, '$.owner') = 'provider'";
const HOLDERS = `SELECT account FROM reserved_ips WHERE ${KEPT}`;

/**
 * Amounts no longer refer to their node: nobody looks for them by node, and what has an amount
 * there has devices or an instance that refer to it. What refers to amounts is made anew with them.
 */
const CLAIMS: readonly string[] = [
  `CREATE TABLE new_amount_claims (instance_id TEXT PRIMARY KEY, node_id TEXT NOT NULL,
    vcpu INTEGER NOT NULL, memory_mib INTEGER NOT NULL, disk_gib INTEGER NOT NULL)
    STRICT, WITHOUT ROWID`,
  "INSERT INTO new_amount_claims SELECT * FROM amount_claims",
  `CREATE TABLE new_gpu_claims (node_id TEXT NOT NULL REFERENCES nodes (id),
    device_id TEXT NOT NULL, instance_id TEXT NOT NULL REFERENCES new_amount_claims (instance_id),
    pair INTEGER NOT NULL, PRIMARY KEY (node_id, device_id)) STRICT, WITHOUT ROWID`,
  "INSERT INTO new_gpu_claims SELECT * FROM gpu_claims",
  `CREATE TABLE new_vf_claims (node_id TEXT NOT NULL REFERENCES nodes (id), nic TEXT NOT NULL,
    vf INTEGER NOT NULL, instance_id TEXT NOT NULL REFERENCES new_amount_claims (instance_id),
    attachment_id TEXT NOT NULL, PRIMARY KEY (node_id, nic, vf)) STRICT, WITHOUT ROWID`,
  "INSERT INTO new_vf_claims SELECT * FROM vf_claims",
  ...["vf_claims", "gpu_claims", "amount_claims"].map((table) => `DROP TABLE ${table}`),
  ...["amount_claims", "gpu_claims", "vf_claims"].map((table) => {
    return `ALTER TABLE new_${table} RENAME TO ${table}`;
  }),
  "CREATE INDEX gpu_claims_instance ON gpu_claims (instance_id)",
  "CREATE INDEX vf_claims_instance ON vf_claims (instance_id)",
];

/** Every statement of version 13, in order. */
export const SCHEMA_13: readonly string[] = [
  `DELETE FROM account_changes WHERE account IN (${HOLDERS})`,
  `UPDATE account_revisions SET value = value + 1, bytes = 0 WHERE account IN (${HOLDERS})`,
  `DELETE FROM encoded_objects
    WHERE kind = 'reservedIp' AND id IN (SELECT id FROM reserved_ips WHERE ${KEPT})`,
  `DELETE FROM reserved_ips WHERE ${KEPT}`,
  `CREATE TABLE new_address_runs (subnet_id TEXT NOT NULL REFERENCES subnets (id)
    ON DELETE CASCADE, first INTEGER NOT NULL, last INTEGER NOT NULL CHECK (first <= last),
    PRIMARY KEY (subnet_id, first)) STRICT, WITHOUT ROWID`,
  "INSERT INTO new_address_runs SELECT * FROM address_runs",
  "DROP TABLE address_runs",
  "DROP TABLE address_pools",
  "ALTER TABLE new_address_runs RENAME TO address_runs",
  ...CLAIMS,
  "DROP INDEX instances_network",
  `CREATE INDEX instances_network ON instances (cluster_network_id)
    WHERE cluster_network_id IS NOT NULL`,
];
