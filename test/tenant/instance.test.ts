// Tenants' instances, against the real store and the real placement: create, refuse, fail for
// capacity, stop, start, delete, and what each gives back when.
import type { Instance } from "@railyard/controller/domain/instance";
import {
  attachmentKeys,
  getLayout,
  listAttachments,
} from "@railyard/controller/service/attachment";
import { deleteNetwork } from "@railyard/controller/service/cluster-network";
import {
  deleteInstance,
  getInstance,
  listInstances,
  stopInstance,
} from "@railyard/controller/service/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import { startInstance } from "@railyard/controller/service/instance-start";
import {
  createInterface,
  deleteInterface,
  listInterfaces,
} from "@railyard/controller/service/interface";
import { getSubnet } from "@railyard/controller/service/subnet";
import { formatIpv4 } from "@railyard/lib/address";
import type { InterfaceId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { addNode, fieldsOf, H200, instance, instanceWish, refusal, rig, seenGone } from "./rig.js";

test("an instance with eight attachments claims a whole node and raises it", async () => {
  const made = await rig();
  const { subnetId, networkId } = await made.network();
  const row = await instance(made, instanceWish(subnetId));
  expect(row).toMatchObject({ status: "starting", bootCount: 1, clusterNetworkId: networkId });
  expect(row.placement).toMatchObject({ nodeId: "node-0", phase: "present" });
  await made.write(async (tx) => {
    const claim = await tx.claims.ofInstance(row.id);
    expect(claim?.gpus).toHaveLength(8);
    expect(claim?.vfs.map(({ nic }) => nic)).toEqual(
      Array.from({ length: 8 }, (_, rail) => `nic-${rail}`),
    );
    expect(await tx.outbox.pending()).toMatchObject([{ nodeId: "node-0" }]);
  });
});

test.each([8, 16, 32])("%i attachments keep their order and share the NICs", async (count) => {
  const made = await rig();
  const { subnetId } = await made.network();
  const row = await instance(made, instanceWish(subnetId, { count }));
  const { attachments: layout } = await getLayout(made.ctx, made.read(), row.id);
  const per = count / 8;
  expect(layout.map(({ attachment, place }) => [attachment.position, place])).toEqual(
    Array.from({ length: count }, (_, p) => {
      const pair = Math.floor(p / per);
      return [p, { rail: pair, gpuIndex: pair, nicIndex: pair, speedGbps: 400 / per }];
    }),
  );
  expect(layout.map(({ next }) => next?.position)).toEqual([
    ...Array.from({ length: count - 1 }, (_, p) => p + 1),
    undefined,
  ]);
  const page = await listAttachments(made.ctx, made.read(), { instanceId: row.id, limit: 5 });
  const after = attachmentKeys({ limit: 5 }, page).at(-1);
  const next = { instanceId: row.id, limit: 5, ...(after && { after }) };
  const second = await listAttachments(made.ctx, made.read(), next);
  expect(second.rows[0]?.attachment.position).toBe(5);
});

test("every bad field of an instance is named at once and nothing is written", async () => {
  const made = await rig();
  const { subnetId, networkId } = await made.network();
  const wish = instanceWish(subnetId, {
    count: 7,
    name: "ibm-one",
    imageId: "img-9",
    keyIds: ["key-1", "key-9"],
    volumeIds: ["vol-9"],
    networkAttachments: [{ subnetId: "vsub-2", name: "" }],
    placementTargetId: "pt-1",
    userData: "x".repeat(65 * 1024),
  });
  const error = await refusal(createInstance(made.ctx, made.call(), wish));
  expect(error.code).toBe("invalid");
  expect(fieldsOf(error).sort()).toEqual([
    "name",
    "template.cluster_network_attachments",
    "template.image_id",
    "template.key_ids[1]",
    "template.network_attachments[0].subnet_id",
    "template.placement_target_id",
    "template.user_data",
    "template.volume_ids[0]",
  ]);
  expect(error.message).toContain("permitted: 0, 8, 16, 32");
  expect((await listInstances(made.ctx, made.read(), { filter: {}, limit: 5 })).total).toBe(0);
  const path = { clusterNetworkId: networkId, id: subnetId };
  expect((await getSubnet(made.ctx, made.read(), path)).availableCount).toBe(251);
});

test("an unknown image alone is not found, by its field", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const wish = instanceWish(subnetId, { imageId: "img-9" });
  const error = await refusal(createInstance(made.ctx, made.call(), wish));
  expect(error).toMatchObject({ code: "notFound", message: "image img-9 not found" });
  expect(fieldsOf(error)).toEqual(["template.image_id"]);
});

test("network, profile, VPC and all attachments must agree", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const other = await made.network();
  const reasonOf = async (wish: Parameters<typeof createInstance>[2]) =>
    (await refusal(createInstance(made.ctx, made.call(), wish))).reason;
  expect(await reasonOf(instanceWish(subnetId, { profile: H200 }))).toBe(
    "ATTACHMENT_PROFILE_UNSUPPORTED",
  );
  const primary = { primaryNetworkAttachment: { subnetId: "vsub-2", name: "" } };
  expect(await reasonOf(instanceWish(subnetId, primary))).toBe("ATTACHMENT_VPC_MISMATCH");
  const [stray, ...rest] = instanceWish(other.subnetId).clusterNetworkAttachments;
  const mixed = instanceWish(subnetId, { count: 7 }).clusterNetworkAttachments;
  if (!stray) throw new Error(`no attachment among ${rest.length}`);
  const wish = instanceWish(subnetId, { clusterNetworkAttachments: [...mixed, stray] });
  expect(await reasonOf(wish)).toBe("ATTACHMENT_CLUSTER_NETWORK_MISMATCH");
});

test("an address asked for at a later position is not taken by an earlier one", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const ip = { kind: "new", address: "10.0.0.4", name: "", autoDelete: true } as const;
  const wish = { subnetId, primaryIp: ip, name: "", autoDelete: true, allowIpSpoofing: false };
  const attachments = [
    ...instanceWish(subnetId, { count: 7 }).clusterNetworkAttachments,
    { name: "last", bound: { kind: "new" as const, wish } },
  ];
  const asked = instanceWish(subnetId, { clusterNetworkAttachments: attachments });
  const row = await instance(made, asked);
  const { attachments: layout } = await getLayout(made.ctx, made.read(), row.id);
  expect(layout.map(({ primaryIp }) => formatIpv4(primaryIp.address))).toEqual([
    ...[5, 6, 7, 8, 9, 10, 11].map((n) => `10.0.0.${n}`),
    "10.0.0.4",
  ]);
});

test("existing interfaces are bound once and in the order given", async () => {
  const made = await rig();
  const { subnetId, networkId: clusterNetworkId } = await made.network();
  const primaryIp = { kind: "new", address: "", name: "", autoDelete: true } as const;
  const ids: InterfaceId[] = [];
  for (let i = 0; i < 8; i++) {
    const wish = {
      clusterNetworkId,
      subnetId,
      primaryIp,
      name: `nic-${i}`,
      allowIpSpoofing: false,
    };
    ids.unshift((await createInterface(made.ctx, made.call(), wish)).row.id);
  }
  const bind = (id: InterfaceId) => ({ name: "", bound: { kind: "interface" as const, id } });
  const wish = instanceWish(subnetId, { clusterNetworkAttachments: ids.map(bind) });
  const row = await instance(made, wish);
  const { attachments: layout } = await getLayout(made.ctx, made.read(), row.id);
  expect(layout.map((view) => view.interface.id)).toEqual(ids);
  const again = await refusal(createInstance(made.ctx, made.call(), wish));
  expect(again).toMatchObject({ code: "precondition", reason: "INTERFACE_ALREADY_BOUND" });
  expect(again.parts.fields).toHaveLength(8);
  const [id] = ids;
  if (!id) throw new Error("no interface");
  const held = await refusal(
    deleteInterface(made.ctx, made.call(), { clusterNetworkId, id, etag: "" }),
  );
  expect(held.reason).toBe("INTERFACE_IN_USE_ATTACHMENT_EXISTS");
  await deleteInstance(made.ctx, made.call(), { id: row.id, etag: "" });
  await seenGone(made, row.id);
  const left = await listInterfaces(made.ctx, made.read(), {
    filter: { clusterNetworkId },
    limit: 20,
  });
  expect(left.rows.map((view) => view.row.targetId)).toEqual(Array(8).fill(undefined));
});

test("without room the instance fails and says what is short; start tries again", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  await instance(made, instanceWish(subnetId));
  const failed = await instance(made, instanceWish(subnetId));
  expect(failed).toMatchObject({
    status: "failed",
    startable: true,
    lifecycleState: "stable",
    healthState: "inapplicable",
    placement: undefined,
    statusReasons: [
      {
        code: "cannot_start_capacity",
        metadata: { asked: "1", fit: "0", attachments: "8", waiting_can_help: "true" },
      },
    ],
  });
  expect(JSON.stringify(failed)).not.toContain("secret");
  const start = () => startInstance(made.ctx, made.call(), { id: failed.id, etag: "" });
  expect((await start()).instance.status).toBe("failed");
  await addNode(made, "node-1");
  expect((await start()).instance).toMatchObject({ status: "starting", bootCount: 1 });
});

test("deleting gives everything back, but only once absence was observed", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const { subnetId, networkId } = await made.network();
  const row = await instance(made, instanceWish(subnetId));
  const deleting = (await deleteInstance(ctx, call(), { id: row.id, etag: "" })).instance;
  expect(deleting).toMatchObject({ status: "deleting", lifecycleState: "deleting" });
  expect(deleting.placement).toMatchObject({ phase: "leaving", sinceGeneration: 2n });
  const again = await deleteInstance(ctx, call(), { id: row.id, etag: "" });
  expect(again.instance.etag).toBe(deleting.etag);
  const cascade = { id: networkId, etag: "", cascade: true };
  expect((await refusal(deleteNetwork(ctx, call(), cascade))).reason).toBe(
    "CLUSTER_NETWORK_IN_USE_INSTANCE_EXISTS",
  );
  expect((await instance(made, instanceWish(subnetId))).status).toBe("failed");
  await seenGone(made, row.id);
  expect((await refusal(getInstance(ctx, read(), row.id))).code).toBe("notFound");
  const path = { clusterNetworkId: networkId, id: subnetId };
  expect((await getSubnet(ctx, read(), path)).availableCount).toBe(251 - 8);
  expect((await instance(made, instanceWish(subnetId))).status).toBe("starting");
});

test("an instance without cluster network attachments needs no network", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const row = await instance(made, instanceWish(subnetId, { count: 0 }));
  expect(row).toMatchObject({ status: "starting", clusterNetworkId: undefined });
  expect((await getLayout(made.ctx, made.read(), row.id)).attachments).toEqual([]);
  await deleteInstance(made.ctx, made.call(), { id: row.id, etag: "" });
  await seenGone(made, row.id);
  expect((await refusal(getInstance(made.ctx, made.read(), row.id))).code).toBe("notFound");
});

test("a failed instance is deleted at once", async () => {
  const made = await rig({ nodes: 0 });
  const { subnetId, networkId } = await made.network();
  const row = await instance(made, instanceWish(subnetId));
  expect(row.statusReasons[0]?.metadata).toMatchObject({ waiting_can_help: "false" });
  const gone = await deleteInstance(made.ctx, made.call(), { id: row.id, etag: "" });
  expect(gone.instance.status).toBe("deleting");
  expect((await refusal(getInstance(made.ctx, made.read(), row.id))).code).toBe("notFound");
  await deleteNetwork(made.ctx, made.call(), { id: networkId, etag: "", cascade: true });
});

test("stopping holds the host until it was seen gone; starting prefers it", async () => {
  const made = await rig({ nodes: 4 });
  const { ctx, call } = made;
  const { subnetId } = await made.network();
  const row = await instance(made, instanceWish(subnetId));
  const input = { id: row.id, etag: "" };
  const stopping = (await stopInstance(ctx, call(), input)).instance;
  expect(stopping).toMatchObject({ status: "stopping", placement: { phase: "leaving" } });
  const early = await refusal(stopInstance(ctx, call(), input));
  expect(early).toMatchObject({ code: "precondition", reason: "INSTANCE_STATUS_CONFLICT" });
  expect(early.message).toContain("is stopping");
  await seenGone(made, row.id);
  const stopped: Instance = (await getInstance(ctx, made.read(), row.id)).instance;
  expect(stopped).toMatchObject({ status: "stopped", startable: true, placement: undefined });
  const started = (await startInstance(ctx, call(), input)).instance;
  expect(started.placement?.nodeId).toBe(row.placement?.nodeId);
  expect(started.bootCount).toBe(2);
});

test("what was not placed stops at once, and cannot be stopped twice", async () => {
  const made = await rig({ nodes: 0 });
  const { subnetId } = await made.network();
  const row = await instance(made, instanceWish(subnetId));
  const input = { id: row.id, etag: "" };
  expect((await stopInstance(made.ctx, made.call(), input)).instance.status).toBe("stopped");
  const again = await refusal(stopInstance(made.ctx, made.call(), input));
  expect(again.parts.metadata).toMatchObject({ status: "stopped" });
});
