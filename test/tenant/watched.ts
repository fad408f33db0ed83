// What a tenant's objects look like to a read, and to a watcher that heard everything from the
// beginning: for tests that want both to be the same.
import { complete, encodeObject } from "@railyard/controller/api/watch-object";
import { getAttachment } from "@railyard/controller/service/attachment";
import { getNetwork } from "@railyard/controller/service/cluster-network";
import { listHolds } from "@railyard/controller/service/hold";
import { getInstance } from "@railyard/controller/service/instance";
import { getInterface } from "@railyard/controller/service/interface";
import { pageOfAll } from "@railyard/controller/service/provider-ip";
import { getReservedIp } from "@railyard/controller/service/reserved-ip";
import { getSubnet } from "@railyard/controller/service/subnet";
import { expect } from "vitest";
import { ALICE, type Rig } from "./rig.js";

/** Everything that ALICE has. */
export async function everything({ ctx }: Rig) {
  return ctx.store.read(async (tx) => {
    const mine = tx.account(ALICE);
    const all = { limit: 1_000, filter: {} };
    const networks = (await mine.clusterNetworks.list(all)).rows;
    const instances = (await mine.instances.list(all)).rows;
    const subnets = (
      await Promise.all(networks.map(({ id }) => mine.subnets.ofNetwork(id)))
    ).flat();
    const interfaces = [];
    for (const { id } of networks) {
      const filter = { clusterNetworkId: id };
      interfaces.push(...(await mine.interfaces.list({ ...all, filter })).rows);
    }
    const ips = [];
    for (const subnet of subnets) ips.push(...(await pageOfAll(mine, subnet, all)).rows);
    const attachments = [];
    for (const { id } of instances) attachments.push(...(await mine.attachments.ofInstance(id)));
    return { networks, subnets, ips, interfaces, instances, attachments };
  });
}

export type World = Awaited<ReturnType<typeof everything>>;

/** The bytes that Get would answer with, by kind and id. */
export async function shown(made: Rig): Promise<Map<string, string>> {
  const { ctx } = made;
  const call = made.read();
  const has = await everything(made);
  const out = new Map<string, string>();
  const put = (id: string, object: Parameters<typeof encodeObject>[0]) =>
    out.set(`${object.kind}/${id}`, Buffer.from(encodeObject(object)).toString("hex"));
  for (const { id } of has.networks) {
    put(id, { kind: "clusterNetwork", view: await getNetwork(ctx, call, id) });
  }
  for (const { id, clusterNetworkId } of has.subnets) {
    put(id, { kind: "subnet", view: await getSubnet(ctx, call, { id, clusterNetworkId }) });
  }
  for (const { id, clusterNetworkId, subnetId } of has.ips) {
    const view = await getReservedIp(ctx, call, { id, clusterNetworkId, subnetId });
    put(id, { kind: "reservedIp", view });
  }
  for (const { id, clusterNetworkId } of has.interfaces) {
    put(id, { kind: "interface", view: await getInterface(ctx, call, { id, clusterNetworkId }) });
  }
  for (const { id } of has.instances) {
    put(id, { kind: "instance", view: await getInstance(ctx, call, id) });
  }
  for (const { id, instanceId } of has.attachments) {
    put(id, { kind: "attachment", view: await getAttachment(ctx, call, { id, instanceId }) });
  }
  for (const view of (await listHolds(ctx, call, { limit: 1_000 })).rows) {
    put(view.hold.id, { kind: "hold", view });
  }
  return out;
}

/** What a watcher from the beginning holds at the end, by kind and id. */
export async function told({ ctx }: Rig): Promise<Map<string, string>> {
  const all = { rows: 100_000 };
  const log = await ctx.store.read((tx) => tx.logs.accountChangesAfter(ALICE, 0n, all));
  expect(log.map((row) => row.accountRevision)).toEqual(log.map((_, i) => BigInt(i + 1)));
  const out = new Map<string, string>();
  for (const { kind, id, op, object } of log.flatMap(({ entries }) => entries).flatMap(complete)) {
    const key = `${kind}/${id}`;
    // Every event says something new, and carries its object.
    const bytes = Buffer.from(object ?? []).toString("hex");
    expect(bytes).not.toBe("");
    expect(op === "created").toBe(!out.has(key));
    if (op === "updated") expect(bytes).not.toBe(out.get(key));
    if (op === "deleted") out.delete(key);
    else out.set(key, bytes);
  }
  return out;
}

/** Fails unless the last event of every object is what a read of it shows. */
export async function expectTold(made: Rig): Promise<void> {
  const last = await told(made);
  const now = await shown(made);
  expect([...last.keys()].sort()).toEqual([...now.keys()].sort());
  for (const [key, bytes] of now) expect(last.get(key), key).toBe(bytes);
}
