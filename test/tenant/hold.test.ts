// Holds: room that nobody else gets, used up whole, and gone when its time is over.
import { checkCapacity } from "@railyard/controller/service/capacity";
import {
  createNetwork,
  deleteNetwork,
  updateNetwork,
} from "@railyard/controller/service/cluster-network";
import { deleteHold, expireHolds, getHold, listHolds } from "@railyard/controller/service/hold";
import { HOLDS_ENDED_MAX } from "@railyard/controller/service/hold-rooms";
import type { HoldId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import {
  addNodeIn,
  batch,
  batchWish,
  changeNode,
  counted,
  gangRig,
  HOUR_MS,
  hold,
  PAIR,
  shape,
} from "./gang-rig.js";
import {
  BOB,
  fieldsOf,
  H200,
  instance,
  instanceWish,
  networkWish,
  type Rig,
  refusal,
  rig,
} from "./rig.js";

const get = (made: Rig, id: HoldId) => getHold(made.ctx, made.read(), id);
const list = (made: Rig) => listHolds(made.ctx, made.read(), { limit: 100 });
const drop = (made: Rig, id: HoldId, over = {}) =>
  deleteHold(made.ctx, made.call(over), { id, etag: "" });

test("held room is nobody else's, until it is given back", async () => {
  const made = await gangRig(3);
  const { subnetId, networkId } = await made.network();
  const before = await counted(made);
  const made2 = await hold(made, shape(networkId, { count: 2 }));
  expect(made2).toMatchObject({ count: 2, attachmentCount: 8, leafGroupSpans: [2] });
  const refused = await refusal(batch(made, batchWish(subnetId, 2)));
  expect(refused.parts.metadata).toMatchObject({ fit: "1", waiting_can_help: "true" });
  expect((await instance(made, instanceWish(subnetId))).status).toBe("starting");
  expect((await instance(made, instanceWish(subnetId))).status).toBe("failed");
  await drop(made, made2.id);
  expect((await refusal(get(made, made2.id))).code).toBe("notFound");
  expect((await counted(made)).claims.length).toBe(before.claims.length + 1);
});

test("room is held once: for each member its GPUs, and what it needs beside them", async () => {
  const made = await gangRig(2);
  const { networkId } = await made.network();
  await hold(made, shape(networkId, { count: 1, spares: 1 }));
  const { claims, used } = await counted(made);
  expect(claims.map(({ gpus, vfs, vcpu }) => [gpus.length, vfs.length, vcpu])).toEqual([
    [8, 0, 160],
    [8, 0, 160],
  ]);
  expect(used).toContain("holds 1");
});

test("spans say how close members are, spares included, and not where", async () => {
  const made = await gangRig(2, 3);
  const { networkId } = await made.network();
  const held = await hold(made, shape(networkId, { count: 4, spares: 1 }));
  expect(held.leafGroupSpans).toEqual([3, 2]);
});

test("a hold that does not fit leaves nothing behind", async () => {
  const made = await gangRig(2, 1);
  const { networkId } = await made.network();
  const before = await counted(made);
  const asked = shape(networkId, { count: 2, spares: 1, maxLeafGroups: 1 });
  const refused = await refusal(hold(made, asked));
  expect([refused.reason, refused.parts.metadata?.short]).toEqual(["CAPACITY", "compactness"]);
  expect(await counted(made)).toEqual(before);
  await hold(made, { ...asked, maxLeafGroups: 2 }, { validateOnly: true });
  expect(await counted(made)).toEqual(before);
});

test("a batch uses the hold up, on the nodes that were held, and spares go back", async () => {
  const made = await gangRig(2, 2);
  const { subnetId, networkId } = await made.network();
  const { id } = await hold(made, shape(networkId, { count: 2, spares: 1, maxLeafGroups: 2 }));
  const held = (await counted(made)).claims.map(({ nodeId }) => nodeId);
  const members = await batch(made, batchWish(subnetId, 2, { holdId: id }));
  for (const { placement } of members) expect(held).toContain(placement?.nodeId);
  const { claims, used, holds } = await counted(made);
  expect([claims.length, holds, used]).toEqual([2, false, expect.arrayContaining(["holds 0"])]);
  const again = await refusal(batch(made, batchWish(subnetId, 1, { holdId: id })));
  expect([again.code, again.reason]).toEqual(["precondition", "HOLD_CONSUMED"]);
  expect((await refusal(get(made, id))).code).toBe("notFound");
});

test("a batch may take the spares as well, but no more", async () => {
  const made = await gangRig(3);
  const { subnetId, networkId } = await made.network();
  const { id } = await hold(made, shape(networkId, { count: 1, spares: 1 }));
  const refused = await refusal(batch(made, batchWish(subnetId, 3, { holdId: id })));
  expect([refused.reason, fieldsOf(refused)]).toEqual(["HOLD_MISMATCH", ["count"]]);
  expect(await batch(made, batchWish(subnetId, 2, { holdId: id }))).toHaveLength(2);
});

test("a batch of another shape does not get the hold, and is told all that differs", async () => {
  const made = await gangRig(3);
  const { networkId } = await made.network();
  const other = await made.network();
  const { id } = await hold(made, shape(networkId, { count: 1, maxLeafGroups: 2 }));
  const asked = { holdId: id, profile: PAIR, attachments: 4, maxLeafGroups: 1, segmentSize: 1 };
  const refused = await refusal(batch(made, batchWish(other.subnetId, 2, asked)));
  expect([refused.code, refused.reason]).toEqual(["precondition", "HOLD_MISMATCH"]);
  const attachments = "template.cluster_network_attachments";
  expect(fieldsOf(refused)).toEqual([
    ...["count", "template.profile", attachments, attachments],
    ...["max_leaf_groups", "segment_size"],
  ]);
  expect((await get(made, id)).hold.id).toBe(id);
});

test("a member whose node was lost takes a spare, or moves, or the hold stays", async () => {
  const made = await gangRig(3);
  const { subnetId, networkId } = await made.network();
  const one = await hold(made, shape(networkId, { count: 1, spares: 1 }));
  const [first] = (await counted(made)).claims;
  await changeNode(made, first!.nodeId, { cordoned: true });
  const [moved] = await batch(made, batchWish(subnetId, 1, { holdId: one.id }));
  expect(moved?.placement?.nodeId).not.toBe(first!.nodeId);
  // One node is cordoned, one has the instance: the third is held, then cordoned.
  const two = await hold(made, shape(networkId));
  const lost = (await counted(made)).claims.find(({ vfs }) => vfs.length === 0)!.nodeId;
  await changeNode(made, lost, { cordoned: true });
  const before = await counted(made);
  const refused = await refusal(batch(made, batchWish(subnetId, 1, { holdId: two.id })));
  expect(refused.reason).toBe("CAPACITY");
  expect(await counted(made)).toEqual(before);
  expect((await get(made, two.id)).hold.id).toBe(two.id);
  await addNodeIn(made, "node-new", "su9");
  const [last] = await batch(made, batchWish(subnetId, 1, { holdId: two.id }));
  expect(last?.placement?.nodeId).toBe("node-new");
});

test("segments stay whole when spares step in", async () => {
  const made = await gangRig(3, 3);
  const { subnetId, networkId } = await made.network();
  const held = await hold(made, shape(networkId, { count: 3, spares: 2, segmentSize: 2 }));
  await changeNode(made, "node-0-0", { cordoned: true });
  const members = await batch(made, batchWish(subnetId, 3, { holdId: held.id }));
  const groups = members.map(({ placement }) => placement?.nodeId.slice(0, 6));
  expect(groups[0]).toBe(groups[1]);
  expect(members.every(({ placement }) => placement?.nodeId !== "node-0-0")).toBe(true);
});

test("held rails are kept by whoever comes while the hold lives", async () => {
  const made = await gangRig(1, 1);
  const { subnetId, networkId } = await made.network();
  const held = await hold(made, shape(networkId, { profile: PAIR, count: 1 }));
  expect(held).toMatchObject({
    attachmentCount: 2,
    rails: [expect.any(Number), expect.any(Number)],
  });
  const asked = { profile: PAIR, attachments: 2 };
  const [beside] = await batch(made, batchWish(subnetId, 1, asked));
  const [used] = await batch(made, batchWish(subnetId, 1, { ...asked, holdId: held.id }));
  const railsOf = (one: typeof beside) => one?.placement?.pairs.map(({ rail }) => rail);
  expect(railsOf(beside)).toEqual(held.rails);
  expect(railsOf(used)).toEqual(held.rails);
  expect(beside?.placement?.nodeId).not.toBe(used?.placement?.nodeId);
});

test("when its time is over a hold is gone for every reader, swept or not", async () => {
  const made = await gangRig(1);
  const { subnetId, networkId } = await made.network();
  const { id, expiresAt } = await hold(made, shape(networkId), { name: "one", ttlMs: 60_000 });
  expect(expiresAt).toBe(made.clock.now() + 60_000);
  await made.clock.advance(59_999);
  expect((await get(made, id)).hold.id).toBe(id);
  expect((await list(made)).total).toBe(1);
  await made.clock.advance(1);
  expect((await refusal(get(made, id))).code).toBe("notFound");
  expect((await refusal(drop(made, id))).code).toBe("notFound");
  expect(await list(made)).toEqual({ rows: [], total: 0, more: false });
  const late = batchWish(subnetId, 1, { holdId: id });
  expect((await refusal(batch(made, late))).reason).toBe("HOLD_EXPIRED");
  expect(await expireHolds(made.ctx)).toBe(1);
  expect(await expireHolds(made.ctx)).toBe(0);
  expect((await refusal(batch(made, late))).reason).toBe("HOLD_EXPIRED");
  expect((await counted(made)).claims).toEqual([]);
  await made.clock.advance(24 * HOUR_MS + 1);
  await made.write((tx) => tx.expire(made.clock.now()).then(() => undefined));
  expect((await refusal(batch(made, late))).code).toBe("notFound");
});

test("what a hold that is over still has is given to its owner's next hold", async () => {
  const made = await gangRig(1);
  const { networkId } = await made.network();
  await made.write((tx) => tx.account(made.read().account).quotas.setLimit("holds", 1));
  await hold(made, shape(networkId), { name: "one", ttlMs: 60_000 });
  expect((await refusal(hold(made, shape(networkId)))).reason).toBe("QUOTA_EXCEEDED");
  await made.clock.advance(60_000);
  expect((await hold(made, shape(networkId), { name: "one" })).name).toBe("one");
});

test.each([0, 1])("of using it up and its expiry exactly one wins, whichever is %i", async (n) => {
  const made = await gangRig(1);
  const { subnetId, networkId } = await made.network();
  const { id } = await hold(made, shape(networkId), { ttlMs: 60_000 });
  await made.clock.advance(60_000 - n);
  const use = batch(made, batchWish(subnetId, 1, { holdId: id })).then(
    () => "used",
    ({ reason }) => reason,
  );
  const expiry = made.clock.advance(n).then(() => expireHolds(made.ctx));
  const [used, expired] = await Promise.all([use, expiry]);
  expect([used, expired]).toEqual(n === 0 ? ["HOLD_EXPIRED", 1] : ["used", 0]);
  expect((await counted(made)).claims).toHaveLength(n);
  expect((await counted(made)).used).toContain("holds 0");
});

test("a network with a hold is deleted by cascade, or once the hold's time is over", async () => {
  const made = await gangRig(1);
  for (const cascade of [true, false]) {
    const { network } = await createNetwork(made.ctx, made.call(), networkWish());
    const { id } = await hold(made, shape(network.id), { ttlMs: 60_000 });
    const remove = (how: boolean) =>
      deleteNetwork(made.ctx, made.call(), { id: network.id, etag: "", cascade: how });
    const refused = await refusal(remove(false));
    expect(refused.reason).toBe("CLUSTER_NETWORK_IN_USE_HOLD_EXISTS");
    expect(refused.parts.holders).toEqual([{ type: "hold", id }]);
    if (!cascade) await made.clock.advance(60_000);
    expect((await remove(cascade)).network.id).toBe(network.id);
    const { claims, used } = await counted(made);
    expect([claims, used]).toEqual([[], expect.arrayContaining(["holds 0"])]);
  }
});

test("a network is deleted with however many holds whose time is over", async () => {
  const made = await gangRig(HOLDS_ENDED_MAX + 1);
  const { networkId } = await made.network();
  await made.write((tx) => tx.account(made.read().account).quotas.setLimit("holds", 1_000));
  for (let i = 0; i <= HOLDS_ENDED_MAX; i++) {
    await hold(made, shape(networkId), { ttlMs: 60_000 });
  }
  await made.clock.advance(60_000);
  await deleteNetwork(made.ctx, made.call(), { id: networkId, etag: "", cascade: true });
  const { claims, used } = await counted(made);
  expect([claims, used]).toEqual([[], expect.arrayContaining(["holds 0"])]);
});

test("of those that use one hold up at once exactly one does", async () => {
  const made = await gangRig(4);
  const { subnetId, networkId } = await made.network();
  const { id } = await hold(made, shape(networkId, { count: 2 }));
  const use = () =>
    batch(made, batchWish(subnetId, 2, { holdId: id })).then(
      () => "used",
      ({ reason }) => reason,
    );
  const said = await Promise.all([use(), use(), use()]);
  expect(said.sort()).toEqual(["HOLD_CONSUMED", "HOLD_CONSUMED", "used"]);
  expect((await counted(made)).claims).toHaveLength(2);
});

test("a batch that ends short of addresses leaves its hold as it was", async () => {
  const made = await gangRig(3);
  const { networkId, subnetId } = await made.network();
  const { id } = await hold(made, shape(networkId, { count: 2, spares: 1 }));
  const { account } = made.read();
  await made.write((tx) => tx.account(account).quotas.setLimit("reserved-ips", 15));
  const before = await counted(made);
  const asked = batchWish(subnetId, 2, { holdId: id });
  expect((await refusal(batch(made, asked))).reason).toBe("QUOTA_EXCEEDED");
  expect(await counted(made)).toEqual(before);
  await made.write((tx) => tx.account(account).quotas.setLimit("reserved-ips", 16));
  expect(await batch(made, asked, { validateOnly: true })).toHaveLength(2);
  expect(await counted(made)).toEqual(before);
  expect(await batch(made, asked)).toHaveLength(2);
});

test("a network with a hold stays where it is, and moves once the hold is gone", async () => {
  const made = await gangRig(1);
  await addNodeIn(made, "node-b", "su1");
  await made.write(async (tx) => {
    const kind = (await tx.hardware.get("hgx-h100"))!;
    await tx.hardware.put({ ...kind, name: "hgx-h200", gpus: { ...kind.gpus, model: "H200" } });
    const network = (await tx.profiles.clusterNetwork("hopper-1"))!;
    const instanceProfiles = [...network.instanceProfiles, H200];
    await tx.profiles.putClusterNetwork({ ...network, instanceProfiles });
  });
  await changeNode(made, "node-b", { hardware: "hgx-h200", physicalClusterId: "pc-secret-b" });
  const { subnetId, networkId } = await made.network();
  const { id } = await hold(made, shape(networkId));
  const asked = batchWish(subnetId, 1, { profile: H200 });
  const ask = () => checkCapacity(made.ctx, made.read(), shape(networkId, { profile: H200 }));
  expect(await ask()).toMatchObject({ fits: false, waitingCanHelp: false });
  expect((await refusal(batch(made, asked))).parts.metadata?.waiting_can_help).toBe("false");
  await drop(made, id);
  expect(await ask()).toMatchObject({ fits: true });
  const [moved] = await batch(made, asked);
  expect(moved?.placement?.nodeId).toBe("node-b");
});

test("another account's hold answers like a missing one", async () => {
  const made = await gangRig(1);
  const { networkId } = await made.network();
  const { id } = await hold(made, shape(networkId));
  const theirs = made.read(BOB);
  const missing = "hold-none" as HoldId;
  const said = await refusal(getHold(made.ctx, theirs, id));
  const wanted = await refusal(getHold(made.ctx, theirs, missing));
  expect(said.message.replace(id, "")).toBe(wanted.message.replace(missing, ""));
  expect((await listHolds(made.ctx, theirs, { limit: 10 })).total).toBe(0);
  const dropped = refusal(deleteHold(made.ctx, made.call({ account: BOB }), { id, etag: "" }));
  expect((await dropped).code).toBe("notFound");
});

test("every bad field of a shape is named at once", async () => {
  const made = await rig();
  const { networkId } = await made.network();
  const none = await refusal(hold(made, shape("cn-none" as never, { profile: "none" })));
  expect([none.code, fieldsOf(none)]).toEqual([
    "notFound",
    ["shape.cluster_network_id", "shape.instance_profile"],
  ]);
  const count = await refusal(hold(made, shape(networkId, { attachmentCount: 3 }), { name: "-" }));
  expect(fieldsOf(count)).toEqual(["name", "shape.attachment_count"]);
});

test("holds are listed newest first, page by page", async () => {
  const made = await gangRig(3);
  const { networkId } = await made.network();
  for (const name of ["one", "two", "three"]) {
    await hold(made, shape(networkId), { name });
    await made.clock.advance(1);
  }
  const first = await listHolds(made.ctx, made.read(), { limit: 2 });
  expect([first.rows.map((row) => row.hold.name), first.total, first.more]).toEqual([
    ["three", "two"],
    ...[3, true],
  ]);
  const after = first.rows[1]!.hold;
  const rest = await listHolds(made.ctx, made.read(), { limit: 2, after });
  expect([rest.rows.map((row) => row.hold.name), rest.total, rest.more]).toEqual([
    ["one"],
    ...[3, false],
  ]);
});

test("a capacity check says what a hold or a batch would find", async () => {
  const made = await gangRig(2, 2);
  const { networkId } = await made.network();
  const ask = (over: object) => checkCapacity(made.ctx, made.read(), shape(networkId, over));
  const before = await made.ctx.store.revision();
  expect(await ask({ count: 3, spares: 1 })).toEqual({ fits: true, asked: 4, spans: [2, 2] });
  const short = await ask({ count: 3, maxLeafGroups: 1 });
  expect(short).toMatchObject({ fits: false, asked: 3, fit: 2, waitingCanHelp: false });
  expect(short).toMatchObject({ shortfalls: [{ resource: "compactness" }] });
  expect(await made.ctx.store.revision()).toBe(before);
});

/** Kinds and operations of the newest row of the account's log. */
function newest(made: Rig) {
  return made.ctx.store.read(async (tx) => {
    const { account } = made.read();
    const { newest: at } = await tx.logs.accountLog(account);
    const [row] = await tx.logs.accountChangesAfter(account, at - 1n, { rows: 1 });
    return row?.entries.map(({ kind, op }) => `${kind} ${op}`).sort();
  });
}

test("whoever watches is told of a hold when its network is renamed", async () => {
  const made = await gangRig(1);
  const { networkId: id } = await made.network();
  await hold(made, shape(id));
  expect(await newest(made)).toEqual(["hold created"]);
  const rename = { id, etag: "", mask: ["name"], name: "other" };
  await updateNetwork(made.ctx, made.call(), rename);
  expect(await newest(made)).toEqual(["clusterNetwork updated", "hold updated"]);
});

test("attachments that wait for rails show those that a hold fixes, while it lives", async () => {
  const made = await gangRig(1);
  const { subnetId, networkId } = await made.network();
  await changeNode(made, "node-0-0", { cordoned: true });
  const asked = instanceWish(subnetId, { profile: PAIR, count: 2 });
  expect((await instance(made, asked)).status).toBe("failed");
  await changeNode(made, "node-0-0", { cordoned: false });
  const { id } = await hold(made, shape(networkId, { profile: PAIR }));
  const both = ["attachment updated", "attachment updated"];
  expect(await newest(made)).toEqual([...both, "hold created"]);
  await drop(made, id);
  expect(await newest(made)).toEqual([...both, "hold deleted"]);
});
