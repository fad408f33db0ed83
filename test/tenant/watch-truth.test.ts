// What a watcher was told last of an object is what a read of it shows, byte by byte, whatever
// happened around it: also where only a name that it refers to, or its neighbour, changed.
import { encodeObject } from "@railyard/controller/api/watch-object";
import { getAttachment } from "@railyard/controller/service/attachment";
import { createAttachments } from "@railyard/controller/service/attachment-create";
import {
  deleteAttachment,
  moveAttachment,
  updateAttachment,
} from "@railyard/controller/service/attachment-edit";
import {
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
import { startInstance } from "@railyard/controller/service/instance-start";
import {
  createInterface,
  deleteInterface,
  getInterface,
  updateInterface,
} from "@railyard/controller/service/interface";
import {
  createReservedIp,
  deleteReservedIp,
  getReservedIp,
  updateReservedIp,
} from "@railyard/controller/service/reserved-ip";
import {
  createSubnet,
  deleteSubnet,
  getSubnet,
  updateSubnet,
} from "@railyard/controller/service/subnet";
import { RailyardError } from "@railyard/lib/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fresh, PATHS } from "./attachment-rig.js";
import { ALICE, instance, instanceWish, type Rig, rig, seenGone } from "./rig.js";

/** Everything that ALICE has. */
async function everything({ ctx }: Rig) {
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
    for (const { id } of subnets) {
      ips.push(...(await mine.reservedIps.list({ ...all, filter: { subnetId: id } })).rows);
    }
    const attachments = [];
    for (const { id } of instances) attachments.push(...(await mine.attachments.ofInstance(id)));
    return { networks, subnets, ips, interfaces, instances, attachments };
  });
}

type World = Awaited<ReturnType<typeof everything>>;

/** The bytes that Get would answer with, by kind and id. */
async function shown(made: Rig): Promise<Map<string, string>> {
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
  return out;
}

/** What a watcher from the beginning holds at the end, by kind and id. */
async function told({ ctx }: Rig): Promise<Map<string, string>> {
  const log = await ctx.store.read((tx) => tx.logs.accountChangesAfter(ALICE, 0n, 100_000));
  expect(log.map((row) => row.accountRevision)).toEqual(log.map((_, i) => BigInt(i + 1)));
  const out = new Map<string, string>();
  for (const { kind, id, op, object } of log.flatMap(({ entries }) => entries)) {
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

interface Step {
  readonly verb: number;
  readonly which: number;
  readonly other: number;
}

type Verb = (made: Rig, has: World, step: Step & { readonly name: string }) => Promise<unknown>;

function pick<T>(rows: readonly T[], n: number): T {
  const row = rows[n % Math.max(1, rows.length)];
  if (!row) throw new RailyardError("notFound", "there is none");
  return row;
}

function freeIps(ips: World["ips"]): World["ips"] {
  return ips.filter(({ owner, targetId }) => owner === "user" && !targetId);
}

const MASK = { mask: ["name"], etag: "" };
const NEW_IP = { kind: "new", address: "", name: "", autoDelete: true } as const;

const RENAMES: readonly Verb[] = [
  (made, { networks }, { which, name }) =>
    updateNetwork(made.ctx, made.call(), { ...MASK, id: pick(networks, which).id, name }),
  (made, { subnets }, { which, name }) => {
    const { id, clusterNetworkId } = pick(subnets, which);
    return updateSubnet(made.ctx, made.call(), { ...MASK, id, clusterNetworkId, name });
  },
  (made, { ips }, { which, name }) => {
    const { id, clusterNetworkId, subnetId } = pick(
      ips.filter(({ owner }) => owner === "user"),
      which,
    );
    const path = { id, clusterNetworkId, subnetId };
    return updateReservedIp(made.ctx, made.call(), { ...MASK, ...path, name, autoDelete: false });
  },
  (made, { interfaces }, { which, name }) => {
    const { id, clusterNetworkId, autoDelete, allowIpSpoofing } = pick(interfaces, which);
    const same = { autoDelete, allowIpSpoofing };
    const input = { ...MASK, id, clusterNetworkId, name, ...same };
    return updateInterface(made.ctx, made.call(), input);
  },
  (made, { attachments }, { which, name }) => {
    const { id, instanceId } = pick(attachments, which);
    return updateAttachment(made.ctx, made.call(), { ...MASK, id, instanceId, name });
  },
  (made, { instances }, { which, name }) => {
    const { id, profile, spec } = pick(instances, which);
    const { metadataService, hostFailure } = spec;
    const input = { ...MASK, id, name, profile, metadataService, hostFailure };
    return updateInstance(made.ctx, made.call(), input);
  },
  (made, _has, { which, name }) =>
    made.write(async (tx) => {
      const all = await tx.catalog.all();
      await tx.catalog.put({ ...pick(all, which), name });
    }),
];

const CREATES: readonly Verb[] = [
  (made, { networks }, { which }) => {
    const range = { kind: "count", count: 16 } as const;
    const wish = { clusterNetworkId: pick(networks, which).id, name: "", range, rail: undefined };
    return createSubnet(made.ctx, made.call(), wish);
  },
  (made, { subnets }, { which }) => {
    const { id: subnetId, clusterNetworkId } = pick(subnets, which);
    const wish = { clusterNetworkId, subnetId, address: "", name: "" };
    return createReservedIp(made.ctx, made.call(), wish);
  },
  (made, { subnets }, { which }) => {
    const { id: subnetId, clusterNetworkId } = pick(subnets, which);
    const wish = { name: "", allowIpSpoofing: false, primaryIp: NEW_IP };
    return createInterface(made.ctx, made.call(), { ...wish, clusterNetworkId, subnetId });
  },
  (made, { ips }, { which }) => {
    const { id, clusterNetworkId, subnetId } = pick(freeIps(ips), which);
    const primaryIp = { kind: "existing", id } as const;
    const wish = { name: "", allowIpSpoofing: false, primaryIp };
    return createInterface(made.ctx, made.call(), { ...wish, clusterNetworkId, subnetId });
  },
  (made, { subnets }, { which }) =>
    instance(made, instanceWish(pick(subnets, which).id, { count: which % 2 ? 8 : 0 })),
  (made, { subnets, instances, attachments }, { which, other }) => {
    const { id: instanceId } = pick(instances, which);
    const own = attachments.filter((one) => one.instanceId === instanceId);
    const before = other % 2 ? own[other % own.length]?.id : undefined;
    const wishes = [fresh(pick(subnets, other).id)];
    const wish = { instanceId, wishes, before, paths: PATHS };
    return createAttachments(made.ctx, made.call(), wish);
  },
  (made, { interfaces, instances }, { which, other }) => {
    const { id: instanceId } = pick(instances, which);
    const { id } = pick(
      interfaces.filter(({ targetId }) => !targetId),
      other,
    );
    const wishes = [{ name: "", bound: { kind: "interface", id } as const }];
    const wish = { instanceId, wishes, before: undefined, paths: PATHS };
    return createAttachments(made.ctx, made.call(), wish);
  },
];

const CHANGES: readonly Verb[] = [
  (made, { attachments }, { which, other }) => {
    const { id, instanceId } = pick(attachments, which);
    const own = attachments.filter((one) => one.instanceId === instanceId);
    const before = other % 2 ? pick(own, other).id : undefined;
    return moveAttachment(made.ctx, made.call(), { instanceId, id, before, etag: "" });
  },
  (made, { attachments }, { which }) => {
    const { id, instanceId } = pick(attachments, which);
    return deleteAttachment(made.ctx, made.call(), { instanceId, id, etag: "" });
  },
  (made, { instances }, { which }) =>
    stopInstance(made.ctx, made.call(), { id: pick(instances, which).id, etag: "" }),
  (made, { instances }, { which }) => {
    const leaving = instances.filter(({ status }) => ["stopping", "deleting"].includes(status));
    return seenGone(made, pick(leaving, which).id);
  },
  (made, { instances }, { which }) =>
    startInstance(made.ctx, made.call(), { id: pick(instances, which).id, etag: "" }),
  (made, { instances }, { which }) =>
    deleteInstance(made.ctx, made.call(), { id: pick(instances, which).id, etag: "" }),
  (made, { subnets }, { which }) => {
    const { id, clusterNetworkId } = pick(subnets, which);
    return deleteSubnet(made.ctx, made.call(), { id, clusterNetworkId, etag: "" });
  },
  (made, { interfaces }, { which }) => {
    const free = interfaces.filter(({ targetId }) => !targetId);
    const { id, clusterNetworkId } = pick(free, which);
    return deleteInterface(made.ctx, made.call(), { id, clusterNetworkId, etag: "" });
  },
  (made, { ips }, { which }) => {
    const { id, clusterNetworkId, subnetId } = pick(freeIps(ips), which);
    return deleteReservedIp(made.ctx, made.call(), { id, clusterNetworkId, subnetId, etag: "" });
  },
  (made, { networks }, { which, other }) => {
    const input = { id: pick(networks, which).id, etag: "", cascade: other % 2 === 0 };
    return deleteNetwork(made.ctx, made.call(), input);
  },
];

const VERBS = [...RENAMES, ...CREATES, ...CHANGES];
const STEP = fc.record<Step>({
  verb: fc.nat(VERBS.length - 1),
  which: fc.nat(50),
  other: fc.nat(50),
});

/** A stopped instance and a starting one, something free of every kind, an empty network. */
async function furnished(): Promise<Rig> {
  const made = await rig({ nodes: 3 });
  const { ctx } = made;
  const { networkId: clusterNetworkId, subnetId } = await made.network();
  await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  await stopInstance(ctx, made.call(), { id, etag: "" });
  await seenGone(made, id);
  await instance(made, instanceWish(subnetId));
  const at = { clusterNetworkId, subnetId, name: "" };
  await createReservedIp(ctx, made.call(), { ...at, address: "" });
  const wish = { ...at, allowIpSpoofing: false, primaryIp: NEW_IP };
  await createInterface(ctx, made.call(), wish);
  return made;
}

test("the last event of every object is what a read shows, whatever happened", async () => {
  const done = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 25 }), async (steps) => {
      const made = await furnished();
      for (const [i, step] of steps.entries()) {
        try {
          await VERBS[step.verb]?.(made, await everything(made), { ...step, name: `n-${i}` });
          done.set(step.verb, (done.get(step.verb) ?? 0) + 1);
        } catch (thrown) {
          // Refused, as random wishes often are.
          if (!(thrown instanceof RailyardError) || thrown.code === "bug") throw thrown;
        }
      }
      const last = await told(made);
      const now = await shown(made);
      expect([...last.keys()].sort()).toEqual([...now.keys()].sort());
      for (const [key, bytes] of now) expect(last.get(key), key).toBe(bytes);
    }),
    { numRuns: 60, seed: 7 },
  );
  // A verb that was always refused would prove nothing.
  expect(VERBS.flatMap((_, verb) => (done.has(verb) ? [] : [verb]))).toEqual([]);
}, 60_000);
