// Tests of the nodes that are found full for one question.
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { PlacementRequest } from "../placement/fleet.js";
import type { ServiceContext } from "./context.js";
import { CROWDED_MAX, Crowds, withTaken } from "./crowds.js";
import { type Newcomers, shapeBytes } from "./desired.js";

const EACH = { instance: undefined, gpuCount: 2, attachmentCount: 4 };
const REQUEST = { exclude: [] } as unknown as PlacementRequest;
const CTX = {} as ServiceContext;

function on(...names: readonly string[]) {
  return names.map((name) => ({ nodeId: name as NodeId }));
}

/** Each node's message has room for so many; what was asked is kept. */
function crowded(rooms: Readonly<Record<string, number>>, of = {}) {
  const asked: Newcomers[] = [];
  const messageRoom = async (_: unknown, wanted: Newcomers) => {
    asked.push(wanted);
    return Math.min(wanted.wanted, rooms[wanted.nodeId] ?? 0);
  };
  return { asked, crowds: new Crowds({ messageRoom }, CTX, { each: EACH, ...of }) };
}

test("a node is asked once for all of its members; full ones are known from then on", async () => {
  const { crowds, asked } = crowded({ a: 2, b: 1 });
  expect(crowds.in(REQUEST)).toBe(REQUEST);
  expect(await crowds.roomFor(on("a", "b", "a"))).toBe(3);
  expect(crowds.in(REQUEST)).toBe(REQUEST);
  expect(await crowds.roomFor(on("a", "b", "b", "b", "c"))).toBe(2);
  expect(crowds.in(REQUEST).crowded).toEqual(
    new Map([
      ["b", 1],
      ["c", 0],
    ]),
  );
  expect(asked.map(({ nodeId, wanted }) => [nodeId, wanted])).toEqual([
    ...[["a", 2] as const, ["b", 1] as const],
    ...[["a", 1] as const, ["b", 3] as const, ["c", 1] as const],
  ]);
});

test("a request keeps what was known when it was made", async () => {
  const { crowds } = crowded({});
  await crowds.roomFor(on("a"));
  const { crowded: known } = crowds.in(REQUEST);
  await crowds.roomFor(on("b"));
  expect(known?.size).toBe(1);
});

test("the search for room ends", async () => {
  const { crowds } = crowded({});
  for (let i = 0; i < CROWDED_MAX; i++) {
    expect(crowds.areTooMany).toBe(false);
    await crowds.roomFor(on(`n${i}`));
  }
  expect(crowds.areTooMany).toBe(true);
});

test("what is thought away, and what others would take, is asked with it", async () => {
  const taken = withTaken(withTaken(new Map(), on("a", "a"), EACH), on("a", "b"), EACH);
  expect(taken.get("a" as NodeId)).toBe(3 * shapeBytes(EACH));
  const { crowds, asked } = crowded({ a: 1 }, { taken, without: "ins-1" as InstanceId });
  await crowds.roomFor(on("a", "c"));
  expect(asked).toMatchObject([
    { taken: 3 * shapeBytes(EACH), without: "ins-1" },
    { taken: 0, without: "ins-1" },
  ]);
});
