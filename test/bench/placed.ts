// Measured: what the size of the fleet and its signs of life cost those who create instances, end
// to end: through gRPC, placed, durable, told to made-up agents behind a real broker, who accept.
import { join } from "node:path";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { type Broker, startBroker } from "../broker.js";
import type { Effort } from "./compare.js";
import { type Figure, figure, least, median, most } from "./figure.js";
import { createBare, placedCreates } from "./instances.js";
import type { LoadResult } from "./load.js";
import { copyNodes } from "./nodes.js";
import { Remote } from "./remote.js";
import { BenchYard } from "./yard.js";

/** The rest of the nodes are written as copies of these. */
const COPIED = 2;
const FEW = 1_000;
const MANY = 100_000;
/** Quick runs show that it works with fewer. */
const QUICK_MANY = 5_000;
const CREATES = 500;
const BEATS_PER_SECOND = 10_000;
const SECONDS = 10;
const SETTLE_MS = 2_000;
const GREET_MS_MAX = 120_000;

interface Taken extends LoadResult {
  /** Processor time of the controller for a create. */
  readonly cpuMicros: number;
}

/** A controller, its broker and its agents. */
class Fleet {
  private readonly broker: Broker;
  private readonly agents: Remote;

  private constructor(
    readonly yard: BenchYard,
    readonly nodes: number,
    { broker, agents }: { readonly broker: Broker; readonly agents: Remote },
  ) {
    this.broker = broker;
    this.agents = agents;
  }

  static async open(nodes: number): Promise<Fleet> {
    const broker = await startBroker("");
    const small = await BenchYard.open({ nodes: COPIED, broker: broker.server });
    await small.stop();
    copyNodes(small.database, { from: COPIED, count: nodes - COPIED });
    const yard = await small.reopened(nodes);
    const agents = Remote.start("fleet-process", join(yard.dir, "agents.log"));
    await agents.ask("start", { server: broker.server, nodes });
    return new Fleet(yard, nodes, { broker, agents });
  }

  async create(n: number): Promise<Taken> {
    const { createInstance } = InstanceServiceService;
    const call = this.yard.callOf(createInstance, createBare());
    const result = await placedCreates(this.yard, call, n);
    return { ...result, cpuMicros: this.yard.cpuPerCall };
  }

  /** Does `use` while signs of life come in; throws unless every one of them was heard. */
  async beating<T>(use: () => Promise<T>): Promise<T> {
    const { result, heard } = await this.beatingUnasked(use);
    await heard();
    return result;
  }

  /** The same; whether all were heard is asked, and throws, only when called. */
  async beatingUnasked<T>(use: () => Promise<T>) {
    const begun = performance.now();
    await this.agents.ask("beat", { nodes: this.nodes, perSecond: BEATS_PER_SECOND });
    const result = await use();
    const sent = await this.agents.ask<number>("rest");
    await delay(SETTLE_MS);
    const heard = () => this.mustHaveHeard(sent, begun);
    return { result, heard };
  }

  private async mustHaveHeard(sent: number, begun: number): Promise<void> {
    // A busy controller counts back from a moment later than this one.
    const withinMs = performance.now() - begun + SETTLE_MS / 2;
    const wish = { count: this.nodes, withinMs };
    const heard = await this.yard.remote.ask<number>("heardOf", wish);
    const due = Math.min(sent, this.nodes);
    if (heard < due) throw new Error(`${heard} of ${due} signs of life were heard`);
  }

  /** Beats until every node was heard once: its session is then known, and looked up no more. */
  async greet(): Promise<void> {
    const begun = performance.now();
    await this.agents.ask("beat", { nodes: this.nodes, perSecond: BEATS_PER_SECOND });
    for (let heard = 0; heard < this.nodes; ) {
      const withinMs = performance.now() - begun;
      if (withinMs > GREET_MS_MAX) throw new Error(`${heard} of ${this.nodes} nodes were heard`);
      await delay(SETTLE_MS);
      heard = await this.yard.remote.ask<number>("heardOf", { count: this.nodes, withinMs });
    }
    await this.agents.ask("rest");
    await delay(SETTLE_MS);
  }

  async close(): Promise<void> {
    await this.agents.end();
    await this.yard.close();
    await this.broker.stop();
  }
}

/** All figures, on two controllers that take turns. */
export async function measurePlaced(effort: Effort): Promise<readonly Figure[]> {
  const few = await Fleet.open(FEW);
  const opening = Fleet.open(effort.less > 1 ? QUICK_MANY : MANY);
  const many = await opening.catch(async (err) => {
    await few.close();
    throw err;
  });
  try {
    const cost = await beatCost(effort, many);
    return [...(await createFigures(effort, few, many)), ...cost];
  } finally {
    await few.close();
    await many.close();
  }
}

async function createFigures(effort: Effort, few: Fleet, many: Fleet): Promise<Figure[]> {
  const n = Math.ceil(CREATES / effort.less);
  const taken: [Taken[], Taken[], Taken[]] = [[], [], []];
  // Both compile until some thousand creates were made: the larger fleet must not be ahead.
  for (let window = 0; window < effort.warm; window++) {
    for (const fleet of [few, many]) await fleet.create(n);
  }
  await few.yard.profile("placed-few");
  await many.yard.profile("placed");
  for (let window = 0; window < effort.windows; window++) {
    const small = await few.create(n);
    const large = await many.create(n);
    const beaten = await many.beating(() => many.create(n));
    for (const [at, result] of [small, large, beaten].entries()) taken[at]?.push(result);
  }
  const [small, large, beaten] = taken;
  const p99 = { value: median(large.map(({ p99Ms }) => p99Ms)), unit: "ms" };
  const ratio = (ours: readonly Taken[], theirs: readonly Taken[]) =>
    median(rates(ours).map((rate, i) => rate / (rates(theirs)[i] ?? Number.NaN)));
  const calm = ratio(large, small);
  const busy = ratio(beaten, large);
  return [
    figure(`Placed creates, ${many.nodes} nodes, of ${few.nodes}`, {
      ...{ value: calm, unit: "×", goal: least(0.85), note: textOf(large, small) },
    }),
    figure(`Placed creates, ${many.nodes} nodes, 99 of 100 within`, {
      ...{ ...p99, note: `of ${few.nodes}: ${median(small.map((s) => s.p99Ms)).toFixed(0)} ms` },
    }),
    figure(`Placed creates, ${BEATS_PER_SECOND} heartbeats/s, of without`, {
      ...{ value: busy, unit: "×", goal: least(0.8), note: textOf(beaten, large) },
    }),
  ];
}

/** Processor time and commits of the controller, with nothing else to do. */
async function beatCost(effort: Effort, fleet: Fleet): Promise<Figure[]> {
  const ms = Math.max(2_000, (SECONDS * 1_000) / effort.less);
  await fleet.greet();
  const idle = await busyFor(fleet, () => delay(ms + SETTLE_MS));
  await fleet.yard.profile("heartbeats");
  let heard = async () => {};
  const beaten = await busyFor(fleet, async () => {
    heard = (await fleet.beatingUnasked(() => delay(ms))).heard;
  });
  await heard();
  await fleet.yard.endProfile();
  const percent = (beaten.seconds - idle.seconds) / (ms / 1_000);
  const said = [beaten, idle].map(({ seconds }) => `${((seconds / ms) * 1e5).toFixed(1)} %`);
  const note = `${fleet.nodes} nodes; ${said[0]} with, ${said[1]} without, over ${ms / 1_000} s`;
  const cost = { value: percent * 100, unit: "% of a core", goal: most(15), note };
  const commits = { value: beaten.commits, unit: "commits", goal: most(0) };
  return [
    figure(`${BEATS_PER_SECOND} heartbeats/s, processor time`, cost),
    figure(`${BEATS_PER_SECOND} heartbeats/s, durable writes`, commits),
  ];
}

async function busyFor({ yard }: Fleet, use: () => Promise<void>) {
  const before = await yard.counts();
  await use();
  const after = await yard.counts();
  const seconds = (after.cpuMicros - before.cpuMicros) / 1e6;
  return { seconds, commits: after.commits - before.commits };
}

function rates(results: readonly LoadResult[]): number[] {
  return results.map(({ callsPerSecond }) => callsPerSecond);
}

function textOf(ours: readonly Taken[], theirs: readonly Taken[]): string {
  const [us, them] = [ours, theirs].map((taken) => ({
    rate: median(rates(taken)).toFixed(0),
    cpu: median(taken.map(({ cpuMicros }) => cpuMicros)).toFixed(0),
  }));
  return `${us?.rate}/s of ${them?.rate}/s, CPU ${us?.cpu} of ${them?.cpu} µs a create`;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
