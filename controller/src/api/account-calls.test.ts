// Tests of how many calls an account may have under way.
import type { AccountId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { AccountCalls } from "./account-calls.js";

const ACME = "acme" as AccountId;
const GLOBEX = "globex" as AccountId;

/** Work that ends when it is told to. */
function work() {
  let end = (_: "well" | "badly"): void => undefined;
  const done = new Promise<string>((resolve, reject) => {
    end = (how) => (how === "well" ? resolve("done") : reject(new Error("no")));
  });
  done.catch(() => undefined);
  return { done, end };
}

test("an account has so many calls under way and no more, whatever others have", async () => {
  const calls = new AccountCalls(2);
  const [first, second, third] = [work(), work(), work()];
  const served = [first, second].map(({ done }) => calls.run(ACME, () => done));
  const refused = { code: "exhausted", reason: "TOO_MANY_CALLS" };
  expect(() => calls.run(ACME, () => "at hand")).toThrow(expect.objectContaining(refused));
  expect(calls.run(GLOBEX, () => third.done)).toBe(third.done);
  first.end("well");
  expect(await served[0]).toBe("done");
  void calls.run(ACME, () => third.done);
  expect(() => calls.run(ACME, () => "at hand")).toThrow(expect.objectContaining(refused));
  second.end("badly");
  await expect(served[1]).rejects.toThrow("no");
  expect(calls.run(ACME, () => "at hand")).toBe("at hand");
});

test("what is answered or refused at once was never under way", () => {
  const calls = new AccountCalls(1);
  const refusing = () => {
    throw new Error("refused");
  };
  for (let i = 0; i < 3; i++) {
    expect(() => calls.run(ACME, refusing)).toThrow("refused");
    expect(calls.run(ACME, () => "at hand")).toBe("at hand");
  }
});

test("of zero there is no bound", () => {
  const calls = new AccountCalls(0);
  const { done } = work();
  for (let i = 0; i < 1_000; i++) expect(calls.run(ACME, () => done)).toBe(done);
});
