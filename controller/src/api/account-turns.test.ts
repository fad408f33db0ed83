// Tests of how many dear reads of an account are worked on at the same time.
import type { AccountId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { AccountTurns, AT_WORK_MAX, TURNS_WAITING_MAX } from "./account-turns.js";

const ACME = "acme" as AccountId;
const GLOBEX = "globex" as AccountId;

/** So many reads of `acme`, each of which ends when it is told to. */
function reads(turns: AccountTurns, count: number) {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const all = Array.from({ length: count }, (_, i) =>
    turns.run(ACME, () => {
      begun.push(i);
      return new Promise<number>((resolve, reject) => {
        // Every second one fails.
        ends[i] = () => (i % 2 === 0 ? resolve(i) : reject(new Error(`no ${i}`)));
      });
    }),
  );
  for (const one of all) one.catch(() => undefined);
  return { begun, ends, all };
}

test("so many of one account are worked on, the others in order as those end", async () => {
  const turns = new AccountTurns();
  const { begun, ends, all } = reads(turns, AT_WORK_MAX + 3);
  const first = Array.from({ length: AT_WORK_MAX }, (_, i) => i);
  expect(begun).toEqual(first);
  expect(await turns.run(GLOBEX, () => "at once")).toBe("at once");
  for (const i of [2, 1, 5]) {
    ends[i]?.();
    await Promise.allSettled([all[i]]);
  }
  expect(begun).toEqual([...first, AT_WORK_MAX, AT_WORK_MAX + 1, AT_WORK_MAX + 2]);
  await expect(all[1]).rejects.toThrow("no 1");
  for (const end of ends) end();
  expect(await all[2]).toBe(2);
  await Promise.allSettled(all);
  // All places are free again.
  expect(reads(turns, AT_WORK_MAX + 1).begun).toEqual(first);
});

test("no more wait than may", async () => {
  const turns = new AccountTurns();
  const { ends, all } = reads(turns, AT_WORK_MAX + TURNS_WAITING_MAX);
  const refused = turns.run(ACME, () => "too many");
  await expect(refused).rejects.toMatchObject({ code: "unavailable" });
  ends[0]?.();
  await all[0];
  expect(ends).toHaveLength(AT_WORK_MAX + 1);
});
