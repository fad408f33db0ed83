// Node generations and the outbox: one rise per transaction, cleared by what the agent accepted.
import type { NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { OpenStore, StoreBox } from "./store.js";
import * as rows from "./store-rows.js";

const { cause } = rows;
const [FIRST, SECOND] = ["node-1" as NodeId, "node-2" as NodeId];

async function withNodes(open: OpenStore): Promise<StoreBox> {
  const box = await open();
  await box.store.write(cause(), async (tx) => {
    await tx.physicalClusters.insert(rows.cluster());
    for (const id of [FIRST, SECOND]) await tx.nodes.insert(rows.node(id));
  });
  return box;
}

/** raise, accepted, pending. */
export function outboxSuite(open: OpenStore): void {
  test("a transaction raises a node's generation once, however often it asks", async () => {
    const { store } = await withNodes(open);
    const raised = await store.write(cause(), async (tx) => [
      await tx.outbox.raise(FIRST),
      await tx.outbox.raise(FIRST),
      (await tx.nodes.get(FIRST))?.generation,
    ]);
    expect(raised).toEqual([1n, 1n, 1n]);
    expect(await store.write(cause(), (tx) => tx.outbox.raise(FIRST))).toBe(2n);
  });

  test("a failed transaction's rise never happened", async () => {
    const { store } = await withNodes(open);
    const failing = store.write(cause(), async (tx) => {
      await tx.outbox.raise(FIRST);
      throw new Error("planned");
    });
    await expect(failing).rejects.toThrow("planned");
    expect(await store.read((tx) => tx.outbox.pending())).toEqual([]);
    expect((await store.read((tx) => tx.nodes.get(FIRST)))?.generation).toBe(0n);
  });

  test("entries go when nothing newer was raised, and who waits longest comes first", async () => {
    const { store, reopen } = await withNodes(open);
    await store.write(cause(), (tx) => tx.outbox.raise(SECOND));
    await store.write(cause(), (tx) => tx.outbox.raise(FIRST));
    await store.write(cause(), (tx) => tx.outbox.raise(SECOND));
    const second = { nodeId: SECOND, generation: 2n };
    const first = { nodeId: FIRST, generation: 1n };
    expect(await store.read((tx) => tx.outbox.pending())).toEqual([second, first]);
    await store.write(cause(), (tx) => tx.outbox.accepted(SECOND, 1n));
    expect(await store.read((tx) => tx.outbox.pending())).toEqual([second, first]);
    await store.write(cause(), (tx) => tx.outbox.accepted(SECOND, 2n));
    const again = await reopen();
    expect(await again.read((tx) => tx.outbox.pending())).toEqual([first]);
    const node = await again.read((tx) => tx.nodes.get(SECOND));
    expect(node).toMatchObject({ generation: 2n, acceptedGeneration: 2n });
  });

  generationTests(open);
}

function generationTests(open: OpenStore): void {
  test("a node that was read before its rise shows it afterwards", async () => {
    const { store } = await withNodes(open);
    const seen = await store.write(cause(), async (tx) => {
      const generations = async () => {
        const node = await tx.nodes.get(FIRST);
        return [node?.generation, node?.acceptedGeneration];
      };
      const before = await generations();
      await tx.outbox.raise(FIRST);
      const raised = await generations();
      await tx.outbox.accepted(FIRST, 1n);
      return [before, raised, await generations()];
    });
    expect(seen).toEqual([
      [0n, 0n],
      [1n, 0n],
      [1n, 1n],
    ]);
    expect(await store.write(cause(), (tx) => tx.outbox.raise(FIRST))).toBe(2n);
  });

  test("an accepted generation never falls, nor passes what was raised", async () => {
    const { store } = await withNodes(open);
    await store.write(cause(), (tx) => tx.outbox.raise(FIRST));
    await store.write(cause(), (tx) => tx.outbox.raise(FIRST));
    await store.write(cause(), (tx) => tx.outbox.accepted(FIRST, 2n));
    await store.write(cause(), (tx) => tx.outbox.accepted(FIRST, 1n));
    expect((await store.read((tx) => tx.nodes.get(FIRST)))?.acceptedGeneration).toBe(2n);
    const ahead = store.write(cause(), (tx) => tx.outbox.accepted(FIRST, 3n));
    await expect(ahead).rejects.toMatchObject({ code: "bug" });
  });

  test("updating a node leaves both generations to the outbox", async () => {
    const { store } = await withNodes(open);
    await store.write(cause(), async (tx) => {
      const stale = rows.node(FIRST);
      await tx.outbox.raise(FIRST);
      await tx.nodes.update({ ...stale, cordoned: true, appliedGeneration: 1n });
    });
    expect(await store.read((tx) => tx.nodes.get(FIRST))).toMatchObject({
      cordoned: true,
      generation: 1n,
      acceptedGeneration: 0n,
      appliedGeneration: 1n,
    });
  });
}
