// Several writers: one places by a view of the fleet that does not know yet what another has taken.
// The store refuses the claim, the loser looks again, and what it answers then is true.
import { checkCapacity } from "@railyard/controller/service/capacity";
import type { Store } from "@railyard/controller/store/contract";
import type { ClusterNetworkId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import {
  batch,
  batchWish,
  counted,
  gangRig,
  hold,
  losing,
  PAIR,
  SMALL,
  shape,
} from "./gang-rig.js";
import { instance, instanceWish, type Rig, refusal } from "./rig.js";

interface Lagging {
  readonly made: Rig;
  /** What happens meanwhile is not heard of. */
  unheard<T>(happens: () => Promise<T>): Promise<T>;
}

/** The same rig behind a second view of the fleet, which may be behind the store. */
function lagging(made: Rig): Lagging {
  const { store } = made.ctx;
  let deaf = false;
  const onTouch: Store["onTouch"] = (tell) =>
    store.onTouch((touched) => {
      if (!deaf) tell(touched);
    });
  const behind = Object.assign(Object.create(store), { onTouch });
  return {
    made: { ...made, ctx: { ...made.ctx, store: behind } },
    unheard: async (happens) => {
      deaf = true;
      const done = await happens();
      deaf = false;
      return done;
    },
  };
}

/** The view is brought up to date: all nodes are as they are now. */
async function look(made: Rig, networkId: ClusterNetworkId): Promise<void> {
  await checkCapacity(made.ctx, made.read(), shape(networkId));
}

/** Two nodes, all known to the view that lags; one of them has been taken since. */
async function overtaken() {
  const made = await gangRig(2);
  const { subnetId, networkId } = await made.network();
  const late = lagging(made);
  await look(late.made, networkId);
  await late.unheard(() => instance(made, instanceWish(subnetId)));
  return { made, late: late.made, subnetId, networkId };
}

test("what lost its node to another writer is placed on the other one", async () => {
  const { late, subnetId } = await overtaken();
  for (const status of ["starting", "failed"]) {
    expect(await instance(late, instanceWish(subnetId))).toMatchObject({ status });
  }
});

test("a gang that lost all that was left is told how many fit, and why no more", async () => {
  const { made, late, subnetId, networkId } = await overtaken();
  const before = await counted(made);
  const short = { asked: "2", fit: "1", short: "gpu", waiting_can_help: "true" };
  for (const asked of [
    batch(late, batchWish(subnetId, 2)),
    hold(late, shape(networkId, { count: 2 })),
  ]) {
    const refused = await refusal(asked);
    expect(refused).toMatchObject({ reason: "CAPACITY", parts: { metadata: short } });
    expect(refused.message).not.toContain("user data");
    expect(JSON.stringify([refused.message, refused.parts])).not.toMatch(/secret|node-|su\d/);
  }
  expect(await counted(made)).toEqual(before);
});

test("a node of which only a part was lost is looked at again", async () => {
  const made = await gangRig(1);
  const { subnetId, networkId } = await made.network();
  const wish = instanceWish(subnetId, { profile: PAIR, count: 0 });
  const late = lagging(made);
  await look(late.made, networkId);
  await late.unheard(() => instance(made, wish));
  for (const status of ["starting", "starting", "starting", "failed"]) {
    expect(await instance(late.made, wish)).toMatchObject({ status });
  }
  const asked = batchWish(subnetId, 2, { profile: SMALL, attachments: 0 });
  expect(await batch(late.made, asked)).toHaveLength(2);
});

test("as long as there is room a lost race is never said to be a lack of it", async () => {
  const made = await gangRig(2);
  const { subnetId, networkId } = await made.network();
  const before = await counted(made);
  const unlucky = losing(made, 1, 100);
  for (const asked of [
    batch(unlucky, batchWish(subnetId, 2)),
    hold(unlucky, shape(networkId, { count: 2 })),
    instance(unlucky, instanceWish(subnetId)),
  ]) {
    expect((await refusal(asked)).reason).toBe("LOST_RACE");
  }
  expect(await counted(made)).toEqual(before);
  expect(await batch(losing(made, 1, 4), batchWish(subnetId, 2))).toHaveLength(2);
});
