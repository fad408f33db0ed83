// What a QEMU that runs is told when its guest does not, over a made-up conversation.
import { expect, test } from "vitest";
import { goOn } from "./go-on.js";
import type { Qmp } from "./qmp.js";

/** What it was told, and what came of it. */
async function told(status: unknown) {
  const commands: string[] = [];
  const qmp: Qmp = {
    async execute(command) {
      commands.push(command);
      return { status };
    },
    event: async () => {},
  };
  const why = await goOn(qmp).then(
    () => "",
    (thrown: Error) => thrown.message,
  );
  return { commands: commands.slice(1), why };
}

test("a guest that runs is left alone", async () => {
  expect(await told("running")).toEqual({ commands: [], why: "" });
});

test("one that stopped over a full disk goes on, and it is told that it had stopped", async () => {
  const { commands, why } = await told("io-error");
  expect(commands).toEqual(["cont"]);
  expect(why).toContain("told to go on: io-error");
});

test("one that sleeps is woken", async () => {
  expect((await told("suspended")).commands).toEqual(["system_wakeup"]);
});

test("of any other the state is told, if it is one", async () => {
  expect(await told("internal-error")).toEqual({
    commands: [],
    why: "the guest stands still: internal-error",
  });
  for (const odd of ["x".repeat(1_000), "\u001b[2J", {}]) {
    expect((await told(odd)).why).toBe("the guest stands still: unknown");
  }
});
