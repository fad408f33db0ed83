// The schema's step that gives volumes one user each, over all accounts. Knows no other table but
// instances, whose volumes it takes over.

/** Every statement of the step, in order. */
export const SCHEMA_VOLUMES: readonly string[] = [
  `CREATE TABLE volume_users (volume_id TEXT PRIMARY KEY, account TEXT NOT NULL,
    instance_id TEXT NOT NULL REFERENCES instances (id)) STRICT`,
  "CREATE INDEX volume_users_instance ON volume_users (instance_id)",
  `INSERT OR IGNORE INTO volume_users (volume_id, account, instance_id)
    SELECT volumes.value, instances.account, instances.id
    FROM instances, json_each(instances.body, '$.spec.volumeIds') AS volumes`,
  `INSERT OR IGNORE INTO volume_users (volume_id, account, instance_id)
    SELECT json_extract(body, '$.spec.bootVolume.id'), account, id FROM instances
    WHERE json_extract(body, '$.spec.bootVolume.id') IS NOT NULL`,
];
