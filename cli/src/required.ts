// Required flags: commander would name the first one that is missing; people want to hear of all.
// It knows no command.
import { invalid } from "@railyard/lib/errors";
import type { Command, Option } from "commander";

/** From now on a verb without its required flags is refused with every one of them named. */
export function requireTogether(program: Command): void {
  const required = new Set<Option>();
  const visit = (command: Command): void => {
    for (const option of command.options.filter(({ mandatory }) => mandatory)) {
      option.mandatory = false;
      required.add(option);
    }
    command.commands.forEach(visit);
  };
  visit(program);
  program.hook("preAction", (_program, verb) => {
    const missing = verb.options.filter(
      (option) => required.has(option) && verb.getOptionValue(option.attributeName()) === undefined,
    );
    if (missing.length === 0) return;
    throw invalid(missing.map(({ long, flags }) => ({ field: long ?? flags, description: GIVE })));
  });
}

const GIVE = "must be given";
