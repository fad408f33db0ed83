// What holds for every change of every noun that tenants own: etags, masks, names.
import {
  createNetwork,
  deleteNetwork,
  updateNetwork,
} from "@railyard/controller/service/cluster-network";
import type { Mutation } from "@railyard/controller/service/context";
import {
  deleteInstance,
  stopInstance,
  updateInstance,
} from "@railyard/controller/service/instance";
import { startInstance } from "@railyard/controller/service/instance-start";
import {
  createInterface,
  deleteInterface,
  updateInterface,
} from "@railyard/controller/service/interface";
import {
  createReservedIp,
  deleteReservedIp,
  updateReservedIp,
} from "@railyard/controller/service/reserved-ip";
import { createSubnet, deleteSubnet, updateSubnet } from "@railyard/controller/service/subnet";
import { expect, test } from "vitest";
import { fieldsOf, instance, instanceWish, networkWish, type Rig, refusal, rig } from "./rig.js";

interface Change {
  readonly etag: string;
  readonly mask: readonly string[];
  readonly name: string;
}
type Call = Mutation<never, never>;
type Update = (call: Call, change: Change) => Promise<unknown>;
type Act = (call: Call, etag: string) => Promise<unknown>;

/** An update of each noun, each beside a sibling called `taken`; and every other change. */
async function changesOf(made: Rig): Promise<{ updates: Record<string, Update>; acts: Act[] }> {
  const { ctx, call } = made;
  const { networkId, subnetId } = await made.network();
  const clusterNetworkId = networkId;
  const place = { clusterNetworkId, subnetId };
  const range = { kind: "count", count: 16 } as const;
  const primaryIp = { kind: "new", address: "", name: "", autoDelete: true } as const;
  const nicWish = { ...place, primaryIp, allowIpSpoofing: false };
  const nic = (await createInterface(ctx, call(), { ...nicWish, name: "" })).row.id;
  const ipWish = { ...place, address: "" };
  const ip = (await createReservedIp(ctx, call(), { ...ipWish, name: "" })).reservedIp.id;
  const { id, spec, profile } = await instance(made, instanceWish(subnetId, { count: 0 }));
  const name = "taken";
  await createNetwork(ctx, call(), networkWish({ name }));
  await createSubnet(ctx, call(), { clusterNetworkId, name, range, rail: undefined });
  await createInterface(ctx, call(), { ...nicWish, name });
  await createReservedIp(ctx, call(), { ...ipWish, name });
  await instance(made, instanceWish(subnetId, { count: 0, name }));
  const { metadataService, hostFailure } = spec;
  const flags = { autoDelete: false, allowIpSpoofing: false };
  return {
    updates: {
      cluster_network: (c, to) => updateNetwork(ctx, c, { id: networkId, ...to }),
      cluster_network_subnet: (c, to) =>
        updateSubnet(ctx, c, { clusterNetworkId, id: subnetId, ...to }),
      cluster_network_subnet_reserved_ip: (c, to) =>
        updateReservedIp(ctx, c, { ...place, id: ip, ...flags, ...to }),
      cluster_network_interface: (c, to) =>
        updateInterface(ctx, c, { clusterNetworkId, id: nic, ...flags, ...to }),
      instance: (c, to) =>
        updateInstance(ctx, c, { id, metadataService, hostFailure, profile, ...to }),
    },
    acts: [
      (c, etag) => stopInstance(ctx, c, { id, etag }),
      (c, etag) => startInstance(ctx, c, { id, etag }),
      (c, etag) => deleteInstance(ctx, c, { id, etag }),
      (c, etag) => deleteInterface(ctx, c, { clusterNetworkId, id: nic, etag }),
      (c, etag) => deleteReservedIp(ctx, c, { ...place, id: ip, etag }),
      (c, etag) => deleteSubnet(ctx, c, { clusterNetworkId, id: subnetId, etag }),
      (c, etag) => deleteNetwork(ctx, c, { id: networkId, etag, cascade: true }),
    ],
  };
}

test("every change that names an old etag is refused, and writes nothing", async () => {
  const made = await rig();
  const { updates, acts } = await changesOf(made);
  const change = { etag: "0000000000000000", mask: ["name"], name: "new" };
  const before = await made.ctx.store.revision();
  for (const update of Object.values(updates)) {
    const error = await refusal(update(made.call(), change));
    expect(error).toMatchObject({ code: "conflict", reason: "ETAG_MISMATCH" });
  }
  for (const act of acts) {
    const error = await refusal(act(made.call(), change.etag));
    expect(error).toMatchObject({ code: "conflict", reason: "ETAG_MISMATCH" });
  }
  expect(await made.ctx.store.revision()).toBe(before);
});

test("every update refuses what cannot change, and taken or reserved names", async () => {
  const made = await rig();
  const { updates } = await changesOf(made);
  for (const [noun, update] of Object.entries(updates)) {
    const tried = (mask: string[], name: string) =>
      refusal(update(made.call(), { etag: "", mask, name }));
    const field = [`${noun}.name`];
    const immutable = await tried(["id", "created_at", "name"], "ibm-x");
    expect(immutable.code).toBe("invalid");
    expect(fieldsOf(immutable)).toEqual(["id", "created_at", ...field]);
    const taken = await tried(["name"], "taken");
    expect([taken.code, taken.reason, fieldsOf(taken)]).toEqual(["exists", "NAME_TAKEN", field]);
    const kept = await tried(["name"], "railyard-x");
    expect([kept.code, kept.reason, fieldsOf(kept)]).toEqual(["invalid", "NAME_RESERVED", field]);
    expect(fieldsOf(await tried(["name"], ""))).toEqual(field);
    expect(fieldsOf(await tried([], "x"))).toEqual(["update_mask"]);
  }
});

test("every rename takes effect once and changes the etag", async () => {
  const made = await rig();
  const { updates } = await changesOf(made);
  const change = { etag: "", mask: ["name"], name: "renamed" };
  for (const update of Object.values(updates)) {
    const before = await made.ctx.store.revision();
    await update(made.call(), change);
    await update(made.call(), change);
    const rows = await made.ctx.store.read((tx) => tx.logs.changesAfter(before, 9));
    // The second is in the log as a call that changed nothing.
    expect(rows.map(({ entries }) => entries.length > 0)).toEqual([true, false]);
  }
});
