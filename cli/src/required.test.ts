// Proves that missing required flags are named together.
import { RailyardError } from "@railyard/lib/errors";
import { Command } from "commander";
import { expect, test } from "vitest";
import { requireTogether } from "./required.js";

function programOf(ran: string[]): Command {
  const program = new Command("p").exitOverride();
  program
    .command("make")
    .requiredOption("--one <x>", "one")
    .requiredOption("--two <x>", "two")
    .option("--three <x>", "three")
    .action(() => void ran.push("make"));
  requireTogether(program);
  return program;
}

test("every missing required flag is named at once, and the verb does not run", async () => {
  const ran: string[] = [];
  const running = programOf(ran).parseAsync(["make", "--three", "3"], { from: "user" });
  const thrown = await running.catch((error) => error);
  expect(thrown).toBeInstanceOf(RailyardError);
  expect(thrown.parts.fields.map(({ field }: { field: string }) => field)).toEqual([
    "--one",
    "--two",
  ]);
  expect(ran).toEqual([]);
});

test("with all of them the verb runs", async () => {
  const ran: string[] = [];
  await programOf(ran).parseAsync(["make", "--one", "1", "--two", "2"], { from: "user" });
  expect(ran).toEqual(["make"]);
});
