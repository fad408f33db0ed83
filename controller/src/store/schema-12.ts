// The schema's twelfth version: the log of an account knows what all that it keeps takes, and
// indexes go that no statement uses.

/** Every statement of version 12, in order. */
export const SCHEMA_12: readonly string[] = [
  "ALTER TABLE account_revisions ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0",
  `UPDATE account_revisions SET bytes = ifnull(
    (SELECT sum(octet_length(entries) + octet_length(objects)) FROM account_changes
     WHERE account_changes.account = account_revisions.account), 0)`,
  "DROP INDEX instances_pending",
  "DROP INDEX node_faults_expiry",
];
