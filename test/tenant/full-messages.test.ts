// Nodes whose desired state, which travels as one message, has no room for more: placing, capacity
// checks, explanations and simulations all know of it, and say the same.

import type { Instance } from "@railyard/controller/domain/instance";
import { checkCapacity } from "@railyard/controller/service/capacity";
import { CROWDED_MAX } from "@railyard/controller/service/crowds";
import { proposeDefragmentation } from "@railyard/controller/service/defragmentation";
import { bytesOf, desiredNode } from "@railyard/controller/service/desired";
import { explainPlacement } from "@railyard/controller/service/explain";
import { startInstance } from "@railyard/controller/service/instance-start";
import type { InstanceId, SubnetId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  batch,
  batchWish,
  changeNode,
  counted,
  gangRig,
  hold,
  PAIR,
  SMALL,
  shape,
} from "./gang-rig.js";
import { instance, instanceWish, type Rig, refusal, seenGone, WHOLE } from "./rig.js";

/** Eleven of these fill a node's message of 960 KiB, and use less than half of its vCPUs. */
const HEAVY = { profile: SMALL, userData: "x".repeat(65_536) };
const PER_NODE = 11;
/** Beside those it leaves no room even for members without words. */
const REST = { userData: "x".repeat(11_000) };

const heavy = (subnetId: SubnetId) => instanceWish(subnetId, { ...HEAVY, count: 0 });
const explained = (made: Rig, instanceId: InstanceId) => explainPlacement(made.ctx, { instanceId });
const start = (made: Rig, id: InstanceId) =>
  startInstance(made.ctx, made.call(), { id, etag: "" }).then((view) => view.instance);

interface Filling {
  readonly nodes: number;
  readonly rest?: object;
}

/** Fills so many nodes, one after the other with all others cordoned; with `rest` to the brim. */
async function filled(made: Rig, subnetId: SubnetId, { nodes, rest }: Filling) {
  const all = await made.ctx.store.read((tx) => tx.nodes.all());
  for (const { id } of all) await changeNode(made, id, { cordoned: true });
  const asked = { ...HEAVY, attachments: 0 };
  const members = [];
  for (const { id } of all.slice(0, nodes)) {
    await changeNode(made, id, { cordoned: false });
    members.push(...(await batch(made, batchWish(subnetId, PER_NODE, asked))));
    if (rest) members.push(...(await batch(made, batchWish(subnetId, 1, { ...asked, ...rest }))));
    await changeNode(made, id, { cordoned: true });
  }
  for (const { id } of all) await changeNode(made, id, { cordoned: false });
  return members;
}

test("a full message is explained by its own rule, with changes that help", async () => {
  const made = await gangRig(1);
  const { subnetId } = await made.network();
  const [first] = await filled(made, subnetId, { nodes: 1 });
  const { id, status } = await instance(made, heavy(subnetId));
  expect(status).toBe("failed");
  const said = await explained(made, id);
  expect(said).toMatchObject({ asked: 1, fit: 0, explanation: { fitting: 0 } });
  expect(said.explanation.removed).toMatchObject([{ name: "messageFits", count: 1 }]);
  expect(said.explanation.rejected).toMatchObject([{ rules: ["messageFits"] }]);
  expect(said.changes).toMatchObject([{ kind: "more-nodes", count: 1 }]);
  expect((await start(made, id)).status).toBe("failed");
  await made.write(async (tx) => {
    const row = (await tx.everyone.instances.get(first!.id))!;
    const placement = { ...row.placement!, phase: "leaving" as const };
    await tx.everyone.instances.update({ ...row, status: "deleting", placement });
  });
  await seenGone(made, first!.id);
  expect((await explained(made, id)).explanation.trial.fits).toBe(true);
  expect((await start(made, id)).status).toBe("starting");
});

test("an instance that runs fits where it is, its own words not counted twice", async () => {
  const made = await gangRig(1);
  const { subnetId } = await made.network();
  const [first] = await filled(made, subnetId, { nodes: 1 });
  expect((await explained(made, first!.id)).explanation.trial.fits).toBe(true);
});

test("however many messages are full, the node that has room is found", async () => {
  const made = await gangRig(4, 4);
  const { subnetId } = await made.network();
  await made.write((tx) => tx.account(made.read().account).quotas.setLimit("instances", 1_000));
  await filled(made, subnetId, { nodes: 7 });
  const { placement } = await instance(made, heavy(subnetId));
  expect(placement?.nodeId).toBe("node-1-3");
  const members = await batch(made, batchWish(subnetId, 10, { ...HEAVY, attachments: 0 }));
  expect(new Set(members.map((one) => one.placement?.nodeId))).toEqual(new Set(["node-1-3"]));
  const before = await counted(made);
  const refused = await refusal(batch(made, batchWish(subnetId, 2, { ...HEAVY, attachments: 0 })));
  expect(refused).toMatchObject({ reason: "CAPACITY", parts: { metadata: { fit: "0" } } });
  expect(refused.message).toContain("user data");
  expect(await counted(made)).toEqual(before);
  const { id } = await instance(made, heavy(subnetId));
  const { explanation } = await explained(made, id);
  expect(explanation.removed).toMatchObject([{ name: "messageFits", count: 8 }]);
});

test("beyond as many full nodes as are met one by one, whoever asks finds room", async () => {
  const full = 5 * CROWDED_MAX;
  const made = await gangRig(full + 1);
  const { subnetId, networkId } = await made.network();
  await made.write((tx) => tx.account(made.read().account).quotas.setLimit("instances", 2_000));
  await filled(made, subnetId, { nodes: full, rest: REST });
  const last = (await made.ctx.store.read((tx) => tx.nodes.all())).at(-1)!.id;
  const places = (members: readonly Instance[]) =>
    new Set(members.map(({ placement }) => placement?.nodeId));
  // It has less free than the full ones have, but no words.
  const many = await batch(made, batchWish(subnetId, 12, { profile: SMALL, attachments: 0 }));
  expect(places(many)).toEqual(new Set([last]));

  await changeNode(made, last, { cordoned: true });
  const { id, status } = await instance(made, heavy(subnetId));
  expect(status).toBe("failed");
  await changeNode(made, last, { cordoned: false });
  const { trial } = (await explained(made, id)).explanation;
  expect(trial).toMatchObject({ fits: true, members: [{ nodeId: last }] });
  expect((await start(made, id)).placement?.nodeId).toBe(last);
  const members = await batch(made, batchWish(subnetId, 3, { ...HEAVY, attachments: 0 }));
  expect(places(members)).toEqual(new Set([last]));
  const refused = await refusal(batch(made, batchWish(subnetId, 9, { ...HEAVY, attachments: 0 })));
  expect(refused).toMatchObject({ reason: "CAPACITY", parts: { metadata: { fit: "7" } } });

  const asked = shape(networkId, { profile: PAIR, count: 1, attachmentCount: 4 });
  const check = () => checkCapacity(made.ctx, made.read(), asked);
  expect(await check()).toEqual({ fits: true, asked: 1, spans: [1] });
  const { id: holdId } = await hold(made, asked);
  const wish = { holdId, profile: PAIR, attachments: 4 };
  expect(places(await batch(made, batchWish(subnetId, 1, wish)))).toEqual(new Set([last]));
  expect(await check()).toMatchObject({ fits: false, fit: 0 });
});

test("what GPUs and words leave together is what is said to fit", async () => {
  const made = await gangRig(2);
  const { subnetId } = await made.network();
  await filled(made, subnetId, { nodes: 1 });
  const asked = { profile: PAIR, attachments: 0, userData: HEAVY.userData };
  const refused = await refusal(batch(made, batchWish(subnetId, 6, asked)));
  expect(refused).toMatchObject({ reason: "CAPACITY", parts: { metadata: { fit: "4" } } });
  expect(await batch(made, batchWish(subnetId, 4, asked))).toHaveLength(4);
});

test("no move is proposed to where the words of the instance have no room", async () => {
  const made = await gangRig(2);
  const { subnetId } = await made.network();
  const pair = { ...HEAVY, profile: PAIR, attachments: 0 };
  const running = async (node: string, userData: string) => {
    const other = node === "node-0-0" ? "node-0-1" : "node-0-0";
    await changeNode(made, other, { cordoned: true });
    const [one] = await batch(made, batchWish(subnetId, 1, { ...pair, userData }));
    await made.write((tx) => tx.everyone.instances.update({ ...one!, status: "running" }));
    await changeNode(made, other, { cordoned: false });
    return one!;
  };
  const moves = async () => {
    const wish = { cluster: "secret-a", wantedNodes: 0, movesMax: 0 };
    const found = await proposeDefragmentation(made.ctx, wish);
    return found.moves.map(({ from, to }) => `${from} to ${to}`);
  };
  await running("node-0-0", "");
  const large = await running("node-0-1", HEAVY.userData);
  expect(await moves()).toEqual(["node-0-0 to node-0-1"]);
  await changeNode(made, "node-0-1", { cordoned: true });
  const words = { ...HEAVY, attachments: 0 };
  await batch(made, batchWish(subnetId, PER_NODE, words));
  await changeNode(made, "node-0-1", { cordoned: false });
  // What fills the message of the first node keeps it there, and the large one where it is.
  expect(await moves()).toEqual([]);
  await made.write(async (tx) => {
    const row = (await tx.everyone.instances.get(large.id))!;
    await tx.everyone.instances.update({ ...row, spec: { ...row.spec, userData: "" } });
  });
  expect(await moves()).toEqual(["node-0-1 to node-0-0"]);
});

test("an explanation fits exactly when the start finds a place, whatever the words", async () => {
  const anyWords = fc.array(fc.constantFrom(20_000, 65_536, 65_536), {
    ...{ minLength: 30, maxLength: 36 },
  });
  const said = { fits: 0, not: 0 };
  const property = fc.asyncProperty(anyWords, async (words) => {
    const made = await gangRig(1, 1);
    const { subnetId } = await made.network();
    for (const length of words) {
      const wish = { ...heavy(subnetId), userData: "x".repeat(length) };
      const { id, status } = await instance(made, wish);
      const { explanation } = await explained(made, id);
      expect(explanation.trial.fits).toBe(status === "starting");
      said[explanation.trial.fits ? "fits" : "not"] += 1;
    }
    await made.ctx.store.close();
  });
  await fc.assert(property, { numRuns: 6 });
  expect(said.fits).toBeGreaterThan(10);
  expect(said.not).toBeGreaterThan(10);
});

test("no instance takes more of the message than was reckoned with", async () => {
  const made = await gangRig(4);
  const { subnetId } = await made.network();
  for (const [profile, count, userData] of [
    ...[[SMALL, 0, "é".repeat(9)] as const, [PAIR, 4, "x".repeat(65_536)] as const],
    ...[[WHOLE, 32, "#!/bin/sh"] as const, [PAIR, 0, ""] as const],
  ]) {
    const wish = instanceWish(subnetId, { profile, count, userData, name: `${profile}-${count}` });
    const one = await instance(made, wish);
    const { catalog, store } = made.ctx;
    await store.read(async (tx) => {
      const node = (await tx.nodes.get(one.placement!.nodeId))!;
      const { instances } = await desiredNode(tx, catalog, node);
      const there = instances.find(({ instanceId }) => instanceId === one.id)!;
      const gpuCount = there.gpus.length;
      const reckoned = await bytesOf(tx, catalog, {
        ...{ instance: one, gpuCount, attachmentCount: count },
      });
      const bytes = Buffer.byteLength(JSON.stringify(there));
      expect(reckoned).toBeGreaterThan(bytes);
      // Longer names of devices would fit as well.
      const names = JSON.stringify(there).length - JSON.stringify({ ...there, gpus: [] }).length;
      expect(reckoned - bytes).toBeGreaterThan(2 * names);
    });
  }
});
