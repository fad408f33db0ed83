// The view of the fleet that the controller keeps, against one read afresh: after any writes, also
// those that were rolled back, and in the middle of a transaction that claims.

import type { FleetIndex } from "@railyard/controller/placement/fleet-index";
import { FleetView, fleetViewOf } from "@railyard/controller/service/fleet-view";
import type { WriteTx } from "@railyard/controller/store/contract";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { addNode, type Rig, rig } from "../tenant/rig.js";

const NODES = 4;
const LEASE_MS = 3_600_000;

const anyStep = fc.oneof(
  fc.record({ do: fc.constantFrom("claim", "place"), n: fc.nat(NODES - 1), i: fc.nat(5) }),
  fc.record({ do: fc.constant("release"), n: fc.constant(0), i: fc.nat(5) }),
  fc.record({ do: fc.constant("cordon"), n: fc.nat(NODES - 1), i: fc.nat(1) }),
  fc.record({ do: fc.constant("sicken"), n: fc.nat(NODES - 1), i: fc.nat(7) }),
  fc.record({ do: fc.constantFrom("beat", "forget"), n: fc.nat(NODES - 1), i: fc.constant(0) }),
  fc.record({ do: fc.constant("hardware"), n: fc.constant(0), i: fc.nat(2) }),
);
type Step = { readonly do: string; readonly n: number; readonly i: number };
const anyPart = fc.record({
  steps: fc.array(anyStep, { maxLength: 4 }),
  ends: fc.constantFrom("kept", "kept", "undone"),
  looks: fc.boolean(),
});

/** Everything the index answers from, node by node and group by group. */
function shown(index: FleetIndex) {
  const nodes = Array.from(index.nodes(), (node) => {
    const { nodeId, eligible, leaseFresh, inventoryMatches, healthy, free } = node;
    const { vcpu, memoryMib, diskGib } = node;
    const facts = { eligible, leaseFresh, inventoryMatches, healthy, free, vcpu, memoryMib };
    return [nodeId, { ...facts, diskGib, make: node.make, group: node.group.key }] as const;
  });
  const groups = index.groups().map(({ key, started, wholeFree, rows, position }) => {
    return { key, started, wholeFree, position, nodes: rows.length };
  });
  return { nodes: new Map([...nodes].sort()), groups };
}

async function asFresh(made: Rig): Promise<void> {
  const { store, leases } = made.ctx;
  await store.read(async (tx) => {
    const kept = shown(await fleetViewOf(made.ctx).upToDate(tx));
    expect(kept).toEqual(shown(await new FleetView(store, leases).upToDate(tx)));
  });
}

class Undone extends Error {}

function beat({ ctx }: Rig, node: NodeId): void {
  const pulse = { epoch: 1n, acceptedGeneration: 0n, appliedGeneration: 0n, digest: "" };
  ctx.leases.beat(node, { session: `ses-${node}`, ...pulse });
}

async function act(made: Rig, tx: WriteTx, { do: what, n, i }: Step): Promise<void> {
  const nodeId = `node-${n}` as NodeId;
  const instanceId = `ins-${i}` as InstanceId;
  const node = await tx.nodes.get(nodeId);
  if (what === "release") return tx.claims.release(instanceId);
  if (what === "beat") return beat(made, nodeId);
  if (what === "forget") return made.ctx.leases.forget(nodeId);
  if (what === "hardware") {
    const kind = (await tx.hardware.get("hgx-h100"))!;
    return tx.hardware.put({ ...kind, fabricManager: i === 1, vcpu: 190 + i });
  }
  if (!node) return;
  if (what === "cordon") return tx.nodes.update({ ...node, cordoned: i === 1 });
  if (what === "sicken") {
    const pairs = node.pairs.map((pair) => ({ ...pair, healthy: pair.rail !== i }));
    return tx.nodes.update({ ...node, pairs });
  }
  if (await tx.claims.ofInstance(instanceId)) return;
  const amounts = { vcpu: 8, memoryMib: 64, diskGib: 1 };
  const vfs = [{ nic: `nic-${i}`, vf: 0, attachmentId: "cna-1" as never }];
  const claim = { nodeId, instanceId, gpus: [`gpu-${i}`], vfs, ...amounts };
  const view = fleetViewOf(made.ctx);
  const before = await view.node(tx, nodeId);
  const isTaken = await tx.claims.claim(claim).then(
    () => true,
    () => false,
  );
  if (isTaken && what === "place" && before) view.claimed(before, claim);
}

test("the kept view equals one read afresh after any writes, kept or undone", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyPart, { maxLength: 6 }), async (parts) => {
      const made = await rig({ nodes: NODES });
      await asFresh(made);
      // All at once: they share commits.
      const written = parts.map(({ steps, ends, looks }) =>
        made.write(async (tx) => {
          for (const step of steps) {
            await act(made, tx, step);
            if (looks) await fleetViewOf(made.ctx).upToDate(tx);
          }
          if (ends === "undone") throw new Undone();
        }),
      );
      const ended = await Promise.allSettled(written);
      for (const end of ended)
        if (end.status === "rejected") expect(end.reason).toBeInstanceOf(Undone);
      await asFresh(made);
      await made.ctx.store.close();
    }),
    { numRuns: 40 },
  );
});

test("a lease that runs out, and one that begins, show without any write", async () => {
  const made = await rig({ nodes: 2 });
  await asFresh(made);
  await made.clock.advance(LEASE_MS + 1);
  const alive = () =>
    made.ctx.store.read(async (tx) =>
      Array.from((await fleetViewOf(made.ctx).upToDate(tx)).nodes(), (node) => node.leaseFresh),
    );
  expect(await alive()).toEqual([false, false]);
  beat(made, "node-1" as NodeId);
  expect((await alive()).filter(Boolean)).toEqual([true]);
  await asFresh(made);
  await made.ctx.store.close();
});

test("nodes that come and go come into the view and leave it", async () => {
  const made = await rig({ nodes: 1 });
  await asFresh(made);
  await addNode(made, "node-9");
  await asFresh(made);
  await made.write((tx) => tx.nodes.delete("node-9" as NodeId));
  await asFresh(made);
  await made.ctx.store.close();
});

test("who is heard again is alive, although nobody looked when its lease ran out", async () => {
  const made = await rig({ nodes: 2 });
  const { ctx, clock } = made;
  const view = fleetViewOf(ctx);
  const node = "node-1" as NodeId;
  const isAlive = () => ctx.store.read(async (tx) => (await view.node(tx, node))?.leaseFresh);
  await asFresh(made);
  await clock.advance(LEASE_MS + 1);
  expect(await isAlive()).toBe(false);
  beat(made, node);
  expect(await isAlive()).toBe(true);
  await asFresh(made);
  await ctx.store.close();
});

test("a lease that begins or ends costs no reading of its node", async () => {
  const made = await rig({ nodes: 3 });
  const { ctx, clock } = made;
  await asFresh(made);
  const reads = vi.fn();
  const looked = () =>
    ctx.store.read(async (tx) => {
      const nodes = new Proxy(tx.nodes, {
        get(of, name) {
          if (name === "get") reads();
          const member = Reflect.get(of, name);
          return typeof member === "function" ? member.bind(of) : member;
        },
      });
      const fleet = await fleetViewOf(ctx).upToDate({ ...tx, nodes, claims: tx.claims });
      return Array.from(fleet.nodes(), ({ leaseFresh }) => leaseFresh);
    });
  await clock.advance(LEASE_MS + 1);
  expect(await looked()).toEqual([false, false, false]);
  beat(made, "node-1" as NodeId);
  expect((await looked()).filter(Boolean)).toEqual([true]);
  expect(reads).not.toHaveBeenCalled();
  await asFresh(made);
  await ctx.store.close();
});
