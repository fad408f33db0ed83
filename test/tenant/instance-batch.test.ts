// Batches of instances: all or none, named alike, on the same rails, as close as asked.
import type { InterfaceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import {
  addNodeIn,
  batch,
  batchWish,
  changeNode,
  counted,
  gangRig,
  hold,
  losing,
  PAIR,
  SMALL,
  shape,
} from "./gang-rig.js";
import { fieldsOf, instance, instanceWish, refusal, seenGone } from "./rig.js";

const nodesOf = (all: Awaited<ReturnType<typeof batch>>) =>
  all.map(({ placement }) => placement?.nodeId ?? ("" as NodeId));
const groupsOf = (all: Awaited<ReturnType<typeof batch>>) =>
  nodesOf(all).map((node) => node.replace(/-\d+$/, ""));

test("all members start, each on a node of its own, in the order of their names", async () => {
  const made = await gangRig(3);
  const { subnetId } = await made.network();
  const members = await batch(made, batchWish(subnetId, 3, { namePrefix: "gang" }));
  expect(members.map(({ name, status }) => `${name} ${status}`)).toEqual([
    ...["gang-1 starting", "gang-2 starting", "gang-3 starting"],
  ]);
  expect(new Set(nodesOf(members)).size).toBe(3);
  const rails = members.map(({ placement }) => placement?.pairs.map(({ rail }) => rail));
  expect(rails).toEqual(members.map(() => [0, 1, 2, 3, 4, 5, 6, 7]));
  const { used, instances, claims } = await counted(made);
  expect(instances).toBe(3);
  expect(used).toEqual(expect.arrayContaining(["instances 3", "reserved-ips 24"]));
  expect(claims.map(({ gpus, vfs }) => [gpus.length, vfs.length])).toEqual(Array(3).fill([8, 8]));
});

test("members have addresses, MACs and names of their own", async () => {
  const made = await gangRig(3);
  const { subnetId, networkId } = await made.network();
  const members = await batch(made, batchWish(subnetId, 3));
  expect(new Set(members.map(({ name }) => name)).size).toBe(3);
  const macs = members.map(({ spec }) => spec.primaryNetworkAttachment.mac);
  expect(new Set(macs).size).toBe(3);
  const page = await made.ctx.store.read((tx) =>
    tx.everyone.interfaces.list({ filter: { clusterNetworkId: networkId }, limit: 100 }),
  );
  expect(page.total).toBe(24);
  expect(new Set(page.rows.map(({ primaryIpId }) => primaryIpId)).size).toBe(24);
});

test("one store revision carries the whole batch", async () => {
  const made = await gangRig(3);
  const { subnetId } = await made.network();
  const before = await made.ctx.store.revision();
  await batch(made, batchWish(subnetId, 3));
  expect(await made.ctx.store.revision()).toBe(before + 1n);
});

test("when not all fit none is written, and the refusal says how many would", async () => {
  const made = await gangRig(2);
  const { subnetId } = await made.network();
  const before = await counted(made);
  const refused = await refusal(batch(made, batchWish(subnetId, 3)));
  expect([refused.code, refused.reason]).toEqual(["exhausted", "CAPACITY"]);
  expect(refused.parts.metadata).toMatchObject({
    ...{ asked: "3", fit: "2", waiting_can_help: "false", short: "gpu" },
  });
  expect(await counted(made)).toEqual(before);
});

test("waiting can help when others take what is short", async () => {
  const made = await gangRig(2);
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  const refused = await refusal(batch(made, batchWish(subnetId, 2)));
  expect(refused.parts.metadata).toMatchObject({ fit: "1", waiting_can_help: "true" });
  expect(refused.message).not.toMatch(/secret|node-|su0/);
  await made.write(async (tx) => {
    const row = await tx.everyone.instances.get(id);
    const placement = row?.placement && { ...row.placement, phase: "leaving" as const };
    if (row) await tx.everyone.instances.update({ ...row, status: "deleting", placement });
  });
  await seenGone(made, id);
  expect(await batch(made, batchWish(subnetId, 2))).toHaveLength(2);
});

test("closeness is a hard rule, and named when it is what is short", async () => {
  const made = await gangRig(2, 2);
  const { subnetId } = await made.network();
  const refused = await refusal(batch(made, batchWish(subnetId, 3, { maxLeafGroups: 1 })));
  expect(refused.parts.metadata).toMatchObject({ fit: "2", short: "compactness" });
  const near = await batch(made, batchWish(subnetId, 2, { maxLeafGroups: 1 }));
  expect(new Set(groupsOf(near)).size).toBe(1);
});

test("each segment is in one leaf group", async () => {
  const made = await gangRig(3, 3);
  const { subnetId } = await made.network();
  const refused = await refusal(batch(made, batchWish(subnetId, 6, { segmentSize: 2 })));
  expect(refused.parts.metadata).toMatchObject({ fit: "5", short: "compactness" });
  const members = groupsOf(await batch(made, batchWish(subnetId, 4, { segmentSize: 2 })));
  expect(members[0]).toBe(members[1]);
  expect(members[2]).toBe(members[3]);
});

test("members that take a part of a node are on the same rails, and fix them", async () => {
  const made = await gangRig(3);
  const { subnetId } = await made.network();
  const asked = { profile: PAIR, attachments: 2 };
  const members = await batch(made, batchWish(subnetId, 3, asked));
  const rails = members.map(({ placement }) => placement?.pairs.map(({ rail }) => rail).join());
  expect(new Set(rails).size).toBe(1);
  expect(new Set(nodesOf(members)).size).toBe(3);
  // Rails are taken on every node now; elsewhere there are more GPUs, but on other rails.
  const refused = await refusal(batch(made, batchWish(subnetId, 1, asked)));
  expect(refused.parts.metadata).toMatchObject({ fit: "0", waiting_can_help: "true" });
  expect(refused.parts.metadata?.short?.split(",")).toContain("rail-set");
  expect(refused.parts.metadata?.short).not.toContain("gpu");
});

test("without a cluster network members share nodes", async () => {
  const made = await gangRig(1);
  const { subnetId } = await made.network();
  const asked = { profile: SMALL, attachments: 0 };
  const members = await batch(made, batchWish(subnetId, 5, asked));
  expect(new Set(nodesOf(members))).toEqual(new Set(["node-0-0"]));
  const refused = await refusal(batch(made, batchWish(subnetId, 25, asked)));
  expect(refused.parts.metadata).toMatchObject({ fit: "20", short: "compute" });
});

test("all names that are taken are refused at once", async () => {
  const made = await gangRig(4);
  const { subnetId } = await made.network();
  await instance(made, instanceWish(subnetId, { name: "gang-1" }));
  await instance(made, instanceWish(subnetId, { name: "gang-3" }));
  const refused = await refusal(batch(made, batchWish(subnetId, 3, { namePrefix: "gang" })));
  expect([refused.code, refused.reason]).toEqual(["exists", "NAME_TAKEN"]);
  expect(refused.parts.fields).toEqual([
    { field: "name_prefix", description: "these names are taken: gang-1, gang-3" },
  ]);
});

test.each(["railyard-x", "x".repeat(62), "-x"])("the prefix %s makes no names", async (prefix) => {
  const made = await gangRig(1);
  const { subnetId } = await made.network();
  const refused = await refusal(batch(made, batchWish(subnetId, 1, { namePrefix: prefix })));
  expect([refused.code, fieldsOf(refused)]).toEqual(["invalid", ["name_prefix"]]);
});

test("names are as long as names may be, the last one's number included", async () => {
  const made = await gangRig(1);
  const { subnetId } = await made.network();
  const namePrefix = "x".repeat(61);
  const asked = { namePrefix, profile: SMALL, attachments: 0 };
  const members = await batch(made, batchWish(subnetId, 9, asked));
  expect(members.at(-1)?.name).toBe(`${namePrefix}-9`);
  const refused = await refusal(batch(made, batchWish(subnetId, 10, asked)));
  expect([refused.code, fieldsOf(refused)]).toEqual(["invalid", ["name_prefix"]]);
});

test("what only one member could have has no place in the template", async () => {
  const made = await gangRig(1);
  const { subnetId } = await made.network();
  const [first] = batchWish(subnetId, 1, { attachments: 1 }).clusterNetworkAttachments;
  if (first?.bound?.kind !== "new") throw new Error("no wish");
  const { wish } = first.bound;
  const ip = { kind: "new", autoDelete: true, address: "", name: "" } as const;
  const bound = (change: object) => ({
    ...first,
    bound: { kind: "new", wish: { ...wish, ...change } },
  });
  const attachments = [
    { name: "", bound: { kind: "interface", id: "cni-1" as InterfaceId } },
    bound({ name: "one" }),
    bound({ primaryIp: { ...ip, address: "10.0.0.9" } }),
    bound({ primaryIp: { ...ip, name: "one" } }),
    bound({ primaryIp: { kind: "existing", id: "cnip-1" } }),
  ];
  const refused = await refusal(
    batch(made, {
      ...batchWish(subnetId, 2),
      ...{ bootVolumeId: "vol-2", volumeIds: ["vol-1"] },
      clusterNetworkAttachments: attachments as never,
    }),
  );
  expect(refused.code).toBe("invalid");
  const path = "template.cluster_network_attachments";
  expect(fieldsOf(refused)).toEqual(
    expect.arrayContaining([
      `${path}[0].interface_id`,
      `${path}[1].new_interface.name`,
      `${path}[2].new_interface.primary_ip.reserved_ip.address`,
      `${path}[3].new_interface.primary_ip.reserved_ip.name`,
      `${path}[4].new_interface.primary_ip.reserved_ip_id`,
      ...["template.boot_volume_id", "template.volume_ids"],
    ]),
  );
});

test("the quota is taken for all or for none", async () => {
  const made = await gangRig(3);
  const { subnetId } = await made.network();
  await made.write((tx) => tx.account(made.read().account).quotas.setLimit("instances", 2));
  const before = await counted(made);
  const refused = await refusal(batch(made, batchWish(subnetId, 3)));
  expect(refused.parts.quota).toEqual({ subject: "instances", limit: 2, used: 0 });
  expect(await counted(made)).toEqual(before);
});

test("a dry run answers as if done and leaves nothing behind", async () => {
  const made = await gangRig(2);
  const { subnetId } = await made.network();
  const before = await counted(made);
  expect(await batch(made, batchWish(subnetId, 2), { validateOnly: true })).toHaveLength(2);
  expect(await counted(made)).toEqual(before);
  expect(await batch(made, batchWish(subnetId, 2))).toHaveLength(2);
});

test("a network without instances moves to where there is hardware for the batch", async () => {
  const made = await gangRig(0);
  const { subnetId } = await made.network();
  for (const id of ["node-b-0", "node-b-1"]) {
    await addNodeIn(made, id, "su1");
    await changeNode(made, id, { physicalClusterId: "pc-secret-b" });
  }
  expect(await batch(made, batchWish(subnetId, 2))).toHaveLength(2);
});

test("a node is given no more members than its desired state has room for", async () => {
  const made = await gangRig(2);
  const { subnetId } = await made.network();
  // A node's message is 1 MiB: with 64 KiB of user data each it does not carry 20 of them.
  const asked = { profile: SMALL, attachments: 0, userData: "x".repeat(65_536) };
  const members = await batch(made, batchWish(subnetId, 20, asked));
  expect(new Set(nodesOf(members)).size).toBe(2);
  const before = await counted(made);
  const refused = await refusal(batch(made, batchWish(subnetId, 10, asked)));
  expect(refused.parts.metadata).toMatchObject({ short: "compute", waiting_can_help: "true" });
  expect(refused.message).toContain("user data");
  expect(await counted(made)).toEqual(before);
});

test.each([0, -1, 65, 2 ** 31 - 1])(
  "of %i members every other fault is named as well",
  async (n) => {
    const made = await gangRig(1);
    const { subnetId } = await made.network();
    const asked = batchWish(subnetId, n, { profile: "none", namePrefix: "gang" });
    expect(fieldsOf(await refusal(batch(made, asked)))).toEqual(["count", "template.profile"]);
  },
);

test("members that others were quicker about go elsewhere, all of them again", async () => {
  const made = await gangRig(4);
  const { subnetId } = await made.network();
  const members = await batch(losing(made, 2, 2), batchWish(subnetId, 3));
  expect(new Set(nodesOf(members)).size).toBe(3);
  expect((await counted(made)).claims).toHaveLength(3);
});

test("when others are quicker each time it is said so, and nothing is left", async () => {
  const made = await gangRig(9);
  const { subnetId, networkId } = await made.network();
  const before = await counted(made);
  const unlucky = losing(made, 1, 100);
  const refused = await refusal(batch(unlucky, batchWish(subnetId, 2)));
  expect([refused.code, refused.reason]).toEqual(["unavailable", "LOST_RACE"]);
  expect((await refusal(hold(unlucky, shape(networkId)))).reason).toBe("LOST_RACE");
  expect(await counted(made)).toEqual(before);
});
