// Tests of finding out at once which nodes have room.
import type { NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { FleetIndex } from "../placement/fleet-index.js";
import { sampleNode, sampleRequest } from "../placement/sample.js";
import { INSTANCE_COST, LOOKED_AT_MAX, type Load, SURVEYED_MAX, surveyRooms } from "./survey.js";

/** Surveys so many nodes, each with this load; answers with the nodes that were looked at, too. */
async function surveyed(nodes: number, loadOf: (n: number) => Load, room: (n: number) => number) {
  const fleet = new FleetIndex();
  for (let n = 0; n < nodes; n++) fleet.put(sampleNode(`n${n}`));
  const numberOf = (id: NodeId) => Number(id.slice(1));
  const asked: number[] = [];
  const looked: number[] = [];
  const rooms = await surveyRooms({
    ...{ fleet, request: sampleRequest(1), wanted: 4 },
    loadOf: async (id) => {
      asked.push(numberOf(id));
      return loadOf(numberOf(id));
    },
    roomOn: async (id) => {
      looked.push(numberOf(id));
      return room(numberOf(id));
    },
  });
  return { rooms, asked, looked, room: (n: number) => rooms.get(`n${n}` as NodeId) };
}

test("every node has the room that it says; those with room for all are not told", async () => {
  const load = { instances: 1, bytes: 9 };
  const { rooms } = await surveyed(
    6,
    () => load,
    (n) => n,
  );
  expect([...rooms].sort()).toEqual([
    ["n0", 0],
    ["n1", 1],
    ["n2", 2],
    ["n3", 3],
  ]);
});

test("those with the least load are looked at, as many as may be; others are full", async () => {
  const bytes = LOOKED_AT_MAX / 4 - 2 * INSTANCE_COST;
  const load = (n: number) => ({ instances: 2, bytes: bytes - n });
  const { looked, room } = await surveyed(6, load, () => 4);
  expect(looked).toEqual([5, 4, 3, 2]);
  expect([5, 4, 3, 2, 1, 0].map(room)).toEqual([...Array(4).fill(undefined), 0, 0]);
});

test("what is empty is alike: one is looked at for all", async () => {
  const load = { instances: 0, bytes: 0 };
  const { rooms, looked } = await surveyed(
    300,
    () => load,
    () => 3,
  );
  expect(looked).toHaveLength(1);
  expect(new Set(rooms.values())).toEqual(new Set([3]));
  expect(rooms.size).toBe(300);
});

test("no more nodes are asked for their load than the limit; others are full", async () => {
  const load = { instances: 0, bytes: 0 };
  const { asked, rooms } = await surveyed(
    SURVEYED_MAX + 3,
    () => load,
    () => 4,
  );
  expect(asked).toHaveLength(SURVEYED_MAX);
  expect([...rooms.values()]).toEqual([0, 0, 0]);
});
