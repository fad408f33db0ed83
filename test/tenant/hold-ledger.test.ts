// Holds, batches, lone instances, nodes that come and go, refusals and dry runs in any order: after
// each step what is claimed is what lives and a watcher knows what a read shows; at the end nothing
// is left over.

import { type Hold, memberIds } from "@railyard/controller/domain/hold";
import type { Instance } from "@railyard/controller/domain/instance";
import { checkCapacity } from "@railyard/controller/service/capacity";
import { updateNetwork } from "@railyard/controller/service/cluster-network";
import { FleetView, fleetViewOf } from "@railyard/controller/service/fleet-view";
import { deleteHold, expireHolds } from "@railyard/controller/service/hold";
import { deleteInstance, stopInstance } from "@railyard/controller/service/instance";
import { startInstance } from "@railyard/controller/service/instance-start";
import { RailyardError } from "@railyard/lib/errors";
import type { ClusterNetworkId, SubnetId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  batch,
  batchWish,
  changeNode,
  counted,
  gangRig,
  hold,
  losing,
  PAIR,
  shape,
} from "./gang-rig.js";
import { ALICE, instance, instanceWish, type Rig, seenGone, WHOLE } from "./rig.js";
import { expectTold } from "./watched.js";

const NODES = ["node-0-0", "node-0-1", "node-1-0", "node-1-1"];
const MINUTE_MS = 60_000;
const ANY_LIST = { filter: {}, limit: 1_000 };

const anyRoom = {
  pair: fc.boolean(),
  count: fc.integer({ min: 1, max: 4 }),
  close: fc.nat(2),
  segment: fc.nat(2),
};

function aboutOne<Verb extends string>(verb: Verb) {
  return fc.record({ do: fc.constant(verb), which: fc.nat(9) });
}

const anyStep = fc.oneof(
  fc.record({
    ...{ do: fc.constant("hold" as const), ...anyRoom, spares: fc.nat(2) },
    ...{ minutes: fc.integer({ min: 1, max: 9 }), dry: fc.boolean() },
  }),
  fc.record({
    ...{ do: fc.constant("batch" as const), ...anyRoom, which: fc.option(fc.nat(9)) },
    dry: fc.boolean(),
  }),
  fc.record({ do: fc.constant("lone" as const), pair: fc.boolean() }),
  fc.record({ do: fc.constant("ask" as const), ...anyRoom }),
  aboutOne("drop"),
  aboutOne("delete"),
  aboutOne("bounce"),
  fc.record({ do: fc.constant("rename" as const), name: fc.constantFrom("one", "two") }),
  fc.record({ do: fc.constant("wait" as const), minutes: fc.nat(5), swept: fc.boolean() }),
  fc.record({ do: fc.constant("cordon" as const), node: fc.nat(3), cordoned: fc.boolean() }),
);
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

interface World {
  readonly made: Rig;
  readonly networkId: ClusterNetworkId;
  readonly subnetId: SubnetId;
}

const nameOf = (pair: boolean) => (pair ? PAIR : WHOLE);
const countOf = (pair: boolean) => (pair ? 2 : 8);

function living({ made }: World) {
  return made.ctx.store.read(async (tx) => {
    const mine = tx.account(ALICE);
    const { rows: instances } = await mine.instances.list(ANY_LIST);
    const holds = await mine.holds.over(Number.MAX_SAFE_INTEGER, 1_000);
    return { instances, holds };
  });
}

async function act(world: World, step: Step): Promise<void> {
  const { made, networkId, subnetId } = world;
  const now = await living(world);
  if (step.do === "wait") {
    await made.clock.advance(step.minutes * MINUTE_MS);
    if (step.swept) await expireHolds(made.ctx);
  } else if (step.do === "cordon") {
    await changeNode(made, NODES[step.node]!, { cordoned: step.cordoned });
  } else if (step.do === "lone") {
    const profile = nameOf(step.pair);
    await instance(made, instanceWish(subnetId, { profile, count: countOf(step.pair) }));
  } else if (step.do === "rename") {
    const input = { id: networkId, etag: "", mask: ["name"], name: step.name };
    await updateNetwork(made.ctx, made.call(), input);
  } else if (step.do === "bounce") {
    const found = now.instances[step.which % now.instances.length];
    if (found) await bounce(world, found);
  } else if (step.do === "drop") {
    const found = now.holds[step.which % now.holds.length];
    if (found) await deleteHold(made.ctx, made.call(), { id: found.id, etag: "" });
  } else if (step.do === "delete") {
    const found = now.instances[step.which % now.instances.length];
    if (found) await remove(world, found);
  } else {
    const { count, close: maxLeafGroups, segment: segmentSize } = step;
    const closeness = { maxLeafGroups, segmentSize };
    const profile = nameOf(step.pair);
    if (step.do === "ask") {
      await checkCapacity(
        made.ctx,
        made.read(),
        shape(networkId, { profile, count, ...closeness }),
      );
    } else if (step.do === "hold") {
      const { spares, minutes, dry: validateOnly } = step;
      const asked = shape(networkId, { profile, count, spares, ...closeness });
      await hold(made, asked, { ttlMs: minutes * MINUTE_MS, validateOnly });
    } else {
      const held = step.which === null ? undefined : now.holds[step.which % now.holds.length];
      await useUp(world, { ...step, held });
    }
  }
}

/** As its hold says where there is one, so that it is more than a mismatch. */
async function useUp(
  { made, subnetId }: World,
  { held, ...step }: Extract<Step, { do: "batch" }> & { readonly held: Hold | undefined },
): Promise<void> {
  const profile = held?.profile ?? nameOf(step.pair);
  const attachments = countOf(profile === PAIR);
  const closeness = held ? {} : { maxLeafGroups: step.close, segmentSize: step.segment };
  const wish = { holdId: held?.id, profile, attachments, ...closeness };
  const before = await counted(made);
  const asked = batchWish(subnetId, step.count, wish);
  const done = batch(made, asked, { validateOnly: step.dry });
  const members = await done.catch(async (err: unknown) => {
    expect(await counted(made)).toEqual(before);
    throw err;
  });
  if (step.dry) return expect(await counted(made)).toEqual(before);
  expect(members).toHaveLength(step.count);
  const rails = members.map(({ placement }) => placement?.pairs.map(({ rail }) => rail).join());
  expect(new Set(rails).size).toBe(1);
}

/** Stops it, or starts it when it has no host. */
async function bounce({ made }: World, { id, placement }: Instance): Promise<void> {
  if (!placement) return void (await startInstance(made.ctx, made.call(), { id, etag: "" }));
  await stopInstance(made.ctx, made.call(), { id, etag: "" });
  await seenGone(made, id);
}

async function remove({ made }: World, { id }: Instance): Promise<void> {
  await deleteInstance(made.ctx, made.call(), { id, etag: "" });
  await seenGone(made, id);
}

/** Claims are those of living holds and of instances with a host; sums and quotas say the same. */
async function balanced(world: World): Promise<void> {
  const { made } = world;
  const { instances, holds } = await living(world);
  // Of a hold whose time is over a watcher is told when it is swept.
  if (holds.every(({ expiresAt }) => expiresAt > made.clock.now())) await expectTold(made);
  await made.ctx.store.read(async (tx) => {
    const owners = [
      ...holds.flatMap((held) => memberIds(held)),
      ...instances.flatMap(({ id, placement }) => (placement ? [id] : [])),
    ];
    const sums = new Map<string, number[]>();
    const gpus: string[] = [];
    for (const owner of owners) {
      const claim = await tx.claims.ofInstance(owner);
      expect(claim, owner).toBeDefined();
      const { nodeId, vcpu, memoryMib, diskGib } = claim!;
      const before = sums.get(nodeId) ?? [0, 0, 0];
      sums.set(
        nodeId,
        [vcpu, memoryMib, diskGib].map((n, i) => n + before[i]!),
      );
      gpus.push(...claim!.gpus.map((gpu) => `${nodeId} ${gpu}`));
    }
    const taken: string[] = [];
    for (const { id } of await tx.nodes.all()) {
      const { vcpu, memoryMib, diskGib, ...devices } = await tx.claims.ofNode(id);
      expect([vcpu, memoryMib, diskGib]).toEqual(sums.get(id) ?? [0, 0, 0]);
      taken.push(...devices.gpus.map(({ deviceId }) => `${id} ${deviceId}`));
      for (const { instanceId } of [...devices.gpus, ...devices.vfs])
        expect(owners).toContain(instanceId);
    }
    expect(taken.sort()).toEqual(gpus.sort());
    const used = new Map((await tx.account(ALICE).quotas.counts()).map((c) => [c.subject, c.used]));
    expect(used.get("holds") ?? 0).toBe(holds.length);
    expect(used.get("instances") ?? 0).toBe(instances.length);
    const kept = [...(await fleetViewOf(made.ctx).upToDate(tx)).nodes()].map(seen).sort();
    const { store, leases } = made.ctx;
    const fresh = [...(await new FleetView(store, leases).upToDate(tx)).nodes()].map(seen).sort();
    expect(kept).toEqual(fresh);
  });
}

function seen(node: { nodeId: string; free: number; vcpu: number; memoryMib: number }): string {
  return `${node.nodeId} ${node.free} ${node.vcpu} ${node.memoryMib}`;
}

async function nothingLeft(world: World, before: unknown): Promise<void> {
  const { made } = world;
  for (const node of NODES) await changeNode(made, node, { cordoned: false });
  await made.clock.advance(10 * MINUTE_MS);
  await expireHolds(made.ctx);
  for (const found of (await living(world)).instances) await remove(world, found);
  expect(await counted(made)).toEqual(before);
  expect(await made.ctx.store.read((tx) => tx.railSets.of(world.networkId, PAIR))).toBeUndefined();
}

test("whatever holds and batches go through, what is claimed is what lives", async () => {
  const anySteps = fc.array(anyStep, { minLength: 4, maxLength: 14 });
  const property = fc.asyncProperty(anySteps, async (steps) => {
    const made = await gangRig(2, 2);
    const world = { made, ...(await made.network()) };
    const before = await counted(made);
    try {
      for (const step of steps) {
        await act(world, step).catch((err: unknown) => {
          if (!(err instanceof RailyardError) || err.code === "bug") throw err;
        });
        await balanced(world);
      }
      await nothingLeft(world, before);
    } finally {
      await made.ctx.store.close();
    }
  });
  await fc.assert(property, { numRuns: 25 });
});

test.each([0, 3])(
  "when %i claims beside one are lost, a hold is used up whole or stays",
  async (n) => {
    for (let first = 1; first <= 6; first++) {
      const made = await gangRig(2, 2);
      const world = { made, ...(await made.network()) };
      const { id } = await hold(made, shape(world.networkId, { count: 3, spares: 1 }));
      const before = await counted(made);
      const asked = batchWish(world.subnetId, 3, { holdId: id });
      const done = await batch(losing(made, first, first + n), asked).then(
        () => "used",
        ({ reason }) => reason,
      );
      await balanced(world);
      if (done === "used") expect((await counted(made)).holds).toBe(false);
      else expect(await counted(made)).toEqual(before);
      expect(["used", "CAPACITY", "LOST_RACE"]).toContain(done);
    }
  },
);
