// What an explanation costs: every node counted, every small change tried, for gangs that do not
// fit anywhere near as close together as they are asked for.
import { changesFor, type HeldRooms } from "@railyard/controller/placement/changes";
import { explain } from "@railyard/controller/placement/explain";
import { FleetIndex } from "@railyard/controller/placement/fleet-index";
import type { Ask } from "@railyard/controller/placement/trial";
import type { HoldId, NodeId } from "@railyard/lib/ids";
import { seededRng } from "@railyard/lib/rng";
import { type Figure, figure, median, most, percentile } from "./figure.js";
import { benchNode, benchRequest, takenMasks } from "./placement-fleet.js";

const SEED = "explain";
const NODES = 10_000;
const FULL = 0.95;
/** Holds that take whole nodes, four each. */
const HOLDS = 64;
const HELD = 4;
/** One node in so many has a rail that is not well. */
const SICK = 20;
const COUNT = 64;
const WARM = 5;

export function explainFigures({ quick }: { readonly quick: boolean }): Figure[] {
  const rng = seededRng(SEED);
  const taken = takenMasks(NODES, FULL, rng);
  const index = new FleetIndex();
  const whole: NodeId[] = [];
  for (const [at, mask] of taken.entries()) {
    const node = benchNode(at, mask);
    const isSick = rng.int(SICK) === 0;
    const pairs = node.pairs.map((pair) => ({ ...pair, healthy: !isSick || pair.rail > 0 }));
    index.put({ ...node, pairs });
    if (mask === 0xff) whole.push(node.nodeId);
  }
  const holds = Array.from({ length: HOLDS }, (_, n): HeldRooms => {
    const rooms = whole.slice(n * HELD, (n + 1) * HELD).map((nodeId) => {
      return { nodeId, pairs: 0xff, vcpu: 152, memoryMib: 8 * 224 * 1024, diskGib: 0 };
    });
    return { holdId: `hold-${n}` as HoldId, endsAt: n, rooms };
  });
  const counts: number[] = [];
  const times: number[] = [];
  let changes = 0;
  for (let n = 0; n < WARM + (quick ? 10 : 60); n++) {
    const ask = gangAsk(n);
    const started = spentMs();
    const explained = explain(index, ask);
    const counted = spentMs();
    const found = explained.trial.fits
      ? []
      : changesFor(index, ask, { holds, another: benchNode(0, 0) });
    if (n < WARM) continue;
    changes += found.length;
    counts.push(counted - started);
    times.push(spentMs() - started);
  }
  const shown = (of: readonly number[]) => `p99 ${percentile(of, 0.99).toFixed(1)} ms`;
  const note = `gangs of ${COUNT}, ${FULL * 100} % full; ${shown(counts)}`;
  const name = `explain with full counts, ${NODES} nodes`;
  return [
    figure(name, { value: median(counts), unit: "ms", goal: most(50), note }),
    figure(`${name}, every change tried`, {
      value: median(times),
      unit: "ms",
      note: `${changes} changes found; ${HOLDS} holds; ${shown(times)}`,
    }),
  ];
}

/** Processor time: others may share the machine. */
function spentMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function gangAsk(n: number): Ask {
  // Whole nodes and halves in turn.
  const member = benchRequest(n % 2 === 0 ? 6 * n : 6 * n + 2);
  return { kind: "gang", gang: { member, count: COUNT, maxLeafGroups: 1, segmentSize: undefined } };
}
