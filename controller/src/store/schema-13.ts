// The schema's thirteenth version: the provider's reserved IPs are no longer stored, since each
// subnet tells them. Their ids are others now, so that watchers of their accounts must relist.

const KEPT = "json_extract(body, '$.owner') = 'provider'";
const HOLDERS = `SELECT account FROM reserved_ips WHERE ${KEPT}`;

/** Every statement of version 13, in order. */
export const SCHEMA_13: readonly string[] = [
  `DELETE FROM account_changes WHERE account IN (${HOLDERS})`,
  `UPDATE account_revisions SET value = value + 1, bytes = 0 WHERE account IN (${HOLDERS})`,
  `DELETE FROM encoded_objects
    WHERE kind = 'reservedIp' AND id IN (SELECT id FROM reserved_ips WHERE ${KEPT})`,
  `DELETE FROM reserved_ips WHERE ${KEPT}`,
];
