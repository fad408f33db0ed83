// Paging against a plain set: however a list changes between two pages, what stood throughout is on
// exactly one of them, and nothing is on two; in every order, for every list that changes.
import { attachmentKeys, listAttachments } from "@railyard/controller/service/attachment";
import {
  createNetwork,
  deleteNetwork,
  listNetworks,
} from "@railyard/controller/service/cluster-network";
import { deleteInstance, listInstances, stopInstance } from "@railyard/controller/service/instance";
import {
  createInterface,
  deleteInterface,
  listInterfaces,
} from "@railyard/controller/service/interface";
import type { Listing } from "@railyard/controller/service/listing";
import { LIST_ORDERS } from "@railyard/controller/service/listing";
import {
  createReservedIp,
  deleteReservedIp,
  listReservedIps,
} from "@railyard/controller/service/reserved-ip";
import { createSubnet, deleteSubnet, listSubnets } from "@railyard/controller/service/subnet";
import type {
  AttachmentId,
  ClusterNetworkId,
  InstanceId,
  InterfaceId,
  ReservedIpId,
  SubnetId,
} from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Attachments, fresh } from "../tenant/attachment-rig.js";
import { ALICE, createInstanceNamed, networkWish, type Rig, rig } from "./world.js";

const RUNS = 8;
const PAGE = 3;
const etag = "";

interface Row {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly seen?: readonly string[];
}

/** One list that can change. */
interface Changing {
  create(name: string): Promise<Row>;
  remove(id: string): Promise<unknown>;
  list(listing: Listing): Promise<{ readonly rows: readonly Row[]; readonly more: boolean }>;
}

interface Place {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly subnetId: SubnetId;
  /** Stopped; its attachments are what changes. */
  readonly instanceId: InstanceId;
}

const freshIp = { kind: "new", address: "", name: "", autoDelete: true } as const;

const LISTS: Readonly<Record<string, (made: Rig, place: Place) => Changing>> = {
  networks: ({ ctx, call, read }) => ({
    create: async (name) => (await createNetwork(ctx, call(), networkWish({ name }))).network,
    remove: (id) => deleteNetwork(ctx, call(), { id: id as ClusterNetworkId, etag, cascade: true }),
    list: async (listing) => {
      const page = await listNetworks(ctx, read(), { ...listing, filter: {} });
      return { ...page, rows: page.rows.map(({ network }) => network) };
    },
  }),
  subnets: ({ ctx, call, read }, { clusterNetworkId }) => ({
    create: (name) => {
      const range = { kind: "count", count: 8 } as const;
      return createSubnet(ctx, call(), { clusterNetworkId, name, range, rail: undefined });
    },
    remove: (id) => deleteSubnet(ctx, call(), { clusterNetworkId, id: id as SubnetId, etag }),
    list: (listing) => listSubnets(ctx, read(), { ...listing, filter: { clusterNetworkId } }),
  }),
  "reserved IPs": ({ ctx, call, read }, place) => ({
    create: async (name) =>
      (await createReservedIp(ctx, call(), { ...place, address: "", name })).reservedIp,
    remove: (id) => deleteReservedIp(ctx, call(), { ...place, id: id as ReservedIpId, etag }),
    list: async (listing) => {
      const { clusterNetworkId, subnetId } = place;
      const query = { ...listing, clusterNetworkId, filter: { subnetId } };
      const page = await listReservedIps(ctx, read(), query);
      return { ...page, rows: page.rows.map(({ reservedIp }) => reservedIp) };
    },
  }),
  interfaces: ({ ctx, call, read }, place) => ({
    create: async (name) => {
      const wish = { ...place, primaryIp: freshIp, name, allowIpSpoofing: false };
      return (await createInterface(ctx, call(), wish)).row;
    },
    remove: (id) => deleteInterface(ctx, call(), { ...place, id: id as InterfaceId, etag }),
    list: async (listing) => {
      const { clusterNetworkId } = place;
      const page = await listInterfaces(ctx, read(), { ...listing, filter: { clusterNetworkId } });
      return { ...page, rows: page.rows.map(({ row }) => row) };
    },
  }),
  attachments: (made, place) => {
    const { instanceId, subnetId } = place;
    const attachments = new Attachments(made, instanceId, subnetId);
    return {
      create: async (name) => {
        // At the front, so that every place shifts.
        const [before] = await attachments.ids();
        const [view] = await attachments.create({ wishes: [fresh(subnetId, name)], before });
        return view!.attachment;
      },
      remove: (id) => attachments.remove(id as AttachmentId),
      list: async (listing) => {
        const page = await listAttachments(made.ctx, made.read(), { ...listing, instanceId });
        return { ...page, rows: attachmentKeys(listing, page) };
      },
    };
  },
  instances: (made, { subnetId }) => ({
    create: async (name) => (await createInstanceNamed(made, subnetId, name)).instance,
    remove: (id) => deleteInstance(made.ctx, made.call(), { id: id as InstanceId, etag }),
    list: async (listing) => {
      const page = await listInstances(made.ctx, made.read(), { ...listing, filter: {} });
      return { ...page, rows: page.rows.map(({ instance }) => instance) };
    },
  }),
};

const change = fc.record({
  /** What happens before the next page: so many come, so many go, so much time passes. */
  come: fc.nat({ max: 3 }),
  go: fc.array(fc.nat({ max: 31 }), { maxLength: 3 }),
  ms: fc.constantFrom(0, 0, 1),
});

test.each(Object.keys(LISTS))("what stood throughout is on one page of %s", async (kind) => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(undefined, ...LIST_ORDERS),
      fc.array(change, { minLength: 4, maxLength: 6 }),
      async (order, changes) => {
        const made = await rig({ nodes: 0 });
        const { networkId: clusterNetworkId, subnetId } = await made.network();
        await made.write((tx) => tx.account(ALICE).quotas.setLimit("cluster-networks", 100));
        const instanceId = await stoppedHolder(made, subnetId);
        const list = LISTS[kind]!(made, { clusterNetworkId, subnetId, instanceId });
        await walk(made, list, { order, changes });
        await made.ctx.store.close();
      },
    ),
    { numRuns: RUNS },
  );
});

/** An instance that may have other attachments; instances listed beside it stand throughout. */
async function stoppedHolder(made: Rig, subnetId: SubnetId): Promise<InstanceId> {
  const { id } = (await createInstanceNamed(made, subnetId, "holder")).instance;
  await stopInstance(made.ctx, made.call(), { id, etag });
  return id;
}

interface Walk {
  readonly order: (typeof LIST_ORDERS)[number] | undefined;
  readonly changes: readonly { come: number; go: readonly number[]; ms: number }[];
}

async function walk(made: Rig, list: Changing, { order, changes }: Walk): Promise<void> {
  let named = 0;
  // Names in an order that has nothing to do with the order of creation.
  const next = () => `row-${(named++ * 37) % 101}-${named}`;
  const mine: string[] = [];
  for (let i = 0; i < 8; i++) mine.push((await list.create(next())).id);
  const all = await list.list({ limit: 100 });
  const stood = new Set(all.rows.map(({ id }) => id));
  const seen: string[] = [];
  let after: Row | undefined;
  for (let page = 0; ; page++) {
    const got = await list.list({ limit: PAGE, ...(order && { order }), ...(after && { after }) });
    seen.push(...got.rows.map(({ id }) => id));
    after = got.rows.at(-1);
    if (!got.more || !after) break;
    const { come, go, ms } = changes[page] ?? { come: 0, go: [], ms: 0 };
    await made.clock.advance(ms);
    for (let i = 0; i < come; i++) mine.push((await list.create(next())).id);
    for (const at of go) {
      const [id] = mine.splice(at % Math.max(1, mine.length), 1);
      if (!id) continue;
      await list.remove(id);
      stood.delete(id);
    }
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect([...stood].filter((id) => !seen.includes(id))).toEqual([]);
}
