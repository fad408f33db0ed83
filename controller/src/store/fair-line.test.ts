// Tests of the order in which waiting writes are taken.
import type { AccountId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FairLine, type InLine } from "./fair-line.js";

interface Write extends InLine {
  readonly name: string;
}

function write(name: string): Write {
  const [account] = name;
  return account === "p" ? { name } : { name, account: account as AccountId };
}

/** In which order writes are taken; the first letter says whose one is, `p` is the provider. */
function order(names: readonly string[]): string {
  const line = new FairLine<Write>();
  for (const name of names) line.push(write(name));
  return line
    .clear()
    .map(({ name }) => name)
    .join(" ");
}

test("whoever asks for little does not wait behind whoever asks for much", () => {
  expect(order(["a1", "a2", "a3", "a4", "b1", "c1", "c2"])).toBe("a1 b1 c1 a2 c2 a3 a4");
  expect(order(["a1", "a2", "a3"])).toBe("a1 a2 a3");
});

test("the provider's own are every second one, however many accounts wait", () => {
  expect(order(["a1", "b1", "c1", "d1", "p1", "p2"])).toBe("p1 a1 p2 b1 c1 d1");
  expect(order(["p1", "p2", "p3", "a1"])).toBe("p1 a1 p2 p3");
});

test("an account that has had its turn waits for those that came meanwhile", () => {
  const line = new FairLine<Write>();
  for (const name of ["a1", "a2", "a3"]) line.push(write(name));
  expect([line.shift()?.name, line.length]).toEqual(["a1", 2]);
  line.push(write("b1"));
  line.push(write("p1"));
  const rest = line.clear();
  expect(rest.map(({ name }) => name)).toEqual(["p1", "a2", "b1", "a3"]);
  expect([line.length, line.shift()]).toEqual([0, undefined]);
});

test("the provider's own and the accounts' are counted apart", () => {
  const line = new FairLine<Write>();
  for (const name of ["p1", "a1", "a2", "b1"]) line.push(write(name));
  const counts = () => [line.waitingLike(write("p")), line.waitingLike(write("c")), line.length];
  expect(counts()).toEqual([1, 3, 4]);
  line.shift();
  line.shift();
  expect(counts()).toEqual([0, 2, 2]);
});

test("nothing is lost, nothing comes twice, and each account's keep their order", () => {
  const steps = fc.array(fc.constantFrom("p", "a", "b", "c", "take"), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (whose) => {
      const line = new FairLine<Write>();
      const pushed: string[] = [];
      const taken: string[] = [];
      whose.forEach((one, i) => {
        const item = one === "take" ? line.shift() : undefined;
        if (item) taken.push(item.name);
        if (one === "take") return;
        pushed.push(`${one}${i}`);
        line.push(write(`${one}${i}`));
      });
      expect(line.length).toBe(pushed.length - taken.length);
      taken.push(...line.clear().map(({ name }) => name));
      for (const one of ["p", "a", "b", "c"]) {
        const own = (names: string[]) => names.filter((name) => name.startsWith(one));
        expect(own(taken)).toEqual(own(pushed));
      }
    }),
  );
});
