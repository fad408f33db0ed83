// What else holds for tenants' instances: changes that reach the node, volumes, re-mapping, rails.
import { getLayout } from "@railyard/controller/service/attachment";
import {
  type getInstance,
  listInstances,
  updateInstance,
} from "@railyard/controller/service/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import { updateInterface } from "@railyard/controller/service/interface";
import { createSubnet } from "@railyard/controller/service/subnet";
import type { NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { addNode, fieldsOf, instance, instanceWish, refusal, rig } from "./rig.js";

test("renaming a placed instance reaches its node", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const row = await instance(made, instanceWish(subnetId));
  const { metadataService, hostFailure } = row.spec;
  const same = { profile: row.profile, metadataService, hostFailure };
  const input = { id: row.id, etag: row.etag, name: "renamed", ...same };
  const change = { ...input, mask: ["name"] };
  const after = await updateInstance(made.ctx, made.call(), change);
  expect(after.instance.name).toBe("renamed");
  await made.write(async (tx) => {
    expect((await tx.nodes.get("node-0" as NodeId))?.generation).toBe(2n);
  });
  expect((await refusal(updateInstance(made.ctx, made.call(), change))).reason).toBe(
    "ETAG_MISMATCH",
  );
});

test("a change of spoofing on an attached interface is applied on the machine", async () => {
  const made = await rig();
  const { subnetId, networkId: clusterNetworkId } = await made.network();
  const row = await instance(made, instanceWish(subnetId));
  const [first] = (await getLayout(made.ctx, made.read(), row.id)).attachments;
  if (!first) throw new Error("no attachment");
  const change = { name: "", autoDelete: false, allowIpSpoofing: true, etag: "" };
  const path = { clusterNetworkId, id: first.interface.id };
  const input = { ...path, ...change, mask: ["allow_ip_spoofing"] };
  await updateInterface(made.ctx, made.call(), input);
  await made.write(async (tx) => {
    expect((await tx.nodes.get("node-0" as NodeId))?.generation).toBe(2n);
  });
});

test("a volume belongs to one instance", async () => {
  const made = await rig({ nodes: 2 });
  const { subnetId } = await made.network();
  const volumes = { bootVolumeId: "vol-2", volumeIds: ["vol-1"] };
  const row = await instance(made, instanceWish(subnetId, volumes));
  expect(row.spec.bootVolume).toEqual({ id: "vol-2", name: "boot", capacityGib: 100 });
  const error = await refusal(
    createInstance(made.ctx, made.call(), instanceWish(subnetId, { volumeIds: ["vol-2"] })),
  );
  expect(error).toMatchObject({ code: "precondition", reason: "VOLUME_IN_USE" });
});

test("an empty network moves to the cluster that has hardware for the profile", async () => {
  const made = await rig({ nodes: 0 });
  const { subnetId, networkId } = await made.network();
  await addNode(made, "node-b", "pc-secret-b");
  const row = await instance(made, instanceWish(subnetId));
  expect(row).toMatchObject({ status: "starting", placement: { nodeId: "node-b" } });
  await made.write(async (tx) => {
    const network = await tx.everyone.clusterNetworks.get(networkId);
    expect(network).toMatchObject({
      physicalClusterId: "pc-secret-b",
      isolation: { kind: "vlan", id: 200 },
    });
  });
});

test.each(["required", "preferred", "none"])("rails declared by subnets, %s", async (alignment) => {
  const made = await rig({ profile: { railAlignment: alignment } });
  const { subnetId, networkId: clusterNetworkId } = await made.network();
  const range = { kind: "count", count: 16 } as const;
  const wish = { clusterNetworkId, name: "", range, rail: 3 };
  const rail3 = await createSubnet(made.ctx, made.call(), wish);
  const plain = instanceWish(subnetId).clusterNetworkAttachments;
  const railed = instanceWish(rail3.id).clusterNetworkAttachments;
  // Positions 3 and 5 are in the subnet for rail 3.
  const attachments = plain.map((a, i) => (i === 3 || i === 5 ? (railed[i] ?? a) : a));
  const asked = instanceWish(subnetId, { clusterNetworkAttachments: attachments });
  if (alignment === "required") {
    const error = await refusal(createInstance(made.ctx, made.call(), asked));
    expect(error).toMatchObject({ code: "invalid", reason: "RAIL_MISMATCH" });
    expect(fieldsOf(error)).toEqual(["template.cluster_network_attachments[5]"]);
    return;
  }
  const row = await instance(made, asked);
  const layout = await getLayout(made.ctx, made.read(), row.id);
  const noted = layout.attachments.flatMap(({ attachment: a }) =>
    a.lifecycleReasons.map(({ code }) => [a.position, code]),
  );
  expect(noted).toEqual(alignment === "preferred" ? [[5, "rail_mismatch"]] : []);
});

test("a rail that the network does not have is refused", async () => {
  const made = await rig();
  const { networkId: clusterNetworkId } = await made.network();
  const range = { kind: "count", count: 16 } as const;
  const wish = { clusterNetworkId, name: "", range, rail: 8 };
  const error = await refusal(createSubnet(made.ctx, made.call(), wish));
  expect(fieldsOf(error)).toEqual(["rail"]);
});

test("validate_only runs the placement and writes nothing", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const call = made.call<Awaited<ReturnType<typeof getInstance>>>({ validateOnly: true });
  const tried = await createInstance(made.ctx, call, instanceWish(subnetId));
  expect(tried.instance.status).toBe("starting");
  expect((await listInstances(made.ctx, made.read(), { filter: {}, limit: 5 })).total).toBe(0);
  await made.write(async (tx) => {
    expect(await tx.claims.all()).toEqual([]);
    expect(await tx.outbox.pending()).toEqual([]);
  });
});
