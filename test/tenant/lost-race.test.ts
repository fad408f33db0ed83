// One instance's placing while others are quicker: between placement's view of the fleet and the
// claim another instance takes the very devices, in the store itself.
import { createInstance } from "@railyard/controller/service/instance-create";
import { PLACE_TRIES_MAX } from "@railyard/controller/service/placing";
import type { Store, WriteTx } from "@railyard/controller/store/contract";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { addNode, instance, instanceWish, type Rig, refusal, rig } from "./rig.js";

const NODES = PLACE_TRIES_MAX + 1;

interface Race {
  readonly made: Rig;
  /** Which nodes were chosen, in turn. */
  readonly chosen: NodeId[];
}

/** The rig on a store where `rivals`, one after another, claim what is chosen a moment earlier. */
function raced(made: Rig, rivals: readonly InstanceId[]): Race {
  const { store } = made.ctx;
  const chosen: NodeId[] = [];
  const beaten = (tx: WriteTx): WriteTx => {
    const { claims } = tx;
    const claim: typeof claims.claim = async (wanted) => {
      const rival = rivals[chosen.length];
      chosen.push(wanted.nodeId);
      if (rival) await claims.claim({ ...wanted, vfs: [], instanceId: rival });
      await claims.claim(wanted);
    };
    return { ...tx, claims: Object.assign(Object.create(claims), { claim }) };
  };
  const write: Store["write"] = (cause, fn) => store.write(cause, (tx) => fn(beaten(tx)));
  const behind = Object.assign(Object.create(store), { write });
  return { made: { ...made, ctx: { ...made.ctx, store: behind } }, chosen };
}

/** Instances that hold nothing: they were created while there was no node. */
async function racing(count: number) {
  const made = await rig({ nodes: 0 });
  const { subnetId } = await made.network();
  const rivals: InstanceId[] = [];
  for (let i = 0; i < count; i++) rivals.push((await instance(made, instanceWish(subnetId))).id);
  for (let i = 0; i < NODES; i++) await addNode(made, `node-${i}`);
  return { subnetId, race: raced(made, rivals) };
}

test.each([1, PLACE_TRIES_MAX - 1])(
  "an instance that lost %i times is placed on a node that nobody took",
  async (lost) => {
    const { subnetId, race } = await racing(lost);
    const placed = await instance(race.made, instanceWish(subnetId));
    expect(placed).toMatchObject({ status: "starting" });
    expect(new Set(race.chosen).size).toBe(lost + 1);
    expect(placed.placement?.nodeId).toBe(race.chosen.at(-1));
  },
);

test("after five lost tries the caller is told to come again, and nothing is left", async () => {
  const { subnetId, race } = await racing(NODES);
  const { made, chosen } = race;
  const wish = instanceWish(subnetId, { name: "late" });
  const refused = await refusal(createInstance(made.ctx, made.call(), wish));
  expect([refused.code, refused.reason]).toEqual(["unavailable", "LOST_RACE"]);
  expect(refused.parts.retryAfterMs).toBeGreaterThan(0);
  expect(PLACE_TRIES_MAX).toBe(5);
  expect(new Set(chosen).size).toBe(PLACE_TRIES_MAX);
  expect(chosen).toHaveLength(PLACE_TRIES_MAX);
  const left = await made.ctx.store.read(async (tx) => ({
    claims: (await tx.claims.all()).filter(({ vcpu }) => vcpu > 0),
    told: await tx.outbox.pending(),
  }));
  expect(left).toEqual({ claims: [], told: [] });
});
