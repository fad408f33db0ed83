// Draws values by chance until enough of them are free, with one question about all of them at a
// time. Knows nothing of what the values are.
import type { RailyardError } from "@railyard/lib/errors";

const DRAWS_MAX = 16;

export interface Draw {
  /** One value by chance. */
  draw(): string;
  /** Those that must not be used; others may be among them. */
  taken(values: readonly string[]): Promise<ReadonlySet<string>>;
  /** What to throw when DRAWS_MAX times were not enough. */
  readonly refusal: () => RailyardError;
}

/** So many different values of which none is taken. */
export async function drawFree(count: number, { draw, taken, refusal }: Draw) {
  const free = new Set<string>();
  for (let draws = 0; free.size < count; draws++) {
    if (draws === DRAWS_MAX) throw refusal();
    const values = Array.from({ length: count - free.size }, draw);
    const found = await taken(values);
    for (const value of values) if (!found.has(value)) free.add(value);
  }
  return [...free];
}
