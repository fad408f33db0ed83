// Small checks that read a document of unknown shape: each names every fault by its path and still
// answers with a harmless value, so that one bad field never hides another. Knows nothing of what
// is declared.
import type { FieldViolation } from "@railyard/lib/errors";

/** Most faults that are named; the last one then says how many more there are. */
export const FAULTS_MAX = 256;

/** The faults found so far. */
export class Faults {
  private readonly found: FieldViolation[] = [];
  private readonly paths = new Set<string>();
  private more = 0;

  add(field: string, description: string): void {
    this.paths.add(field);
    if (this.found.length < FAULTS_MAX) this.found.push({ field, description });
    else this.more += 1;
  }

  /** Like `add`, unless this very field is known to be bad already. */
  addIfSound(field: string, description: string): void {
    if (!this.paths.has(field)) this.add(field, description);
  }

  get list(): readonly FieldViolation[] {
    if (this.more === 0) return this.found;
    return [...this.found, { field: "", description: `and ${this.more} more` }];
  }
}

/** Reads one value; on a fault it names the path and answers with a harmless value of the type. */
export type Check<T> = (value: unknown, path: string, faults: Faults) => T;

/** A string, perhaps of one form. `form` says in words what `pattern` wants. */
export function text(options: {
  readonly max: number;
  readonly pattern?: RegExp;
  readonly form?: string;
}): Check<string> {
  return (value, path, faults) => {
    if (typeof value !== "string") {
      faults.add(path, "must be a string");
      return "";
    }
    if (value.length > options.max) faults.add(path, `must have at most ${options.max} characters`);
    else if (options.pattern && !options.pattern.test(value)) {
      faults.add(path, options.form ?? `must match ${options.pattern.source}`);
    }
    return value;
  };
}

/** A whole number between two bounds, both allowed. */
export function integer(min: number, max: number): Check<number> {
  return (value, path, faults) => {
    const fits =
      typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max;
    if (fits) return value;
    faults.add(path, `must be a whole number from ${min} to ${max}`);
    return min;
  };
}

export function flag(): Check<boolean> {
  return (value, path, faults) => {
    if (typeof value !== "boolean") faults.add(path, "must be true or false");
    return value === true;
  };
}

/** One of a few words. */
export function choice<const T extends string>(first: T, ...rest: readonly T[]): Check<T> {
  const words: readonly T[] = [first, ...rest];
  return (value, path, faults) => {
    const word = words.find((w) => w === value);
    if (word === undefined) faults.add(path, `must be ${words.join(" or ")}`);
    return word ?? first;
  };
}

/** A list; every item is checked under `path[i]`. */
export function list<T>(
  item: Check<T>,
  limits: { readonly min?: number; readonly max: number },
): Check<readonly T[]> {
  return (value, path, faults) => {
    if (!Array.isArray(value)) {
      faults.add(path, "must be a list");
      return [];
    }
    const { min = 0, max } = limits;
    if (value.length < min) faults.add(path, `must have at least ${min} item(s)`);
    if (value.length > max) faults.add(path, `must have at most ${max} items`);
    return value.slice(0, max).map((v: unknown, i) => item(v, `${path}[${i}]`, faults));
  };
}

/** A member that may be absent, with the value that stands for absence. */
export function optional<T, D>(check: Check<T>, absent: D): Check<T | D> {
  return Object.assign(
    (value: unknown, path: string, faults: Faults) =>
      value === undefined ? absent : check(value, path, faults),
    { mayBeAbsent: true },
  );
}

/** A mapping with exactly these members; unknown ones are refused, missing ones named. */
export function record<T extends object>(
  members: {
    readonly [K in keyof T]: Check<T[K]>;
  },
): Check<T> {
  const known = Object.keys(members) as (keyof T & string)[];
  return (value, path, faults) => {
    const given = isMapping(value) ? value : {};
    if (!isMapping(value)) faults.add(path || "document", "must be a mapping");
    for (const key of Object.keys(given)) {
      if (!(known as string[]).includes(key)) faults.add(join(path, key), "is not known here");
    }
    const inner = isMapping(value) ? faults : new Faults();
    const out: Partial<T> = {};
    for (const key of known) out[key] = member(members[key], given[key], join(path, key), inner);
    return out as T;
  };
}

function member<T>(check: Check<T>, value: unknown, ...where: [string, Faults]): T {
  const [path, faults] = where;
  if (value !== undefined || "mayBeAbsent" in check) return check(value, path, faults);
  faults.add(path, "is missing");
  return check(value, path, new Faults());
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
