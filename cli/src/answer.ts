// What every answer of a server must hold. It knows no noun.
import { bug } from "@railyard/lib/errors";

/** The object of an answer; a server that leaves it out is broken. */
export function present<T>(object: T | undefined): T {
  if (object === undefined) throw bug("the server's answer lacks the object");
  return object;
}
