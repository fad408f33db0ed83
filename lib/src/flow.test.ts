// Tests of flow control: any order of sending and reading, one window in flight at most.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Inflow, Outflow } from "./flow.js";

const WINDOW = 64;

test("without credit nothing goes, and with credit no more than that", () => {
  const out = new Outflow(10);
  out.push(Buffer.from("hello"));
  expect(out.next(100)).toBeUndefined();
  out.allow(3, 100);
  expect(Buffer.from(out.next(100)!).toString()).toBe("hel");
  expect(out.next(100)).toBeUndefined();
  expect(out.waiting).toBe(2);
});

test("credit never exceeds its bound, however much is given", () => {
  const out = new Outflow(100);
  for (let i = 0; i < 10; i++) out.allow(50, 60);
  out.push(Buffer.alloc(100));
  expect(out.next(100)!.length).toBe(60);
  expect(out.next(100)).toBeUndefined();
});

test("more than the bound is never held", () => {
  const out = new Outflow(4);
  out.push(Buffer.alloc(4));
  expect(() => out.push(Buffer.alloc(1))).toThrow("wait to be sent");
});

test("whoever sends without credit is found out", () => {
  const inflow = new Inflow(4);
  inflow.take(4);
  expect(() => inflow.take(1)).toThrow("more bytes were sent than credit was given");
});

test("every byte arrives once and in order, with at most one window under way", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ t: fc.constant("write" as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
      fc.record({ t: fc.constant("read" as const), count: fc.integer({ min: 1, max: 5 }) }),
    ),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const out = new Outflow(100_000);
      const inflow = new Inflow(WINDOW);
      out.allow(WINDOW, WINDOW);
      const sent: number[] = [];
      const underWay: Uint8Array[] = [];
      const read: number[] = [];
      const transfer = () => {
        for (let piece = out.next(16); piece; piece = out.next(16)) {
          inflow.take(piece.length);
          underWay.push(piece);
        }
        const bytes = underWay.reduce((sum, { length }) => sum + length, 0);
        expect(bytes).toBeLessThanOrEqual(WINDOW);
      };
      const readOne = () => {
        const piece = underWay.shift();
        if (!piece) return;
        read.push(...piece);
        out.allow(inflow.passed(piece.length), WINDOW);
      };
      for (const step of all) {
        if (step.t === "write") {
          out.push(step.bytes);
          sent.push(...step.bytes);
        } else for (let i = 0; i < step.count; i++) readOne();
        transfer();
      }
      while (underWay.length > 0) {
        readOne();
        transfer();
      }
      expect(read).toEqual(sent);
    }),
  );
});
