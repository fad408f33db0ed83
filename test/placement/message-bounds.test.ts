// The sums of what nodes' messages hold at most, as the controller keeps them, against sums made
// afresh: after any writes, also those that were rolled back, and in the middle of them.
import type { Instance } from "@railyard/controller/domain/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import { boundsOf, MessageBounds } from "@railyard/controller/service/message-bounds";
import type { WriteTx } from "@railyard/controller/store/contract";
import type { InstanceId, NodeId, SubnetId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { instanceWish, type Rig, rig } from "../tenant/rig.js";

const NODES = 3;
const anyStep = fc.record({
  i: fc.nat(5),
  /** Of a node; NODES: none, beyond: the instance goes. */
  to: fc.nat(NODES + 1),
  userData: fc.string({ maxLength: 40 }),
  phase: fc.constantFrom("present", "leaving"),
});
interface Step {
  readonly i: number;
  readonly to: number;
  readonly userData: string;
  readonly phase: "present" | "leaving";
}
const anyPart = fc.record({
  steps: fc.array(anyStep, { maxLength: 4 }),
  ends: fc.constantFrom("kept", "kept", "undone"),
  looks: fc.boolean(),
});

class Undone extends Error {}

function nodeAt(n: number): NodeId {
  return `node-${n}` as NodeId;
}

async function act(tx: WriteTx, like: Instance, { i, to, userData, phase }: Step): Promise<void> {
  const { instances } = tx.everyone;
  const id = `ins-${i}` as InstanceId;
  const there = await instances.get(id);
  if (to > NODES) return there && instances.delete(id);
  const at = { nodeId: nodeAt(to), pairs: [], phase, sinceGeneration: 1n };
  const placement = to < NODES ? at : undefined;
  const row = { ...like, id, name: `i-${i}`, spec: { ...like.spec, userData }, placement };
  return there ? instances.update(row) : instances.insert(row);
}

async function asFresh({ ctx: { store } }: Rig): Promise<void> {
  await store.read(async (tx) => {
    for (let n = 0; n < NODES; n++) {
      const kept = await boundsOf(store).ofNode(tx, nodeAt(n));
      expect(kept).toEqual(await new MessageBounds(store).ofNode(tx, nodeAt(n)));
    }
  });
}

test("the kept sums equal those made afresh after any writes, kept or undone", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyPart, { maxLength: 6 }), async (parts) => {
      const made = await rig({ nodes: NODES });
      const wish = instanceWish("" as SubnetId, { count: 0 });
      const { instance } = await createInstance(made.ctx, made.call(), wish);
      await asFresh(made);
      // All at once: they share commits.
      const written = parts.map(({ steps, ends, looks }) =>
        made.write(async (tx) => {
          for (const step of steps) {
            await act(tx, instance, step);
            if (looks) await boundsOf(made.ctx.store).ofNode(tx, nodeAt(step.i % NODES));
          }
          if (ends === "undone") throw new Undone();
        }),
      );
      for (const end of await Promise.allSettled(written)) {
        if (end.status === "rejected") expect(end.reason).toBeInstanceOf(Undone);
      }
      await asFresh(made);
      await made.ctx.store.close();
    }),
    { numRuns: 40 },
  );
});
