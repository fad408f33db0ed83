// The schema's fourteenth version: a node's generations leave its row, which holds a whole
// inventory, since every placement raises one of them. What nodes have not accepted follows from
// the two, so that it is no table of its own any more.

/** Every statement of version 14, in order. */
export const SCHEMA_14: readonly string[] = [
  `CREATE TABLE node_generations (node_id TEXT PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL, accepted_generation INTEGER NOT NULL,
    since INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  `INSERT INTO node_generations
    SELECT n.id, n.generation, n.accepted_generation, ifnull(o.since, 0)
    FROM nodes n LEFT JOIN outbox o ON o.node_id = n.id`,
  `CREATE INDEX node_generations_pending ON node_generations (since, node_id)
    WHERE accepted_generation < generation`,
  "DROP TABLE outbox",
  "ALTER TABLE nodes DROP COLUMN generation",
  "ALTER TABLE nodes DROP COLUMN accepted_generation",
  `CREATE VIEW whole_nodes AS SELECT n.*, g.generation, g.accepted_generation
    FROM nodes n JOIN node_generations g ON g.node_id = n.id`,
];
