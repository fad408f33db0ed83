// What placing a gang costs while instances and gangs come and go.
import type { FleetNode } from "@railyard/controller/placement/fleet";
import { FleetIndex } from "@railyard/controller/placement/fleet-index";
import { type GangRequest, placeGang } from "@railyard/controller/placement/gang";
import { seededRng } from "@railyard/lib/rng";
import { type Figure, figure, median, most } from "./figure.js";
import { benchNode, benchRequest, GROUP_NODES, takenMasks } from "./placement-fleet.js";

const SEED = "gangs";
const FULL = 0.7;
const SIZES = [10_000, 100_000];
/** Milliseconds by members; held at 10 000 nodes. */
const GOALS = new Map([
  [128, 5],
  [1_024, 50],
]);
const GOALS_AT = 10_000;
/** Nodes that changed since the gang before. */
const CHANGES = 200;

/** Gang number `at` of so many members, with twice the leaf groups that an empty fleet needs. */
export function benchGang(at: number, count: number): GangRequest {
  return {
    member: benchRequest(at),
    count,
    maxLeafGroups: Math.ceil((4 * count) / GROUP_NODES),
    segmentSize: undefined,
  };
}

export function gangFigures({ quick }: { readonly quick: boolean }): Figure[] {
  return SIZES.flatMap((size) =>
    [...GOALS].flatMap(([count, goal]) => {
      const [held, shared] = [0, 2].map((shape) => cost({ size, count, shape, quick }));
      const bound = benchGang(0, count).maxLeafGroups;
      const name = `gang of ${count}, ${size} nodes, ${FULL * 100} % full`;
      return [
        figure(name, {
          value: held?.each ?? 0,
          unit: "ms",
          ...(size === GOALS_AT && { goal: most(goal) }),
          note: `whole nodes, at most ${bound} leaf groups; ${held?.note}`,
        }),
        figure(`${name}, halves`, {
          value: shared?.each ?? 0,
          unit: "ms",
          note: shared?.note ?? "",
        }),
      ];
    }),
  );
}

interface Case {
  readonly size: number;
  readonly count: number;
  /** Number of the shape of its members. */
  readonly shape: number;
  readonly quick: boolean;
}

/** The median of one gang, ms of processor time: others may share the machine. */
function cost({ size, count, shape, quick }: Case): { each: number; note: string } {
  const rng = seededRng(`${SEED}/${size}/${count}/${shape}`);
  const index = new FleetIndex();
  const taken = takenMasks(size, FULL, rng);
  for (const [at, mask] of taken.entries()) index.put(benchNode(at, mask));
  const times: number[] = [];
  let placed = 0;
  const rounds = quick ? 10 : 50;
  for (let n = 0; n < rounds + 5; n++) {
    for (let i = 0; i < CHANGES; i++) {
      const at = rng.int(size);
      // Nodes change places, so that the fleet stays as full as it is.
      const other = rng.int(size);
      const masks = [taken[other] ?? 0, taken[at] ?? 0];
      for (const [j, node] of [at, other].entries()) {
        taken[node] = masks[j] ?? 0;
        const changed: FleetNode = benchNode(node, masks[j] ?? 0);
        index.put(changed);
      }
    }
    const wanted = benchGang(shape + 6 * n, count);
    const before = process.cpuUsage();
    const found = placeGang(index, wanted);
    const { user, system } = process.cpuUsage(before);
    if (n < 5) continue;
    times.push((user + system) / 1_000);
    if (found.fits) placed += 1;
  }
  return { each: median(times), note: `${placed} of ${rounds} placed` };
}
