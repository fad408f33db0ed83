// Watching over the wire: ordered, without gaps, resumable from every revision, one account only,
// bounded for those who do not read.

import { BEHIND_ROWS_MAX, SHARED } from "@railyard/controller/service/watch/hub";
import { ACCOUNT_LOG_ROWS } from "@railyard/controller/store/account-log";
import type { AccountId } from "@railyard/lib/ids";
import { seededRng } from "@railyard/lib/rng";
import {
  ClusterNetworkServiceService,
  CreateClusterNetworkRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import {
  ClusterNetworkSubnet,
  ClusterNetworkSubnetServiceService,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import {
  ResourceKind,
  type WatchEvent,
  WatchObjectsRequest,
  type WatchObjectsResponse,
  WatchOperation,
  WatchServiceService,
} from "@railyard/proto/gen/railyard/v1/watch";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { until } from "./until.js";
import type { Wire, WireStream } from "./wire.js";
import { Yard } from "./yard.js";

const ACME = "acme" as AccountId;
const OUT_OF_RANGE = 11;
const RESOURCE_EXHAUSTED = 8;
/** Changes made at once. */
const PART = 500;

let yard: Yard;
afterEach(() => yard.close());

type Stream = WireStream<WatchObjectsResponse>;

async function open(): Promise<Customer> {
  yard = await Yard.open();
  await yard.applyMzone();
  return new Customer(await yard.tenant(ACME));
}

function watch(wire: Wire, fromRevision?: bigint, kinds: ResourceKind[] = []): Stream {
  const request = WatchObjectsRequest.fromPartial({ kinds, fromRevision });
  return wire.stream(WatchServiceService.watchObjects, request);
}

function events({ messages }: Stream): WatchEvent[] {
  return messages.flatMap(({ message }) => (message?.$case === "event" ? [message.value] : []));
}

function bookmarks({ messages }: Stream): bigint[] {
  return messages.flatMap(({ message }) =>
    message?.$case === "bookmark" ? [message.value.revision] : [],
  );
}

/** One event as text, its object's etag included. */
function line({ revision, kind, operation, lastOfRevision, object }: WatchEvent): string {
  const { id, etag } = object?.value ?? { id: "", etag: "" };
  const last = lastOfRevision ? "last" : "more";
  const words = [ResourceKind[kind]?.slice(14), WatchOperation[operation]?.slice(16), id, etag];
  return [revision, ...words, last].join(" ");
}

const newest = () => yard.controller.context.store.read((tx) => tx.logs.accountLog(ACME));

/** Waits until the stream has shown everything up to the account's present revision. */
async function caughtUp(stream: Stream): Promise<WatchEvent[]> {
  const { newest: end } = await newest();
  await until(`revision ${end}`, () =>
    events(stream).some((e) => e.revision === end && e.lastOfRevision),
  );
  return events(stream);
}

test("a watch from now begins with a bookmark, then shows each change as it was", async () => {
  const customer = await open();
  await customer.network({ name: "before" });
  const stream = watch(customer.wire);
  await until("the bookmark", () => stream.messages.length > 0);
  expect(bookmarks(stream)).toEqual([(await newest()).newest]);
  const network = await customer.network({ name: "one" });
  await customer.wire.call(ClusterNetworkServiceService.updateClusterNetwork, {
    id: network.id,
    clusterNetwork: { ...network, name: "two" },
    updateMask: ["name"],
    etag: "",
    validateOnly: false,
  });
  await customer.wire.call(ClusterNetworkServiceService.deleteClusterNetwork, {
    id: network.id,
    etag: "",
    cascade: false,
    validateOnly: false,
  });
  const seen = await caughtUp(stream);
  const shown = seen.map(({ operation, object }) => [operation, object?.value.name]);
  expect(shown).toEqual([
    [WatchOperation.WATCH_OPERATION_CREATED, "one"],
    [WatchOperation.WATCH_OPERATION_UPDATED, "two"],
    [WatchOperation.WATCH_OPERATION_DELETED, "two"],
  ]);
  expect(seen[0]?.object?.value).toEqual(network);
  stream.call.cancel();
});

test("events of one transaction share a revision, and the last one sent says so", async () => {
  const customer = await open();
  const network = await customer.network();
  const all = watch(customer.wire, 0n);
  const ips = watch(customer.wire, 0n, [
    ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK_SUBNET_RESERVED_IP,
  ]);
  await customer.subnet(network.id);
  const whole = await caughtUp(all);
  expect(whole.map((e) => [e.revision, e.lastOfRevision])).toEqual([
    [1n, true],
    ...Array.from({ length: 6 }, (_, i) => [2n, i === 5]),
  ]);
  const five = await caughtUp(ips);
  expect(five.map((e) => e.lastOfRevision)).toEqual([false, false, false, false, true]);
  for (const stream of [all, ips]) stream.call.cancel();
});

/** Makes, renames and deletes, `count` times, all for the one account. */
async function churn(customer: Customer, seed: string, count: number): Promise<void> {
  const rng = seededRng(seed);
  const network = await customer.network();
  const subnets: string[] = [];
  for (let i = 0; i < count; i++) {
    const id = subnets.at(-1);
    const dice = rng.int(3);
    if (dice === 0 || !id) {
      subnets.push((await customer.subnet(network.id, { name: `${seed}-${i}` })).id);
    } else if (dice === 1) {
      await customer.interface(network.id, id, `${seed}-${i}`);
    } else {
      await customer.wire.call(ClusterNetworkSubnetServiceService.updateClusterNetworkSubnet, {
        clusterNetworkId: network.id,
        id,
        clusterNetworkSubnet: ClusterNetworkSubnet.fromPartial({ name: `${seed}-new-${i}` }),
        updateMask: ["name"],
        etag: "",
        validateOnly: false,
      });
    }
  }
}

/**
 * Reads `count` revisions or more, or all that will come, then goes away; answers what it read of
 * whole revisions.
 */
async function readSome(
  wire: Wire,
  from: bigint,
  { count, isAll }: { count: number; isAll: (read: bigint) => Promise<boolean> },
): Promise<WatchEvent[]> {
  const stream = watch(wire, from);
  const whole = () => events(stream).filter((e) => e.lastOfRevision);
  const enough = async () => whole().length >= count || isAll(whole().at(-1)?.revision ?? from);
  await until("some revisions", enough);
  stream.call.cancel();
  const seen = events(stream);
  return seen.slice(0, seen.findLastIndex((e) => e.lastOfRevision) + 1);
}

test("a watcher that goes and comes under concurrent writes sees all, once", async () => {
  const customer = await open();
  const steady = watch(customer.wire, 0n);
  let over = false;
  const writing = Promise.all(["a", "b", "c"].map((seed) => churn(customer, seed, 25))).then(() => {
    over = true;
  });
  // The writers may end before as much comes as is waited for.
  const isAll = async (read: bigint) => over && read === (await newest()).newest;
  const rng = seededRng("restless");
  const pieces: WatchEvent[] = [];
  for (;;) {
    const from = pieces.at(-1)?.revision ?? 0n;
    if (await isAll(from)) break;
    pieces.push(...(await readSome(customer.wire, from, { count: 1 + rng.int(5), isAll })));
  }
  await writing;
  const whole = (await caughtUp(steady)).map(line);
  expect(pieces.map(line)).toEqual(whole);
  const revisions = [...new Set(events(steady).map((e) => e.revision))];
  expect(revisions).toEqual(revisions.map((_, i) => BigInt(i + 1)));
  for (let from = 0n; from < (await newest()).newest; from += 7n) {
    const later = watch(customer.wire, from);
    const tail = events(steady).filter((e) => e.revision > from);
    expect((await caughtUp(later)).map(line)).toEqual(tail.map(line));
    later.call.cancel();
  }
  steady.call.cancel();
});

/** Changes the account's one network `count` times; rests after each part, if told how. */
async function rename(id: string, count: number, rest?: () => Promise<unknown>): Promise<void> {
  const { store } = yard.controller.context;
  for (let done = 0; done < count; done += PART) {
    const part = Array.from({ length: Math.min(PART, count - done) }, (_, i) =>
      store.write({ by: "system:test", method: "Test", at: 0 }, async (tx) => {
        const own = tx.account(ACME).clusterNetworks;
        const row = await own.get(id as never);
        if (row) await own.update({ ...row, etag: `e${done + i}`, name: `n${done + i}` });
      }),
    );
    await Promise.all(part);
    await rest?.();
  }
}

test("a revision that is no longer kept, or has not come, is refused with what to do", async () => {
  const customer = await open();
  const { id } = await customer.network();
  const future = await watch(customer.wire, 99n).ended;
  expect(future).toMatchObject({ code: OUT_OF_RANGE, reason: "REVISION_UNKNOWN" });
  await rename(id, ACCOUNT_LOG_ROWS + 10);
  const { store } = yard.controller.context;
  const cause = { by: "system:test", method: "Test", at: 0 };
  await store.write(cause, (tx) => tx.expire(0));
  const old = await watch(customer.wire, 1n).ended;
  expect(old).toMatchObject({ code: OUT_OF_RANGE, reason: "REVISION_TOO_OLD" });
  expect(old?.message).toContain("relist");
  const kept = watch(customer.wire, (await newest()).droppedTo);
  await caughtUp(kept);
  expect(events(kept)).toHaveLength(ACCOUNT_LOG_ROWS);
  kept.call.cancel();
});

test("who does not read is closed with its last revision, while others go on", async () => {
  const customer = await open();
  const { id } = await customer.network();
  const slow = watch(customer.wire);
  const fast = watch(customer.wire, 0n);
  await until("both began", () => slow.messages.length > 0 && fast.messages.length > 0);
  slow.call.pause();
  const changes = BEHIND_ROWS_MAX + 2_000;
  await rename(id, changes, () => caughtUp(fast));
  expect(await caughtUp(fast)).toHaveLength(changes + 1);
  slow.call.resume();
  const refusal = await slow.ended;
  expect(refusal).toMatchObject({ code: RESOURCE_EXHAUSTED, reason: "READER_TOO_SLOW" });
  const last = BigInt(refusal?.details.info?.metadata.get("last_revision") ?? 0);
  expect(last).toBeGreaterThan(0n);
  expect(last).toBe(events(slow).at(-1)?.revision);
  const again = watch(customer.wire, last);
  expect((await caughtUp(again)).map(line)).toEqual(
    events(fast)
      .filter((e) => e.revision > last)
      .map(line),
  );
  for (const stream of [fast, again]) stream.call.cancel();
});

test("a reader that rests during a burst is not closed, and misses nothing", async () => {
  const customer = await open();
  const { id } = await customer.network();
  const resting = watch(customer.wire);
  const fast = watch(customer.wire);
  await until("both began", () => resting.messages.length > 0 && fast.messages.length > 0);
  resting.call.pause();
  const burst = SHARED.rows + 1_000;
  await rename(id, burst, () => caughtUp(fast));
  expect(events(resting).length).toBeLessThan(burst);
  resting.call.resume();
  expect((await caughtUp(resting)).map(line)).toEqual(events(fast).map(line));
  expect(events(resting)).toHaveLength(burst);
  for (const stream of [resting, fast]) stream.call.cancel();
});

test("an account sees its own revisions and nothing of another's", async () => {
  const customer = await open();
  const other = new Customer(await yard.tenant("globex"));
  const mine = watch(customer.wire, 0n);
  const theirs = watch(other.wire, 0n);
  await customer.network({ name: "mine-1" });
  await other.network({ name: "theirs-1" });
  await other.network({ name: "theirs-2" });
  await customer.network({ name: "mine-2" });
  await until("both", () => events(mine).length === 2 && events(theirs).length === 2);
  const seen = (stream: Stream) => events(stream).map((e) => [e.revision, e.object?.value.name]);
  expect(seen(mine)).toEqual([
    [1n, "mine-1"],
    [2n, "mine-2"],
  ]);
  expect(seen(theirs)).toEqual([
    [1n, "theirs-1"],
    [2n, "theirs-2"],
  ]);
  const dry = CreateClusterNetworkRequest.fromPartial({
    ...{ profile: "hopper-1", vpcId: "vpc-research", zone: "us-east-3", validateOnly: true },
  });
  await other.wire.call(ClusterNetworkServiceService.createClusterNetwork, dry);
  for (const stream of [mine, theirs]) stream.call.cancel();
});

test("an idle watch is told from time to time how far it is", async () => {
  const customer = await open();
  const stream = watch(customer.wire, 0n, [ResourceKind.RESOURCE_KIND_HOLD]);
  await customer.network();
  await until("a bookmark", () => bookmarks(stream).length > 0);
  expect(events(stream)).toEqual([]);
  expect(bookmarks(stream)[0]).toBe(1n);
  stream.call.cancel();
});

test("a controller with open watches stops in time, and tells them to come again", async () => {
  const customer = await open();
  const streams = Array.from({ length: 20 }, () => watch(customer.wire));
  await until("all began", () => streams.every((s) => s.messages.length > 0));
  const before = performance.now();
  await yard.controller.stop();
  expect(performance.now() - before).toBeLessThan(20_000);
  for (const { ended } of streams) expect((await ended)?.code).toBe(14);
});
