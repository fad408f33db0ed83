// The schema's step that keeps a network's blocks in one index: where a new subnet can lie is then
// answered without a look at the subnets' rows.

/** Every statement of the step, in order. */
export const SCHEMA_SUBNET_BLOCKS: readonly string[] = [
  "ALTER TABLE subnets ADD COLUMN prefix INTEGER NOT NULL DEFAULT 0",
  "UPDATE subnets SET prefix = json_extract(body, '$.cidr.prefix')",
  "DROP INDEX subnets_address",
  `CREATE INDEX subnets_blocks
    ON subnets (account, cluster_network_id, first_address, prefix)`,
];
