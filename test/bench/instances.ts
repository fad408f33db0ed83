// Measured: creates of instances and subnets, durable, against an echo of the same messages. The
// body is the same each time: names are left out, so that each gets four words of its own.
import {
  ClusterNetworkSubnetServiceService,
  CreateClusterNetworkSubnetRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import {
  type CreateInstanceRequest,
  InstanceServiceService,
  ListInstancesRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { instanceRequest } from "../customer.js";
import { bareRows } from "./bare-rows.js";
import { cpuNote, type Effort, interleaved, withEcho } from "./compare.js";
import { type Figure, figure, least } from "./figure.js";
import type { Call, LoadResult } from "./load.js";
import { BenchYard } from "./yard.js";

const CREATES = 1_000;
/** Instances without a GPU that one node takes: 176 vCPUs of 8. */
const PER_NODE = 22;
/**
 * Subnets in each of so many networks: twice the quota that an account has by default, so that the
 * loads are all under way for most of a window.
 */
const SUBNETS = 64;
const NETWORKS = 16;
/** The echo is asked so many times as often, so that both loads last about as long. */
const AS_LONG = 4;
/** Such loads in a window: one alone is over in a tenth of a second on the echo's side. */
const ROUNDS = 2;
const ATTACHED = 400;

/** An instance without cluster network attachments. */
export function createBare(): CreateInstanceRequest {
  return instanceRequest("", [], { profile: "bx3d-8x40" });
}

/** Creates so many; calls a second. Throws when any found no room: that is another work. */
export async function creates(yard: BenchYard, call: Call, n: number): Promise<number> {
  return (await placedCreates(yard, call, n)).callsPerSecond;
}

/** The same, with how long the slowest took. */
export async function placedCreates(yard: BenchYard, call: Call, n: number): Promise<LoadResult> {
  const result = await yard.load(call, n);
  const status = InstanceStatus.INSTANCE_STATUS_FAILED;
  const wish = ListInstancesRequest.fromPartial({ pageSize: 1, status });
  const { totalSize } = await yard.call(InstanceServiceService.listInstances, wish);
  if (totalSize > 0n) throw new Error(`${totalSize} instances found no room`);
  return result;
}

export async function measureBareInstances(effort: Effort): Promise<readonly Figure[]> {
  const n = Math.ceil(CREATES / effort.less);
  const nodes = Math.ceil((n * (effort.windows + effort.warm)) / PER_NODE) + 2;
  const yard = await BenchYard.open({ nodes });
  try {
    const request = createBare();
    const call = yard.callOf(InstanceServiceService.createInstance, request);
    const response = await yard.answerTo(InstanceServiceService.createInstance, request);
    await yard.profile("create-instance");
    return await withEcho(yard, { call, response }, async (echo) => {
      const ours = () => creates(yard, call, n);
      const { ratio, ...rates } = await interleaved(effort, { ours, theirs: () => echo(n) });
      const note = `${textOf(rates)}, ${cpuNote(yard, echo)}, ${nodes} nodes`;
      return [
        figure("CreateInstance of echo", { value: ratio, unit: "×", goal: least(0.35), note }),
      ];
    });
  } finally {
    await yard.close();
  }
}

export async function measureSubnets(effort: Effort): Promise<readonly Figure[]> {
  const yard = await BenchYard.open();
  try {
    const { createClusterNetworkSubnet: method } = ClusterNetworkSubnetServiceService;
    const networks = Math.ceil(NETWORKS / effort.less);
    const total = SUBNETS * networks;
    const requestIn = (clusterNetworkId: string) =>
      CreateClusterNetworkSubnetRequest.fromPartial({
        clusterNetworkId,
        range: { $case: "totalIpv4AddressCount", value: 256n },
      });
    const first = requestIn((await yard.customer.network()).id);
    const response = await yard.answerTo(method, first);
    const call = yard.callOf(method, first);
    await yard.profile("create-subnet");
    return await withEcho(yard, { call, response }, async (echo) => {
      // Networks of its own for each window: what one holds already makes the next subnet dearer.
      const load = async () => {
        const calls: Call[] = [];
        for (let i = 0; i < networks; i++) {
          calls.push(yard.callOf(method, requestIn((await yard.customer.network()).id)));
        }
        return (await yard.loadEach(calls, SUBNETS)).callsPerSecond;
      };
      const ours = () => inRounds(load);
      const theirs = () => inRounds(() => echo(total * AS_LONG, networks));
      const { ratio, ...rates } = await interleaved(effort, { ours, theirs });
      const where = `${SUBNETS} in each of ${networks} networks`;
      const note = `${textOf(rates)}, ${cpuNote(yard, echo)}, ${where}`;
      return [figure("CreateSubnet of echo", { value: ratio, unit: "×", goal: least(0.5), note })];
    });
  } finally {
    await yard.close();
  }
}

/** Calls a second over several loads of as many calls. */
async function inRounds(load: () => Promise<number>): Promise<number> {
  let seconds = 0;
  for (let round = 0; round < ROUNDS; round++) seconds += 1 / (await load());
  return ROUNDS / seconds;
}

/** With eight prototype attachments: a whole node each. */
export async function measureAttachedInstances(effort: Effort): Promise<readonly Figure[]> {
  const n = Math.ceil(ATTACHED / effort.less);
  const yard = await BenchYard.open({ nodes: n * (2 * effort.windows + effort.warm) + 1 });
  try {
    const network = await yard.customer.network();
    const range = { $case: "totalIpv4AddressCount" as const, value: 65_536n };
    const subnet = await yard.customer.subnet(network.id, { range });
    const request = instanceRequest(
      "",
      Array.from({ length: 8 }, () => subnet.id),
    );
    const call = yard.callOf(InstanceServiceService.createInstance, request);
    const response = await yard.answerTo(InstanceServiceService.createInstance, request);
    await yard.profile("create-instance-8");
    const figures = await withEcho(yard, { call, response }, async (echo) => {
      const ours = () => creates(yard, call, n);
      const { ratio, ...rates } = await interleaved(effort, { ours, theirs: () => echo(n) });
      const [goal, note] = [least(0.1), `${textOf(rates)}, ${cpuNote(yard, echo)}`];
      return [
        figure("CreateInstance, 8 attachments, of echo", { value: ratio, unit: "×", goal, note }),
      ];
    });
    return [...figures, await againstBareLoop(yard, { call, calls: n, effort })];
  } finally {
    await yard.close();
  }
}

async function againstBareLoop(
  yard: BenchYard,
  load: Parameters<typeof bareRows>[1],
): Promise<Figure> {
  const { ours, bare, ratio: value, rowsPerCall } = await bareRows(yard, load);
  const note = `${textOf({ ours, theirs: bare })}, ${rowsPerCall.toFixed(1)} rows a create`;
  return figure("CreateInstance, 8 attachments, of bare rows", {
    ...{ value, unit: "×", goal: least(0.5), note },
  });
}

function textOf({ ours, theirs }: { readonly ours: number; readonly theirs: number }): string {
  return `${ours.toFixed(0)}/s of ${theirs.toFixed(0)}/s`;
}
