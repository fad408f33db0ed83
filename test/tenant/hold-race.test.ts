// A hold's time runs out while many calls are under way: those that use it up, sweep it or give it
// back, and those that only want room. Whatever comes first, room is had once.
import { deleteHold, expireHolds } from "@railyard/controller/service/hold";
import type { HoldId, SubnetId } from "@railyard/lib/ids";
import { seededRng } from "@railyard/lib/rng";
import { expect, test } from "vitest";
import { batch, batchWish, counted, gangRig, hold, shape } from "./gang-rig.js";
import { instance, instanceWish, type Rig } from "./rig.js";

const NODES = 4;
const TTL_MS = 60_000;

/** What became of a call: the reason when it was refused. */
async function told(asked: Promise<string>): Promise<string> {
  return asked.catch(({ reason }) => String(reason));
}

function callsOn(made: Rig, { id, subnetId }: { id: HoldId; subnetId: SubnetId }) {
  const use = () => batch(made, batchWish(subnetId, 2, { holdId: id })).then(() => "used");
  const gang = () => batch(made, batchWish(subnetId, 2)).then(() => "gang placed");
  const create = () => instance(made, instanceWish(subnetId)).then(({ status }) => status);
  const drop = () => deleteHold(made.ctx, made.call(), { id, etag: "" }).then(() => "dropped");
  const sweep = () => expireHolds(made.ctx).then((ended) => `${ended} swept`);
  const all = [use, use, drop, sweep, sweep, gang, gang, ...Array(9).fill(create)];
  return { create, all: all as readonly (() => Promise<string>)[] };
}

/** All of it in an order of its own; the time is over somewhere in between. */
async function raced(made: Rig, calls: readonly (() => Promise<string>)[], seed: number) {
  const rng = seededRng(`race ${seed}`);
  const over = async () => void (await made.clock.advance(1));
  const steps = [...calls.map((call) => ({ call })), { over }];
  const order = steps.map((step) => ({ step, at: rng.int(1_000_000) }));
  const said: Promise<string>[] = [];
  for (const { step } of order.sort((a, b) => a.at - b.at)) {
    if ("over" in step) await step.over();
    else said.push(told(step.call()));
  }
  return Promise.all(said);
}

async function placedOn(made: Rig) {
  const { account } = made.read();
  const all = { filter: {}, limit: 100 };
  const { rows } = await made.ctx.store.read((tx) => tx.account(account).instances.list(all));
  return rows.flatMap(({ placement }) => placement?.nodeId ?? []).sort();
}

test("however a hold ends while others create, its room is had once and all of it", async () => {
  const ends = new Set<string>();
  for (let seed = 0; seed < 14; seed++) {
    const made = await gangRig(2, 2);
    const { subnetId, networkId } = await made.network();
    const { id } = await hold(made, shape(networkId, { count: 2, spares: 1 }), { ttlMs: TTL_MS });
    await made.clock.advance(TTL_MS - 1);
    const { all, create } = callsOn(made, { id, subnetId });
    const said = await raced(made, all, seed);
    const end = said.filter((one) => /^(used|dropped|1 swept)$/.test(one));
    // One of them had it; when none did its time was over before any sweep looked.
    expect(end.length).toBeLessThanOrEqual(1);
    ends.add(end[0] ?? "none");
    expect((await expireHolds(made.ctx)) + end.length).toBe(1);
    const placed = await placedOn(made);
    expect(new Set(placed).size).toBe(placed.length);
    const { claims, used, holds } = await counted(made);
    expect(claims.map(({ nodeId }) => nodeId).sort()).toEqual(placed);
    expect([holds, used]).toEqual([false, expect.arrayContaining(["holds 0"])]);
    for (let left = NODES - placed.length; left > 0; left--)
      expect(await create()).toBe("starting");
    expect(await create()).toBe("failed");
    await made.ctx.store.close();
  }
  for (const end of ["used", "dropped", "1 swept"]) expect(ends).toContain(end);
});
