// A condition on a column that may have any of a few values. The texts stay few, so that statements
// stay prepared: values are repeated up to the next power of two.
import type { SqlValue } from "./sql.js";

export interface Condition {
  readonly text: string;
  readonly params: readonly SqlValue[];
}

/** `column IN (…)`; of no values it holds for nothing. */
export function anyOf(column: string, values: readonly SqlValue[]): Condition {
  const places = values.length < 2 ? 1 : 2 ** Math.ceil(Math.log2(values.length));
  const params = [...values];
  while (params.length < places) params.push(values[0] ?? null);
  return { text: `${column} IN (${marks(places)})`, params };
}

const known = new Map<number, string>();

function marks(places: number): string {
  const made = known.get(places) ?? Array(places).fill("?").join(", ");
  known.set(places, made);
  return made;
}
