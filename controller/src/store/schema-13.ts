// The schema's thirteenth version: what follows from a subnet is no longer stored. That is what its
// free addresses begin with, and the provider's reserved IPs: their ids are others now, so that
// watchers of their accounts must relist.

const KEPT = "json_extract(body, '$.owner') = 'provider'";
const HOLDERS = `SELECT account FROM reserved_ips WHERE ${KEPT}`;

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
];
