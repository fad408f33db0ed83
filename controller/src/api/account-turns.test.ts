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

test("whoever goes while it waits leaves the line, and is told why", async () => {
  const turns = new AccountTurns();
  const { begun, ends, all } = reads(turns, AT_WORK_MAX);
  const told = new Error("gone");
  const serve = () => {
    throw new Error("served for nobody");
  };
  const callers = Array.from({ length: TURNS_WAITING_MAX }, () => new AbortController());
  const waiting = callers.map(({ signal }) => turns.run(ACME, serve, () => signal));
  const refused = turns.run(ACME, () => "too many");
  await expect(refused).rejects.toMatchObject({ code: "unavailable" });
  for (const caller of callers) caller.abort(told);
  const reasons = (await Promise.allSettled(waiting)).map((one) => "reason" in one && one.reason);
  expect(new Set(reasons)).toEqual(new Set([told]));
  await expect(turns.run(ACME, serve, () => AbortSignal.abort(told))).rejects.toBe(told);
  const next = turns.run(ACME, () => "served");
  ends[0]?.();
  expect(await next).toBe("served");
  for (const end of ends) end();
  await Promise.allSettled(all);
  expect(begun).toHaveLength(AT_WORK_MAX);
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
