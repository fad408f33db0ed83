// What falls due is found at its time, in its order, however far time goes at once; what was put
// off is not, and is hardly ever asked.
import fc from "fast-check";
import { expect, test } from "vitest";
import { DueTimes } from "./due-times.js";

const SPAN_MS = 1_000;

function wheel() {
  const due = new Map<string, number>();
  const asked = { times: 0 };
  const dueAt = (name: string) => {
    asked.times += 1;
    return due.get(name) ?? Number.POSITIVE_INFINITY;
  };
  const times = new DueTimes<string>({ spanMs: SPAN_MS, dueAt });
  const put = (name: string, at: number) => {
    due.set(name, at);
    times.put(name);
  };
  return { times, due, asked, put };
}

test("a thing is due once its time is over, not when it comes, and only once", () => {
  const { times, put } = wheel();
  put("a", 500);
  expect([499, 500, 500.1, 501].map((now) => times.take(now))).toEqual([[], [], ["a"], []]);
});

test("things fall due in the order of their times, also those of one moment to the next", () => {
  const { times, put } = wheel();
  put("c", 700);
  put("a", 500);
  put("b", 500.5);
  put("late", 900);
  expect(times.take(800)).toEqual(["a", "b", "c"]);
  expect(times.take(901)).toEqual(["late"]);
});

test("what was put off falls due at its new time, and what never does is let go", () => {
  const { times, due, put } = wheel();
  for (const name of ["a", "b", "gone"]) put(name, 500);
  due.set("a", 900);
  due.set("gone", Number.POSITIVE_INFINITY);
  expect(times.take(600)).toEqual(["b"]);
  expect(times.take(900)).toEqual([]);
  expect(times.take(901)).toEqual(["a"]);
  due.set("gone", 0);
  expect(times.take(10_000)).toEqual([]);
});

test("what is put off within the slot that has come up still falls due to the millisecond", () => {
  const { times, due, put } = wheel();
  put("a", 500);
  expect(times.take(499.9)).toEqual([]);
  due.set("a", 500.5);
  expect(times.take(500.4)).toEqual([]);
  expect(times.take(500.6)).toEqual(["a"]);
});

test("a jump over many spans finds everything, and the wheel goes on", () => {
  const { times, put } = wheel();
  for (let i = 0; i < 100; i++) put(`n${i}`, i * 10);
  expect(times.take(1e9)).toHaveLength(100);
  put("after", 1e9 + 300);
  expect([times.take(1e9 + 300), times.take(1e9 + 301)]).toEqual([[], ["after"]]);
});

test("a time before the last one finds nothing and loses nothing", () => {
  const { times, put } = wheel();
  expect(times.take(800)).toEqual([]);
  put("a", 900);
  put("early", 100);
  expect(times.take(50)).toEqual([]);
  expect(times.take(901)).toEqual(["early", "a"]);
});

test("what falls due beyond the span is found all the same", () => {
  const { times, put } = wheel();
  put("far", 10 * SPAN_MS);
  for (let now = 0; now <= 10 * SPAN_MS; now += 100) expect(times.take(now)).toEqual([]);
  expect(times.take(10 * SPAN_MS + 1)).toEqual(["far"]);
});

test("of thousands that are put off all the time each is asked about once in a span", () => {
  const { times, due, asked, put } = wheel();
  const count = 5_000;
  for (let i = 0; i < count; i++) put(String(i), SPAN_MS * (1 + i / count));
  asked.times = 0;
  for (let now = 0; now < 4 * SPAN_MS; now += 10) {
    if (now % 100 === 0) for (const name of due.keys()) due.set(name, now + SPAN_MS);
    expect(times.take(now)).toEqual([]);
  }
  expect(asked.times).toBeLessThan(6 * count);
});

test("it finds what a list that is searched each time finds", () => {
  const step = fc.record({
    name: fc.integer({ min: 0, max: 9 }),
    ms: fc.integer({ min: 0, max: 3 * SPAN_MS }),
    does: fc.constantFrom("put", "put", "off", "look", "look", "jump"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { times, due, put } = wheel();
      const inside = new Set<string>();
      let now = 0;
      for (const { name: n, ms, does } of steps) {
        const name = String(n);
        if (does === "put" && !inside.has(name)) {
          inside.add(name);
          put(name, now + ms);
        } else if (does === "off" && inside.has(name)) due.set(name, (due.get(name) ?? 0) + ms);
        else if (does === "look" || does === "jump") {
          now += does === "jump" ? 50 * ms : ms / 10;
          const expected = [...inside].filter((one) => (due.get(one) ?? 0) < now).sort();
          expect([...times.take(now)].sort()).toEqual(expected);
          for (const one of expected) inside.delete(one);
        }
      }
    }),
    { numRuns: 200 },
  );
});
