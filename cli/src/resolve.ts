// Finds the id behind what a person typed: a name or an id. It knows no noun.
import { invalidField, notFound, type RailyardError, refuse } from "@railyard/lib/errors";

/** How objects of one kind are looked up. */
export interface Lookup {
  /** What the object is called in messages, such as `cluster network`. */
  readonly kind: string;
  /** Ids of the objects with this name. */
  readonly named: (name: string) => Promise<readonly string[]>;
  /** Whether there is an object with this id. */
  readonly exists: (id: string) => Promise<boolean>;
}

const SERVER_MADE = /^[a-z]+-[0-9a-z]{24}$/;
const NAME = /^[-a-z0-9]{1,63}$/;

/**
 * The id for `text`. What looks made by the server is tried as an id first, so that a name chosen
 * to look like another object's id never wins; anything else as a name first. Throws `notFound`;
 * `invalid` for an empty text.
 */
export async function resolveId(lookup: Lookup, text: string): Promise<string> {
  if (text === "") throw invalidField(lookup.kind, "must be a name or an id");
  const asId = async () => ((await lookup.exists(text)) ? text : undefined);
  const asName = async () =>
    NAME.test(text) ? onlyOne(lookup, text, await lookup.named(text)) : undefined;
  const tries = SERVER_MADE.test(text) ? [asId, asName] : [asName, asId];
  for (const attempt of tries) {
    const id = await attempt();
    if (id !== undefined) return id;
  }
  throw notFound(lookup.kind, text);
}

/** Turns a read that may fail with "not found" into a yes or no. */
export async function whetherFound(read: Promise<unknown>): Promise<boolean> {
  try {
    await read;
    return true;
  } catch (thrown) {
    // An id that is no id at all is no object's id either.
    const { code } = thrown as RailyardError;
    if (code === "notFound" || code === "invalid") return false;
    throw thrown;
  }
}

function onlyOne(lookup: Lookup, name: string, ids: readonly string[]): string | undefined {
  if (ids.length <= 1) return ids[0];
  throw refuse("precondition", `several of kind ${lookup.kind} are named ${name}: give an id`);
}
