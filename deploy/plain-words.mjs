// What a person is told when a command of this folder ends early. It knows no command.
import { Interrupted } from "./interrupt.mjs";
import { SetupError } from "./machine.mjs";

/** One sentence where we know what went wrong, the whole stack where we do not. */
export function plainWords(error) {
  const known = [Interrupted, SetupError].some((kind) => error instanceof kind);
  // The system's own complaints name the call and the path.
  return known || error?.syscall ? error.message : (error?.stack ?? String(error));
}
