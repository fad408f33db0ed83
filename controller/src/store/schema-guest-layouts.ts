// The schema's fifth version: the layout of each guest that was seen running, kept as long as its
// instance holds a node.

/** Every statement of version 5, in order. */
export const SCHEMA_GUEST_LAYOUTS: readonly string[] = [
  `CREATE TABLE guest_layouts (instance_id TEXT NOT NULL, account TEXT NOT NULL,
    layout TEXT NOT NULL) STRICT`,
  "CREATE UNIQUE INDEX guest_layouts_key ON guest_layouts (instance_id)",
];
