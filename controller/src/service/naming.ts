// Gives an object its name inside a transaction: the one asked for, when it is well formed and
// free, or four random words. Nobody asks whether these are free: one of 2^32 names seldom is not,
// the store refuses it then, and the mutation runs again with other words.
import { type RailyardError, refuse } from "@railyard/lib/errors";
import type { Rng } from "@railyard/lib/rng";
import type { Faults } from "../domain/faults.js";
import { checkName, namesTogether, randomName } from "../domain/names.js";
import type { Listed } from "../store/contract.js";

/** Draws of one name. */
const DRAWS_MAX = 16;

export interface NameWish {
  readonly field: string;
  /** Empty: four random words. */
  readonly name: string;
  readonly rng: Rng;
  /** Whether another object in the same scope has the name. */
  taken(name: string): Promise<boolean>;
}

/** The name to use. Adds a fault when the one asked for is malformed, reserved or taken. */
export async function chooseName(faults: Faults, wish: NameWish): Promise<string> {
  if (wish.name === "") return randomName(wish.rng);
  await checkNewName(faults, wish);
  return wish.name;
}

/** Adds a fault unless the name is well formed and free; an empty one is malformed. */
export async function checkNewName(faults: Faults, wish: Omit<NameWish, "rng">): Promise<void> {
  if (!checkName(faults, wish.field, wish.name) || !(await wish.taken(wish.name))) return;
  faults.add({
    code: "exists",
    field: wish.field,
    description: `the name ${wish.name} is taken`,
    reason: "NAME_TAKEN",
  });
}

/**
 * The names, with four random words for each that is empty, the first two in common: none of these
 * alike, nor like any of `others`.
 */
export function fillNames(
  names: readonly string[],
  { rng, others = [] }: { readonly rng: Rng; readonly others?: Iterable<string> },
): readonly string[] {
  if (!names.includes("")) return names;
  const used = new Set([...others, ...names]);
  const draw = namesTogether(rng);
  return names.map((name) => name || drawOther(draw, used));
}

function drawOther(draw: () => string, used: Set<string>): string {
  for (let draws = 0; draws < DRAWS_MAX; draws++) {
    const name = draw();
    if (used.size !== used.add(name).size) return name;
  }
  throw noNameLeft();
}

/** No random name was free. */
export function noNameLeft(): RailyardError {
  return refuse("unavailable", "no free random name was found; give one");
}

/** Whether a list has any row that matches the filter. */
export function hasAny<Filter>(
  rows: Pick<Listed<unknown, Filter>, "any">,
  filter: Filter,
): Promise<boolean> {
  return rows.any(filter);
}
