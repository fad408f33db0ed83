// What one decision of placement costs, at three sizes of fleet and two degrees of fullness, beside
// a sampling and a plain scheduler; whether it is as good as a full scan; memory and start-up of
// the index.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { FleetNode } from "@railyard/controller/placement/fleet";
import { FleetIndex } from "@railyard/controller/placement/fleet-index";
import { placeGang } from "@railyard/controller/placement/gang";
import { choose } from "@railyard/controller/placement/place";
import { type Rng, seededRng } from "@railyard/lib/rng";
import { type Figure, figure, least, median, most, percentile } from "./figure.js";
import { explainFigures } from "./placement-explain.js";
import { benchNode, benchRequest, SHAPES, takenMasks } from "./placement-fleet.js";
import { benchGang, gangFigures } from "./placement-gangs.js";
import { qualityFigures } from "./placement-quality.js";
import { PlainFleet, scoreOn } from "./placement-yardsticks.js";

const SEED = "placement";
const SIZE_MIN = 1_000;
const SIZE_MAX = 100_000;
const SIZES = [SIZE_MIN, 10_000, SIZE_MAX];
const FULL = [0.7, 0.95];
/** How many times as fast as the sampling scheduler, by nodes. */
const TIMES_SAMPLING = new Map([
  [10_000, 100],
  [100_000, 400],
]);
/** Decisions before those that count: what decides is compiled a good while after it begins. */
const WARM = 6_000;

interface Effort {
  readonly decisions: number;
  /** Of each yardstick in the largest fleet: they cost up to a thousand times as much. */
  readonly yardstick: number;
  readonly lockstep: number;
}

const WHOLE_EFFORT: Effort = { decisions: 20_000, yardstick: 60, lockstep: 100_000 };
const QUICK_EFFORT: Effort = { decisions: 3_000, yardstick: 24, lockstep: 3_000 };

/** Every figure; `quick` takes fewer samples over the same fleets. */
export async function figures({ quick }: { readonly quick: boolean }): Promise<Figure[]> {
  const effort = quick ? QUICK_EFFORT : WHOLE_EFFORT;
  const out: Figure[] = [];
  for (const full of FULL) out.push(...decisionFigures(full, effort));
  out.push(...gangFigures({ quick }), lockstepFigure(effort), ...qualityFigures({ quick }));
  out.push(...explainFigures({ quick }), ...indexFigures());
  return out;
}

function decisionFigures(full: number, effort: Effort): Figure[] {
  const out: Figure[] = [];
  const percent = `${full * 100} % full`;
  let first = 0;
  for (const size of SIZES) {
    const bench = new Churn(size, full);
    for (let at = 0; at < WARM; at++) bench.step(at);
    const times = Array.from({ length: effort.decisions }, (_, at) => bench.step(WARM + at));
    const own = median(times);
    const p99 = percentile(times, 0.99);
    const usual = mean([...times].sort((a, b) => a - b).slice(0, Math.ceil(times.length * 0.99)));
    // Processor time counts in steps of milliseconds, so what costs less is done more often.
    const rounds = Math.ceil((effort.yardstick * SIZE_MAX) / size);
    const sampling = bench.yardstick(rounds, "sample");
    const plain = bench.yardstick(rounds, "scan");
    if (size === SIZE_MIN) first = usual;
    const name = `${size} nodes, ${percent}`;
    const note = `median ${own.toFixed(2)} µs, mean without the slowest 1 % ${usual.toFixed(2)}`;
    const wanted = TIMES_SAMPLING.get(size);
    const goal = wanted === undefined ? {} : { goal: least(wanted) };
    out.push(
      figure(`decision p99, ${name}`, { value: p99, unit: "µs", goal: most(50), note }),
      figure(`faster than sampling, ${name}`, {
        value: sampling / usual,
        unit: "x",
        ...goal,
      }),
      figure(`faster than plain, ${name}`, { value: plain / usual, unit: "x" }),
    );
    if (size !== SIZE_MIN) {
      const growth = { value: usual / first, unit: "x", goal: most(8) };
      out.push(figure(`cost against 1000 nodes, ${name}`, growth));
    }
  }
  return out;
}

/** A fleet in which instances come and go, in the index and in plain objects alike. */
class Churn {
  readonly index = new FleetIndex();
  readonly plain: PlainFleet;
  private readonly rng: Rng;
  private readonly taken: number[];
  private readonly at = new Map<string, number>();
  private readonly placed: { node: number; mask: number }[] = [];

  constructor(size: number, full: number) {
    this.rng = seededRng(`${SEED}/${size}/${full}`);
    this.taken = takenMasks(size, full, this.rng);
    const nodes = this.taken.map((mask, at) => benchNode(at, mask));
    for (const [at, node] of nodes.entries()) {
      this.index.put(node);
      this.at.set(node.nodeId, at);
      if (this.taken[at]) this.placed.push({ node: at, mask: this.taken[at] });
    }
    this.plain = new PlainFleet(nodes);
  }

  /** One decision, what it claims, and another's release; how long deciding took, µs. */
  step(n: number): number {
    const request = benchRequest(n);
    const before = performance.now();
    const choice = choose(this.index, request);
    const took = (performance.now() - before) * 1_000;
    if (!choice || choice.bundle === 0) return took;
    const node = this.at.get(choice.nodeId) ?? 0;
    this.set(node, (this.taken[node] ?? 0) | choice.bundle);
    this.placed.push({ node, mask: choice.bundle });
    const goes = this.rng.int(this.placed.length);
    const [gone] = this.placed.splice(goes, 1, this.placed.at(-1) ?? { node, mask: 0 });
    this.placed.pop();
    if (gone) this.set(gone.node, (this.taken[gone.node] ?? 0) & ~gone.mask);
    return took;
  }

  /** Whether the choice for request `n` has the best score that a scan finds. */
  agrees(n: number): boolean {
    const request = benchRequest(n);
    const choice = choose(this.index, request);
    const chosen = choice && this.plain.nodes[this.at.get(choice.nodeId) ?? -1];
    return (chosen && scoreOn(chosen, request)) === this.plain.scan(request)?.score;
  }

  /**
   * Mean of one decision of a yardstick, µs of processor time: others may share the machine. Before
   * that it looks at as many nodes as WARM decisions of a scan take it to in the smallest fleet.
   */
  yardstick(decisions: number, how: "sample" | "scan"): number {
    const warm = Math.ceil((WARM * SIZE_MIN) / this.plain.nodes.length);
    for (let n = 0; n < warm; n++) this.plain[how](benchRequest(n));
    const before = process.cpuUsage();
    for (let n = 0; n < decisions; n++) this.plain[how](benchRequest(n));
    return process.cpuUsage(before).user / decisions;
  }

  private set(at: number, mask: number): void {
    this.taken[at] = mask;
    const node: FleetNode = benchNode(at, mask);
    this.index.put(node);
    const plain = this.plain.nodes[at];
    if (plain) this.plain.set(plain, node);
  }
}

function lockstepFigure({ lockstep }: Effort): Figure {
  const bench = new Churn(1_000, 0.9);
  let equal = 0;
  for (let n = 0; n < lockstep; n++) {
    if (bench.agrees(n)) equal += 1;
    bench.step(n);
  }
  const note = `${lockstep} decisions, 1000 nodes`;
  const { ok, ...rest } = figure("score equal to an exhaustive scan", {
    value: (100 * equal) / lockstep,
    unit: "%",
    goal: least(100),
    note,
  });
  return { ...rest, ok: ok && equal === lockstep };
}

function indexFigures(): Figure[] {
  const size = 100_000;
  const taken = takenMasks(size, 0.7, seededRng(`${SEED}/memory`));
  // Made before, so that the time is the index's own.
  const nodes = taken.map((mask, at) => benchNode(at, mask));
  const before = memoryInUse();
  const started = process.cpuUsage();
  const index = new FleetIndex();
  for (const node of nodes) index.put(node);
  choose(index, benchRequest(0));
  const startUp = process.cpuUsage(started).user / 1_000;
  for (let n = 0; n < WARM; n++) choose(index, benchRequest(n));
  for (let n = 0; n < SHAPES.length; n++) placeGang(index, benchGang(n, 128));
  const perNode = (memoryInUse() - before) / Math.min(index.size, nodes.length);
  return [
    figure("index memory", { value: perNode, unit: "B/node", goal: most(150) }),
    figure("index start-up, 100000 nodes", { value: startUp, unit: "ms", goal: most(2_000) }),
  ];
}

function memoryInUse(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
