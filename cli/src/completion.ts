// Shell completion: `railctl complete bash|zsh|fish`. It reads the commands; it adds none of its
// own but `complete`.
import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";

/** Adds `complete`, which knows every command that `program` has by now. */
export function addCompletion(program: Command): void {
  tab(program);
}
