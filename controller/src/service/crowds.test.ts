// Tests of the nodes that are found full for one question.
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { PlacementRequest } from "../placement/fleet.js";
import { FleetIndex } from "../placement/fleet-index.js";
import { sampleNode, sampleRequest } from "../placement/sample.js";
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
  const messageLoad = async () => ({ instances: 1, bytes: 1 });
  const messages = { messageRoom, messageLoad };
  return { asked, crowds: new Crowds(messages, CTX, { each: EACH, ...of }) };
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

test("after many full nodes room is found out at once; then the search ends", async () => {
  const { crowds, asked } = crowded({ roomy: 9, little: 1 });
  const fleet = new FleetIndex();
  for (const name of ["roomy", "little", "full"]) fleet.put(sampleNode(name));
  const request = sampleRequest(2);
  const question = { fleet, request, wanted: 2 };
  const meetFull = async (name: string) => {
    for (let i = 0; i < CROWDED_MAX; i++) {
      expect(await crowds.mayAskAgain(question)).toBe(true);
      await crowds.roomFor(on(`${name}${i}`));
    }
  };
  await meetFull("n");
  asked.splice(0);
  expect(await crowds.mayAskAgain(question)).toBe(true);
  expect(asked.map(({ nodeId }) => nodeId).sort()).toEqual(["full", "little", "roomy"]);
  const { crowded: known } = crowds.in(request);
  expect(known?.size).toBe(CROWDED_MAX + 2);
  expect(["roomy", "little", "full"].map((id) => known?.get(id as NodeId))).toEqual([
    ...[undefined, 1, 0],
  ]);
  await meetFull("m");
  expect(await crowds.mayAskAgain(question)).toBe(false);
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
