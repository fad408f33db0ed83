// What a watcher was told last of an object is what a read of it shows, byte by byte, whatever
// happened around it: also where only a name that it refers to, or its neighbour, changed.

import { getAttachment, getLayout } from "@railyard/controller/service/attachment";
import { createAttachments } from "@railyard/controller/service/attachment-create";
import {
  deleteAttachment,
  moveAttachment,
  updateAttachment,
} from "@railyard/controller/service/attachment-edit";
import { deleteNetwork, updateNetwork } from "@railyard/controller/service/cluster-network";
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
import { RailyardError } from "@railyard/lib/errors";
import type { InstanceId, SubnetId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { expectAtHand } from "./at-hand.js";
import { fresh, PATHS } from "./attachment-rig.js";
import { HALF, shared } from "./halves.js";
import { instance, instanceWish, type Rig, rig, seenGone, WHOLE } from "./rig.js";
import { everything, expectTold, type World } from "./watched.js";

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

/** Each verb on two attachments of every instance, and on some of all else: not always refused. */
const EACH_VERB = VERBS.map((_, verb): [Step[]] => [
  [0, 1, 8, 9, 16, 17].map((which) => ({ verb, which, other: 0 })),
]);

/** A stopped, a stopping and a starting instance, of all else one that is free. */
async function furnished(): Promise<Rig> {
  const made = await rig({ nodes: 3 });
  const { ctx } = made;
  const { networkId: clusterNetworkId, subnetId } = await made.network();
  await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  await stopInstance(ctx, made.call(), { id, etag: "" });
  await seenGone(made, id);
  const leaving = await instance(made, instanceWish(subnetId));
  await stopInstance(ctx, made.call(), { id: leaving.id, etag: "" });
  await instance(made, instanceWish(subnetId));
  const at = { clusterNetworkId, subnetId, name: "" };
  await createReservedIp(ctx, made.call(), { ...at, address: "" });
  const wish = { ...at, allowIpSpoofing: false, primaryIp: NEW_IP };
  await createInterface(ctx, made.call(), wish);
  return made;
}

/** Runs these verbs side by side; those that were not refused. */
async function sideBySide(made: Rig, steps: readonly Step[], round: number) {
  const has = await everything(made);
  const outcomes = steps.map(async (step, i) => {
    try {
      await VERBS[step.verb]?.(made, has, { ...step, name: `n-${round}-${i}` });
      return [step.verb];
    } catch (thrown) {
      // Refused, as random wishes often are.
      if (!(thrown instanceof RailyardError) || thrown.code === "bug") throw thrown;
      return [];
    }
  });
  return (await Promise.all(outcomes)).flat();
}

// Side by side they share commits, and some of them fail beside others that stand.
test.each([1, 3])(
  "the last event of every object is what a read shows, %i at a time",
  async (n) => {
    const done = new Set<number>();
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { maxLength: 20 + 5 * n }), async (steps) => {
        const made = await furnished();
        for (let from = 0; from < steps.length; from += n) {
          for (const verb of await sideBySide(made, steps.slice(from, from + n), from)) {
            done.add(verb);
          }
          await expectAtHand(made);
        }
        await expectTold(made);
      }),
      { numRuns: EACH_VERB.length + 40, examples: EACH_VERB },
    );
    // A verb that was always refused would prove nothing.
    expect(VERBS.flatMap((_, verb) => (done.has(verb) ? [] : [verb]))).toEqual([]);
  },
  60_000,
);

test("an instance that ends without room shows what was renamed meanwhile", async () => {
  const made = await rig({ nodes: 0 });
  const { networkId, subnetId } = await made.network();
  const rename = { id: networkId, etag: "", mask: ["name"], name: "renamed" };
  const creating = instance(made, instanceWish(subnetId));
  await Promise.all([creating, updateNetwork(made.ctx, made.call(), rename)]);
  await expectTold(made);
});

test("rails that others fix and give up are told of those that wait for them", async () => {
  const made = await shared(1);
  const half = (subnetId: SubnetId) =>
    instance(made, instanceWish(subnetId, { count: 4, profile: HALF }));
  const gone = async (id: InstanceId) => {
    await deleteInstance(made.ctx, made.call(), { id, etag: "" });
    await seenGone(made, id);
  };
  const { subnetId } = await made.network();
  const strangers = [await half((await made.network()).subnetId)];
  strangers.push(await half((await made.network()).subnetId));
  const { id, status } = await half(subnetId);
  expect(status).toBe("failed");
  const rail = async () => {
    const { attachments } = await getLayout(made.ctx, made.read(), id);
    return attachments[0]?.place?.rail;
  };
  expect(await rail()).toBeUndefined();
  for (const stranger of strangers) await gone(stranger.id);
  const first = await half(subnetId);
  expect(await rail()).toBe(first.placement?.pairs[0]?.rail);
  await expectTold(made);
  await gone(first.id);
  expect(await rail()).toBeUndefined();
  await expectTold(made);
});

test("a profile that is declared anew is told of every attachment that it changes", async () => {
  const made = await furnished();
  const gbps = async () => {
    const [first] = (await everything(made)).attachments;
    return (await getAttachment(made.ctx, made.read(), first!)).place?.speedGbps;
  };
  expect(await gbps()).toBe(400);
  await made.write(async (tx) => {
    const network = (await tx.profiles.clusterNetwork("hopper-1"))!;
    await tx.profiles.putClusterNetwork({ ...network, speedGbps: 800 });
  });
  expect(await gbps()).toBe(800);
  await expectTold(made);
  await made.write(async (tx) => {
    const whole = (await tx.profiles.instance(WHOLE))!;
    await tx.profiles.putInstance({ ...whole, attachments: { kind: "enum", values: [16] } });
  });
  expect(await gbps()).toBeUndefined();
  await expectTold(made);
});
