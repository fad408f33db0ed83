// Refusals for reasons that a healthy yard seldom gives: no place for a profile, no MAC left, a
// zone or a VPC that does not agree.
import { createNetwork } from "@railyard/controller/service/cluster-network";
import { createInstance } from "@railyard/controller/service/instance-create";
import { createInterface } from "@railyard/controller/service/interface";
import { READERS_MAX, WatchHub } from "@railyard/controller/service/watch/hub";
import type { WriteTx } from "@railyard/controller/store/contract";
import { expect, test } from "vitest";
import { BOB, fieldsOf, instanceWish, networkWish, type Rig, refusal, rig } from "./rig.js";

test("a profile whose clusters are all disabled has no place", async () => {
  const made = await rig();
  await made.write(async (tx) => {
    for (const cluster of await tx.physicalClusters.all()) {
      await tx.physicalClusters.update({ ...cluster, enabled: false });
    }
  });
  const error = await refusal(createNetwork(made.ctx, made.call(), networkWish()));
  expect(error).toMatchObject({
    ...{ code: "precondition", reason: "CLUSTER_NETWORK_PROFILE_UNAVAILABLE" },
  });
  expect(error.message).not.toContain("secret");
});

test("a cluster without a free isolation id is no place either", async () => {
  const made = await rig();
  await made.write(async (tx) => {
    for (const cluster of await tx.physicalClusters.all()) {
      await tx.physicalClusters.update({ ...cluster, enabled: cluster.name === "secret-a" });
    }
    await tx.account(made.read().account).quotas.setLimit("cluster-networks", 100);
  });
  for (let taken = 0; taken < 10; taken++) {
    await createNetwork(made.ctx, made.call(), networkWish());
  }
  const error = await refusal(createNetwork(made.ctx, made.call(), networkWish()));
  expect(error.reason).toBe("CLUSTER_NETWORK_PROFILE_UNAVAILABLE");
});

/** The rig with a store in which every MAC rests. */
function withRestingMacs(made: Rig): Rig["ctx"] {
  const store: Rig["ctx"]["store"] = Object.create(made.ctx.store);
  const taken = async (_: unknown, macs: readonly string[]) => new Set(macs);
  store.write = (cause, fn) =>
    made.ctx.store.write(cause, (tx: WriteTx) => {
      const account: WriteTx["account"] = (id) => {
        const rows = tx.account(id);
        return { ...rows, macs: { rest: async () => undefined, taken } };
      };
      return fn({ ...tx, account });
    });
  return { ...made.ctx, store };
}

test("without a free MAC there is no interface, and nothing is left of it", async () => {
  const made = await rig();
  const { subnetId, networkId: clusterNetworkId } = await made.network();
  const primaryIp = { kind: "new", address: "", name: "", autoDelete: true } as const;
  const wish = { clusterNetworkId, subnetId, primaryIp, name: "", allowIpSpoofing: false };
  const ctx = withRestingMacs(made);
  const error = await refusal(createInterface(ctx, made.call(), wish));
  expect(error).toMatchObject({ code: "exhausted", reason: "MAC_ADDRESSES_EXHAUSTED" });
  await made.write(async (tx) => {
    expect((await tx.everyone.subnets.get(subnetId))?.availableCount).toBe(251);
  });
});

test("attachments in a network of another zone are refused", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const far = { kind: "vpcSubnet", id: "vsub-far", name: "far", vpcId: "vpc-1" } as const;
  await made.write((tx) => tx.catalog.put({ ...far, account: undefined, zone: "us-east-1" }));
  const primaryNetworkAttachment = { subnetId: "vsub-far", name: "" };
  const wish = instanceWish(subnetId, { zone: "us-east-1", primaryNetworkAttachment });
  const error = await refusal(createInstance(made.ctx, made.call(), wish));
  expect(error).toMatchObject({ code: "invalid", reason: "ATTACHMENT_ZONE_MISMATCH" });
  expect(fieldsOf(error)).toEqual(["template.cluster_network_attachments"]);
});

test("VPC subnets and volumes of another VPC or zone are refused by field", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const far = { kind: "volume", id: "vol-far", name: "far", capacityGib: 1 } as const;
  await made.write((tx) => tx.catalog.put({ ...far, account: undefined, zone: "us-east-1" }));
  const wish = instanceWish(subnetId, {
    ...{ count: 0, volumeIds: ["vol-far"] },
    networkAttachments: [{ subnetId: "vsub-2", name: "" }],
  });
  const error = await refusal(createInstance(made.ctx, made.call(), wish));
  expect(error).toMatchObject({ code: "invalid", reason: "CATALOG_REFERENCE_MISMATCH" });
  expect(fieldsOf(error).sort()).toEqual([
    "template.network_attachments[0].subnet_id",
    "template.volume_ids[0]",
  ]);
});

test("an account's watches are bounded, and one that ends makes room", async () => {
  const made = await rig();
  const hub = new WatchHub({ ...made.ctx, complete: (entry) => [entry] });
  const { account } = made.read();
  const first = await hub.join(account, undefined);
  for (let open = 1; open < READERS_MAX; open++) await hub.join(account, undefined);
  const error = await refusal(hub.join(account, undefined));
  expect(error).toMatchObject({ code: "exhausted", reason: "TOO_MANY_STREAMS" });
  await hub.join(BOB, undefined);
  hub.leave(account, first);
  await hub.join(account, undefined);
});
