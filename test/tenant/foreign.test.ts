// What belongs to another account, or lies in another network, answers exactly like what is not
// there: in every path and in every field that names something.

import { createAttachments } from "@railyard/controller/service/attachment-create";
import {
  deleteAttachment,
  moveAttachment,
  updateAttachment,
} from "@railyard/controller/service/attachment-edit";
import {
  createNetwork,
  deleteNetwork,
  getNetwork,
  updateNetwork,
} from "@railyard/controller/service/cluster-network";
import {
  deleteInstance,
  getInstance,
  stopInstance,
  updateInstance,
} from "@railyard/controller/service/instance";
import { listPaths } from "@railyard/controller/service/instance-attachments";
import { createInstance } from "@railyard/controller/service/instance-create";
import { rebootInstance } from "@railyard/controller/service/instance-reboot";
import { startInstance } from "@railyard/controller/service/instance-start";
import {
  createInterface,
  deleteInterface,
  getInterface,
  listInterfaces,
  updateInterface,
} from "@railyard/controller/service/interface";
import {
  createReservedIp,
  deleteReservedIp,
  getReservedIp,
  listReservedIps,
  updateReservedIp,
} from "@railyard/controller/service/reserved-ip";
import {
  createSubnet,
  deleteSubnet,
  getSubnet,
  listSubnets,
  updateSubnet,
} from "@railyard/controller/service/subnet";
import type { AttachmentId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import {
  BOB,
  fieldsOf,
  instance,
  instanceWish,
  networkWish,
  type Rig,
  refusal,
  rig,
} from "./rig.js";

const MISSING = "no-such-thing";
const fresh = { kind: "new", address: "", name: "", autoDelete: true } as const;
const free = { name: "", autoDelete: true, allowIpSpoofing: false };

/** One of everything that ALICE can own. */
async function belongings(made: Rig) {
  const { ctx, call } = made;
  const { networkId, subnetId } = await made.network();
  const ip = await createReservedIp(ctx, call(), {
    ...{ clusterNetworkId: networkId, subnetId, address: "", name: "" },
  });
  const nic = await createInterface(ctx, call(), {
    ...{ clusterNetworkId: networkId, subnetId, primaryIp: fresh, name: "nic" },
    allowIpSpoofing: false,
  });
  const row = await instance(made, instanceWish(subnetId));
  return { networkId, subnetId, ipId: ip.reservedIp.id, nicId: nic.row.id, instanceId: row.id };
}

/** What the call says when it is given this id, with the id itself blotted out. */
async function said(attempt: (id: never) => Promise<unknown>, id: string) {
  const error = await refusal(attempt(id as never));
  const { code, reason, message, parts } = error;
  const text = JSON.stringify({
    code,
    reason,
    message,
    fields: fieldsOf(error),
    of: parts.resource,
  });
  return { code, text: text.replaceAll(id, "#") };
}

async function expectSame(attempt: (id: never) => Promise<unknown>, id: string): Promise<void> {
  const foreign = await said(attempt, id);
  expect(foreign.code).toBe("notFound");
  expect(foreign).toEqual(await said(attempt, MISSING));
}

const ATTACH = { wishes: [], before: undefined, paths: listPaths("attachments", "attachments") };
const GONE = { id: "att-none" as AttachmentId, etag: "" };

test("another account's object answers like a missing one in every path", async () => {
  const made = await rig();
  const { ctx } = made;
  const own = await belongings(made);
  const bob = () => made.call<never>({ account: BOB });
  const read = made.read(BOB);
  const change = { etag: "", mask: ["name"], name: "stolen" };
  const range = { kind: "count", count: 16 } as const;
  const page = { limit: 5 };
  const inNetwork: ((id: never) => Promise<unknown>)[] = [
    (id) => getNetwork(ctx, read, id),
    (id) => updateNetwork(ctx, bob(), { id, ...change }),
    (id) => deleteNetwork(ctx, bob(), { id, etag: "", cascade: true }),
    (id) => listSubnets(ctx, read, { filter: { clusterNetworkId: id }, ...page }),
    (id) => listInterfaces(ctx, read, { filter: { clusterNetworkId: id }, ...page }),
    (id) => createSubnet(ctx, bob(), { clusterNetworkId: id, name: "", range, rail: undefined }),
    (id) =>
      createInterface(ctx, bob(), {
        ...{ clusterNetworkId: id, subnetId: own.subnetId, primaryIp: fresh, ...free },
      }),
  ];
  for (const attempt of inNetwork) await expectSame(attempt, own.networkId);
  const ofInstance: ((id: never) => Promise<unknown>)[] = [
    (id) => getInstance(ctx, read, id),
    (id) => deleteInstance(ctx, bob(), { id, etag: "" }),
    (id) => startInstance(ctx, bob(), { id, etag: "" }),
    (id) => stopInstance(ctx, bob(), { id, etag: "" }),
    (id) => rebootInstance(ctx, bob(), { id, etag: "", force: false }),
    (id) => createAttachments(ctx, bob(), { ...ATTACH, instanceId: id }),
    (id) => moveAttachment(ctx, bob(), { ...GONE, instanceId: id, before: undefined }),
    (id) => deleteAttachment(ctx, bob(), { ...GONE, instanceId: id }),
    (id) => updateAttachment(ctx, bob(), { ...GONE, instanceId: id, mask: [], name: "" }),
    (id) =>
      updateInstance(ctx, bob(), {
        ...{ id, ...change, profile: "", hostFailure: "stop" },
        metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
      }),
  ];
  for (const attempt of ofInstance) await expectSame(attempt, own.instanceId);
});

test("what lies in another network of the same account is missing in this one", async () => {
  const made = await rig();
  const { ctx, call, read } = made;
  const own = await belongings(made);
  const { networkId: clusterNetworkId, subnetId: other } = await made.network();
  const change = { etag: "", mask: ["name"], name: "x", autoDelete: false, allowIpSpoofing: false };
  const inSubnet: ((id: never) => Promise<unknown>)[] = [
    (id) => getSubnet(ctx, read(), { clusterNetworkId, id }),
    (id) => updateSubnet(ctx, call(), { clusterNetworkId, id, ...change }),
    (id) => deleteSubnet(ctx, call(), { clusterNetworkId, id, etag: "" }),
    (id) => listReservedIps(ctx, read(), { clusterNetworkId, filter: { subnetId: id }, limit: 5 }),
    (id) =>
      createReservedIp(ctx, call(), { clusterNetworkId, subnetId: id, address: "", name: "" }),
    (id) =>
      createInterface(ctx, call(), { clusterNetworkId, subnetId: id, primaryIp: fresh, ...free }),
  ];
  for (const attempt of inSubnet) await expectSame(attempt, own.subnetId);
  const ofIp: ((id: never) => Promise<unknown>)[] = [
    (id) => getReservedIp(ctx, read(), { clusterNetworkId, subnetId: other, id }),
    (id) => updateReservedIp(ctx, call(), { clusterNetworkId, subnetId: other, id, ...change }),
    (id) => deleteReservedIp(ctx, call(), { clusterNetworkId, subnetId: other, id, etag: "" }),
    (id) =>
      createInterface(ctx, call(), {
        ...{ clusterNetworkId, subnetId: undefined, primaryIp: { kind: "existing", id } },
        ...free,
      }),
  ];
  for (const attempt of ofIp) await expectSame(attempt, own.ipId);
  const ofNic: ((id: never) => Promise<unknown>)[] = [
    (id) => getInterface(ctx, read(), { clusterNetworkId, id }),
    (id) => updateInterface(ctx, call(), { clusterNetworkId, id, ...change }),
    (id) => deleteInterface(ctx, call(), { clusterNetworkId, id, etag: "" }),
  ];
  for (const attempt of ofNic) await expectSame(attempt, own.nicId);
});

test("a subnet and a reserved IP of another network are both named", async () => {
  const made = await rig();
  const own = await belongings(made);
  const { networkId: clusterNetworkId } = await made.network();
  const primaryIp = { kind: "existing", id: own.ipId } as const;
  const wish = { clusterNetworkId, subnetId: own.subnetId, primaryIp, ...free };
  const error = await refusal(createInterface(made.ctx, made.call(), wish));
  expect(fieldsOf(error)).toEqual(["primary_ip.reserved_ip_id", "subnet_id"]);
});

test("another account's things answer like missing ones in every field of a create", async () => {
  const made = await rig();
  const { ctx } = made;
  const own = await belongings(made);
  const bob = () => made.call<never>({ account: BOB });
  await expectSame((id) => createNetwork(ctx, bob(), networkWish({ vpcId: id })), "vpc-1");
  const bare = instanceWish(own.subnetId, { count: 0, keyIds: [] });
  const attached = (bound: object) => ({ clusterNetworkAttachments: [{ name: "", bound }] });
  const nic = (over: object) =>
    attached({ kind: "new", wish: { subnetId: undefined, primaryIp: fresh, ...free, ...over } });
  // One attachment is not a permitted count: the reference must be named beside it.
  const fields: [string, (id: string) => object, string][] = [
    ["key-1", (id) => ({ keyIds: [id] }), "template.key_ids[0]"],
    ["vpc-1", (id) => ({ vpcId: id }), "template.vpc_id"],
    ["vol-1", (id) => ({ volumeIds: [id] }), "template.volume_ids[0]"],
    ["vol-2", (id) => ({ bootVolumeId: id }), "template.boot_volume_id"],
    [own.nicId, (id) => attached({ kind: "interface", id }), "interface_id"],
    [own.subnetId, (id) => nic({ subnetId: id }), "new_interface.subnet_id"],
    [
      own.ipId,
      (id) => nic({ primaryIp: { kind: "existing", id } }),
      "new_interface.primary_ip.reserved_ip_id",
    ],
  ];
  for (const [id, over, field] of fields) {
    const attempt = (used: string) =>
      createInstance(ctx, bob(), { ...bare, ...over(used) } as typeof bare);
    const foreign = await said(attempt, id);
    expect(foreign.text).toContain(field);
    expect(foreign).toEqual(await said(attempt, MISSING));
  }
});
