// In which order the resync looks at nodes: those whose heartbeat said something new come first,
// the rest of the fleet in turn, some with every period, and none is left out.
import { Resync } from "@railyard/controller/loops/resync";
import { settle } from "@railyard/lib/clock";
import type { NodeId } from "@railyard/lib/ids";
import { afterEach, expect, test } from "vitest";
import { type Rig, rig } from "./rig.js";

const PERIOD_MS = 1_000;
/** Nodes of one pass. */
const PASS = 512;
const NODES = 600;
/** No epoch of the store: each of these nodes is behind, and woken when it is looked at. */
const STRANGE_EPOCH = 99n;

let stop: (() => Promise<void>) | undefined;
afterEach(() => stop?.());

function nodeAt(n: number): NodeId {
  return `node-${n}` as NodeId;
}

function range(first: number, end: number): readonly NodeId[] {
  return Array.from({ length: end - first }, (_, i) => nodeAt(first + i));
}

function beat({ ctx }: Rig, node: NodeId): void {
  const held = { epoch: STRANGE_EPOCH, acceptedGeneration: 0n, appliedGeneration: 0n, digest: "" };
  ctx.leases.beat(node, { session: `ses-${node}`, ...held });
}

/** A fleet of which every node that is looked at is seen to be. */
async function watched() {
  const made = await rig({ nodes: NODES });
  for (const node of range(0, NODES)) beat(made, node);
  const looked: NodeId[] = [];
  const { ctx } = made;
  const wake = (node: NodeId) => void looked.push(node);
  const resync = new Resync({ ctx, periodMs: PERIOD_MS, wake });
  stop = () => resync.stop();
  const since = async (happens: () => unknown) => {
    looked.length = 0;
    await happens();
    for (let turns = 0; turns < 100; turns++) await settle();
    return [...looked];
  };
  return { resync, since, nextPeriod: () => since(() => made.clock.advance(PERIOD_MS)) };
}

test("news come first, then the rest of the fleet in turn, round and round", async () => {
  const { resync, since, nextPeriod } = await watched();
  const first = await since(() => {
    for (const n of [550, 3, 599]) resync.heard(nodeAt(n));
  });
  expect(first).toEqual([nodeAt(550), nodeAt(3), nodeAt(599), ...range(0, PASS - 3)]);
  expect(await nextPeriod()).toEqual(range(PASS - 3, NODES));
  expect(await nextPeriod()).toEqual(range(0, PASS));
});

test("news alone never keep the rest from its turn for longer than a period", async () => {
  const { resync, since, nextPeriod } = await watched();
  expect(await since(() => resync.start())).toEqual(range(0, PASS));
  expect(await since(() => resync.heard(nodeAt(7)))).toEqual([nodeAt(7)]);
  expect(await since(() => resync.heard(nodeAt(7)))).toEqual([nodeAt(7)]);
  expect(await nextPeriod()).toEqual(range(PASS, NODES));
});

test("more news than one pass takes are all looked at, once each and in their order", async () => {
  const { resync, since } = await watched();
  await since(() => resync.start());
  const backwards = [...range(0, NODES)].reverse();
  const looked = await since(() => {
    for (const node of backwards) resync.heard(node);
    resync.heard(nodeAt(0));
  });
  expect(looked).toEqual(backwards);
});
