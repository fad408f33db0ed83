// The schema's step that finds instances whose create never came to its end: hardly ever one, so
// that an index of only those costs next to nothing.

/** Every statement of the step, in order. */
export const SCHEMA_PENDING: readonly string[] = [
  "CREATE INDEX instances_pending ON instances (created_at) WHERE status = 'pending'",
];
