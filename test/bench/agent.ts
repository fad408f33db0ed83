// Measured: what an agent costs its machine, in a process of its own over made-up hardware, with a
// real broker and controller: memory with eight instances, idle processor time, and how long a
// claim of 32 VFs takes from the create to the guest that runs.
import { readFileSync } from "node:fs";
import {
  InstanceServiceService,
  ListInstancesRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import { Customer } from "../customer.js";
import { type Daemon, ProcessYard } from "../process-yard.js";
import { exampleMzone } from "../yard.js";
import type { Effort } from "./compare.js";
import { type Figure, figure, median, most } from "./figure.js";

const NODE = "wdc07-a-r01-s01";
const INSTANCES = 8;
const VFS = 32;
const RAILS = 8;
const IDLE_MS = 60_000;
const SETTLE_MS = 5_000;
/** Of the clock in /proc/PID/stat, on every Linux that Node runs on: man 5 proc, sysconf(3). */
const TICKS_PER_S = 100;
/** The periods that the product has by itself; the yard of processes has shorter ones. */
const PRODUCT = {
  RAILYARD_AGENT_SWEEP_MS: "10000",
  RAILYARD_AGENT_REPORT_MS: "10000",
  RAILYARD_AGENT_HELLO_MS: "60000",
};

export async function measureAgent(effort: Effort): Promise<readonly Figure[]> {
  const yard = await ProcessYard.open({ RAILYARD_CONTROLLER_HEARTBEAT_MS: "1000" }, document());
  try {
    const agent = await yard.startAgent(NODE, { env: PRODUCT, document: document() });
    await yard.ready(NODE);
    const customer = new Customer(await yard.tenant("bench"));
    const times: number[] = [];
    for (let window = 0; window < effort.windows; window++) times.push(await launchMs(customer));
    await occupy(customer);
    const idleMs = IDLE_MS / effort.less;
    const { rssMib, busy } = await watch(agent, idleMs);
    return [
      figure(`${VFS} VFs made, given and read back, guest booted`, {
        value: median(times),
        unit: "ms",
        goal: most(1_000),
        note: `create to running, ${times.length} times, 200 ms of it the made-up guest's boot`,
      }),
      figure(`Agent's memory with ${INSTANCES} instances`, {
        value: rssMib,
        unit: "MiB",
        goal: most(150),
        note: "resident",
      }),
      figure("Agent's processor time when idle", {
        value: busy * 100,
        unit: "% of a core",
        goal: most(1),
        note: `${INSTANCES} instances, over ${idleMs / 1_000} s`,
      }),
    ];
  } finally {
    await yard.close();
  }
}

/** The example with a profile that takes one GPU. */
function document() {
  const mzone = exampleMzone();
  mzone.profiles.instances.push({
    ...{ name: "one-gpu", vcpu: 8, memoryGiB: 64, numaCount: 1, bandwidthMbps: 25_000 },
    gpu: { model: "H100", count: 1, memoryGiB: 80 },
    attachments: { enum: [1, 2, 4], default: 1 },
  });
  return mzone;
}

async function launchMs(customer: Customer): Promise<number> {
  const network = await customer.network();
  const subnets: string[] = [];
  for (let rail = 0; rail < RAILS; rail++) subnets.push((await customer.subnet(network.id)).id);
  const wanted = subnets.flatMap((id) => Array<string>(VFS / RAILS).fill(id));
  const begun = performance.now();
  const { id } = await customer.instance("", wanted);
  await customer.running(id);
  const took = performance.now() - begun;
  await customer.delete(id);
  await customer.gone(id);
  return took;
}

async function occupy(customer: Customer): Promise<void> {
  for (let i = 0; i < INSTANCES; i++) {
    const { id } = await customer.instance("", [], { profile: "one-gpu" });
    await customer.running(id);
  }
  const all = ListInstancesRequest.fromPartial({});
  const { instances } = await customer.wire.call(InstanceServiceService.listInstances, all);
  if (instances.length !== INSTANCES) throw new Error(`${instances.length} instances stand`);
}

/** The process's memory, and the share of one core that it takes when nothing is asked of it. */
async function watch(agent: Daemon, idleMs: number) {
  await sleep(SETTLE_MS);
  const before = cpuSeconds(agent.pid);
  await sleep(idleMs);
  const busy = (cpuSeconds(agent.pid) - before) / (idleMs / 1_000);
  const status = readFileSync(`/proc/${agent.pid}/status`, "utf8");
  const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { rssMib: kib / 1_024, busy };
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // Behind the name, which may hold anything: state is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
