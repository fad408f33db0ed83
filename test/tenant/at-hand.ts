// What the store has at hand of instances, held against what a reading transaction finds.
import type { InstanceId } from "@railyard/lib/ids";
import { expect } from "vitest";
import { ALICE, type Rig } from "./rig.js";

/** What is at hand is what is read; afterwards every instance of ALICE is at hand. */
export async function expectAtHand({ ctx: { store } }: Rig): Promise<void> {
  const read = await store.read(async (tx) => {
    const all = await tx.account(ALICE).instances.listShown({ filter: {}, limit: 100 });
    return (all?.rows ?? []).map(({ id, object }) => ({ id: id as InstanceId, object }));
  });
  for (const { id, object } of read) {
    const shown = store.shownInstance(ALICE, id);
    expect(Buffer.from((await shown) ?? []).equals(object)).toBe(true);
    expect(store.shownInstance(ALICE, id)).toBeInstanceOf(Uint8Array);
  }
}
