// Measured: how late watchers hear of changes, whether the controller's memory stays flat, and what
// watchers cost those who create.

import { join } from "node:path";
import {
  ClusterNetworkSubnetServiceService,
  UpdateClusterNetworkSubnetRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { type Effort, interleaved } from "./compare.js";
import { type Figure, figure, least, median, most, percentile } from "./figure.js";
import { createBare, creates } from "./instances.js";
import { Remote } from "./remote.js";
import { BenchYard } from "./yard.js";

const READERS = 500;
const CHANGES_PER_SECOND = 200;
const SECONDS = 20;
const TICK_MS = 50;
const SETTLE_MS = 2_000;
const CREATES = 500;
const PER_NODE = 22;
const FEW_READERS = 100;
/** Of the sampled events: a name that is cut between two chunks is not found. */
const SEEN_MIN = 0.9;

export async function measureWatch(effort: Effort): Promise<readonly Figure[]> {
  const yard = await BenchYard.open({ execArgv: ["--expose-gc"] });
  const readers = Remote.start("watchers-process", join(yard.dir, "watchers.log"));
  try {
    const count = Math.ceil(READERS / effort.less);
    const asked = { port: yard.tenantPort, token: yard.token, count };
    const sampled = await readers.ask<number>("open", asked);
    const change = await changer(yard);
    const seconds = Math.ceil(SECONDS / effort.less);
    await yard.profile("watch");
    await changes(change, Math.ceil(seconds / 2));
    await readers.ask("seen");
    const before = await heap(yard);
    const cost = await cpuOf(yard, readers, seconds);
    const changed = await changes(change, seconds);
    const cpu = await cost();
    await delay(SETTLE_MS);
    const grown = ((await heap(yard)) - before) / 1024 ** 2;
    const { lags, ended } = await readers.ask<{ lags: number[]; ended: number }>("seen");
    if (ended > 0) throw new Error(`${ended} watches were ended`);
    const due = sampled * changed.count;
    if (lags.length < due * SEEN_MIN) {
      throw new Error(`only ${lags.length} of ${due} events were seen`);
    }
    const lag = { value: percentile(lags, 0.99), unit: "ms", goal: most(1_000) };
    const { perSecond, answered } = changed;
    const note =
      `${count} readers, ${perSecond.toFixed(0)} changes/s ` +
      `answered within ${answered.toFixed(0)} ms, ` +
      `median ${median(lags).toFixed(0)} ms, ${cpu}`;
    return [
      figure("Watch, 99 of 100 events within", { ...lag, note }),
      figure("Watch, heap grown meanwhile", { value: grown, unit: "MiB", goal: most(16) }),
    ];
  } finally {
    await readers.end();
    await yard.close();
  }
}

/** Creates with and without watchers, each side with a controller of its own. */
export async function measureWatchedCreates(effort: Effort): Promise<readonly Figure[]> {
  const n = Math.ceil(CREATES / effort.less);
  const nodes = Math.ceil((n * (effort.windows + effort.warm)) / PER_NODE) + 1;
  const watched = await BenchYard.open({ nodes });
  const alone = await BenchYard.open({ nodes });
  const readers = Remote.start("watchers-process", join(watched.dir, "watchers.log"));
  try {
    const count = Math.ceil(FEW_READERS / effort.less);
    await readers.ask("open", { port: watched.tenantPort, token: watched.token, count });
    const side = (yard: BenchYard) => () => {
      const call = yard.callOf(InstanceServiceService.createInstance, createBare());
      return creates(yard, call, n);
    };
    const sides = { ours: side(watched), theirs: side(alone) };
    const { ratio, ours, theirs } = await interleaved(effort, sides);
    const note = `${ours.toFixed(0)}/s of ${theirs.toFixed(0)}/s`;
    const goal = least(0.5);
    return [
      figure(`Creates with ${count} watchers of without`, { value: ratio, unit: "×", goal, note }),
    ];
  } finally {
    await readers.end();
    await watched.close();
    await alone.close();
  }
}

/** Notes the processor time of both sides from now on; answers what they took, for people. */
async function cpuOf(yard: BenchYard, readers: Remote, seconds: number) {
  const look = async () =>
    [(await yard.counts()).cpuMicros, await readers.ask<number>("cpuMicros")] as const;
  const [server, client] = await look();
  return async () => {
    const [now, theirs] = await look();
    const share = (micros: number) => ((100 * micros) / (seconds * 1e6)).toFixed(0);
    const shares = [share(now - server), share(theirs - client)];
    return `CPU of the controller ${shares[0]} %, of the readers ${shares[1]} %`;
  };
}

/** Renames one subnet to the time of the call. */
async function changer(yard: BenchYard): Promise<() => Promise<unknown>> {
  const network = await yard.customer.network();
  const subnets = await Promise.all(
    Array.from({ length: 16 }, () => yard.customer.subnet(network.id)),
  );
  let turn = 0;
  return () => {
    const { id } = subnets[turn++ % subnets.length] ?? { id: "" };
    const request = UpdateClusterNetworkSubnetRequest.fromPartial({
      clusterNetworkId: network.id,
      id,
      updateMask: ["name"],
      clusterNetworkSubnet: { name: `t-${Date.now()}-x${turn % 1000}` },
    });
    return yard.call(ClusterNetworkSubnetServiceService.updateClusterNetworkSubnet, request);
  };
}

/** Makes changes at their pace for so long: how many a second, and how late they were answered. */
async function changes(change: () => Promise<unknown>, seconds: number) {
  const started = performance.now();
  const made: Promise<number>[] = [];
  const timed = async () => {
    const asked = performance.now();
    await change();
    return performance.now() - asked;
  };
  while (performance.now() - started < seconds * 1_000) {
    const due = ((performance.now() - started) / 1_000) * CHANGES_PER_SECOND;
    while (made.length < due) made.push(timed());
    await delay(TICK_MS);
  }
  const answered = percentile(await Promise.all(made), 0.99);
  return {
    perSecond: made.length / ((performance.now() - started) / 1_000),
    answered,
    count: made.length,
  };
}

/** With the buffers that wait for readers, which lie outside the heap. */
async function heap(yard: BenchYard): Promise<number> {
  const { heapUsed, external } = await yard.remote.ask<NodeJS.MemoryUsage>("memory");
  return heapUsed + external;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
