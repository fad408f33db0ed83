// Gives an object its name inside a transaction: the one asked for, when it is well formed and
// free, or four random words that are.
import { type RailyardError, refuse } from "@railyard/lib/errors";
import type { Rng } from "@railyard/lib/rng";
import type { Faults } from "../domain/faults.js";
import { checkName, namesTogether, randomName } from "../domain/names.js";
import type { Listed } from "../store/contract.js";
import { drawFree } from "./draw.js";

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
  if (wish.name === "") return drawName(wish);
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

async function drawName({ rng, taken }: NameWish): Promise<string> {
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const name = randomName(rng);
    if (!(await taken(name))) return name;
  }
  throw noNameLeft();
}

function noNameLeft(): RailyardError {
  return refuse("unavailable", "no free random name was found; give one");
}

/**
 * The names, with four random words for each that is empty, the first two in common. `taken`: which
 * of some names other objects in the same scope have.
 */
export async function fillNames(
  names: readonly string[],
  wish: { readonly rng: Rng; taken(names: readonly string[]): Promise<ReadonlySet<string>> },
): Promise<readonly string[]> {
  const missing = names.filter((name) => name === "").length;
  const drawn = await drawFree(missing, {
    draw: namesTogether(wish.rng),
    taken: async (some) => new Set([...(await wish.taken(some)), ...names]),
    refusal: noNameLeft,
  });
  return names.map((name) => name || (drawn.pop() ?? name));
}

/** Whether a list has any row that matches the filter. */
export function hasAny<Filter>(
  rows: Pick<Listed<unknown, Filter>, "any">,
  filter: Filter,
): Promise<boolean> {
  return rows.any(filter);
}
