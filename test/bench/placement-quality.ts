// How good placement is over time: one trace of gangs and single instances that come and go, played
// to the product and to the yardsticks, each with a fleet of its own.

import type { PlacementRequest } from "@railyard/controller/placement/fleet";
import { FleetIndex } from "@railyard/controller/placement/fleet-index";
import { placeGang } from "@railyard/controller/placement/gang";
import { type Rng, seededRng } from "@railyard/lib/rng";
import { type Figure, figure, least } from "./figure.js";
import { benchNode, benchRequest, GROUP_NODES } from "./placement-fleet.js";
import { PlainFleet, setOn } from "./placement-yardsticks.js";

const SEED = "quality";
const NODES = 1_024;
const WHOLE = 0xff;
/** Sizes of gangs, in whole nodes; each fits into an empty leaf group. */
const GANGS = [2, 4, 8, 16, 24, 32];
const GANG_SHARE = 30;
/** Numbers of shapes of single instances: whole nodes, halves, quarters. */
const SINGLES = [0, 2, 2, 4, 4, 4];
/** Arrivals after which one has gone, on average: about all of the fleet is asked for. */
const STAY = 230;
const ARRIVALS = { whole: 6_000, quick: 1_200 };

/** GPUs by node that one arrival holds. */
type Held = readonly { readonly node: number; readonly mask: number }[];

interface Arrival {
  readonly request: PlacementRequest;
  readonly count: number;
  readonly stay: number;
}

interface Scheduler {
  /** All of it or undefined. */
  place(arrival: Arrival): Held | undefined;
  /** Writes down which GPUs of a node are taken. */
  set(node: number, mask: number): void;
}

export function qualityFigures({ quick }: { readonly quick: boolean }): Figure[] {
  const arrivals = quick ? ARRIVALS.quick : ARRIVALS.whole;
  const own = play(new Own(), arrivals);
  const plain = play(new Yardstick("scan"), arrivals);
  const sampling = play(new Yardstick("sample"), arrivals);
  // The two above share the product's preferences among nodes; this one has the usual one.
  const spreading = play(new Yardstick("spread"), arrivals);
  const shown = (of: keyof Outcome) => {
    const others = Object.entries({ plain, sampling, spreading });
    const said = others.map(([name, outcome]) => `${name} ${outcome[of].toFixed(1)}`).join(", ");
    return `${arrivals} arrivals, ${NODES} nodes; ${said}`;
  };
  const figureOf = (name: string, of: keyof Outcome, goal?: number) =>
    figure(name, {
      value: own[of],
      unit: "%",
      note: shown(of),
      ...(goal !== undefined && { goal: least(goal) }),
    });
  return [
    figureOf("gangs in one leaf group, of those with room", "ofPossible", 95),
    figureOf("gangs in one leaf group, of all", "ofAll"),
    figureOf("arrivals placed", "placed"),
    figureOf("free GPUs that are in whole nodes", "whole"),
  ];
}

/** Shares in percent. */
interface Outcome {
  /** Gangs in one leaf group, of those for which some leaf group had room at that moment. */
  readonly ofPossible: number;
  readonly ofAll: number;
  readonly placed: number;
  /** Free GPUs in wholly free nodes, the mean over time. */
  readonly whole: number;
}

function play(scheduler: Scheduler, arrivals: number): Outcome {
  const rng = seededRng(SEED);
  const taken = Array.from({ length: NODES }, () => 0);
  const leaving = new Map<number, Held[]>();
  const sums = { gangs: 0, possible: 0, within: 0, placed: 0, whole: 0 };
  const change = (held: Held, to: (mask: number, held: number) => number) => {
    for (const { node, mask } of held) {
      taken[node] = to(taken[node] ?? 0, mask);
      scheduler.set(node, taken[node] ?? 0);
    }
  };
  for (let n = 0; n < arrivals; n++) {
    for (const held of leaving.get(n) ?? []) change(held, (mask, gone) => mask & ~gone);
    const arrival = arrivalOf(n, rng);
    const room = arrival.count > 1 && hasRoom(taken, arrival.count);
    const held = scheduler.place(arrival);
    if (arrival.count > 1) {
      sums.gangs += 1;
      sums.possible += room ? 1 : 0;
      sums.within += held && groupsOf(held) === 1 ? 1 : 0;
    }
    sums.whole += wholeShare(taken);
    if (!held) continue;
    sums.placed += 1;
    change(held, (mask, more) => mask | more);
    const at = n + arrival.stay;
    leaving.set(at, [...(leaving.get(at) ?? []), held]);
  }
  return {
    ofPossible: (100 * sums.within) / sums.possible,
    ofAll: (100 * sums.within) / sums.gangs,
    placed: (100 * sums.placed) / arrivals,
    whole: (100 * sums.whole) / arrivals,
  };
}

/** Arrival `n`; every scheduler is asked the same. */
function arrivalOf(n: number, rng: Rng): Arrival {
  const isGang = rng.int(100) < GANG_SHARE;
  const drawn = rng.int(1_000);
  const stay = 1 + rng.int(2 * STAY);
  const count = isGang ? (GANGS[drawn % GANGS.length] ?? 2) : 1;
  const shape = isGang ? 0 : (SINGLES[drawn % SINGLES.length] ?? 0);
  return { request: { ...benchRequest(shape), seed: `seed-${n}` }, count, stay };
}

function hasRoom(taken: readonly number[], count: number): boolean {
  for (let from = 0; from < taken.length; from += GROUP_NODES) {
    const free = taken.slice(from, from + GROUP_NODES).filter((mask) => mask === 0).length;
    if (free >= count) return true;
  }
  return false;
}

function groupsOf(held: Held): number {
  return new Set(held.map(({ node }) => Math.floor(node / GROUP_NODES))).size;
}

function wholeShare(taken: readonly number[]): number {
  let free = 0;
  let whole = 0;
  for (const mask of taken) {
    for (let rest = WHOLE & ~mask; rest !== 0; rest &= rest - 1) free += 1;
    whole += mask === 0 ? 8 : 0;
  }
  return free === 0 ? 1 : whole / free;
}

class Own implements Scheduler {
  private readonly index = new FleetIndex();
  private readonly at = new Map<string, number>();

  constructor() {
    for (let node = 0; node < NODES; node++) {
      this.at.set(benchNode(node, 0).nodeId, node);
      this.set(node, 0);
    }
  }

  place({ request: member, count }: Arrival): Held | undefined {
    const gang = { member, count, maxLeafGroups: undefined, segmentSize: undefined };
    const found = placeGang(this.index, gang);
    if (!found.fits) return undefined;
    return found.members.map(({ nodeId, bundle }) => {
      return { node: this.at.get(nodeId) ?? 0, mask: bundle };
    });
  }

  set(node: number, mask: number): void {
    this.index.put(benchNode(node, mask));
  }
}

/** Places members one after another, and takes all back when one does not fit. */
class Yardstick implements Scheduler {
  private readonly nodes = Array.from({ length: NODES }, (_, at) => benchNode(at, 0));
  private readonly fleet = new PlainFleet(this.nodes);
  private readonly masks = this.nodes.map(() => 0);

  constructor(private readonly how: "scan" | "sample" | "spread") {}

  place({ request, count }: Arrival): Held | undefined {
    const held: { node: number; mask: number }[] = [];
    while (held.length < count) {
      const found = this.fleet[this.how](request)?.node;
      if (!found) break;
      const node = this.fleet.nodes.indexOf(found);
      const mask = setOn(found, request);
      held.push({ node, mask });
      this.put(node, (this.masks[node] ?? 0) | mask);
    }
    // The caller writes down what is kept.
    for (const { node, mask } of held) this.put(node, (this.masks[node] ?? 0) & ~mask);
    return held.length === count ? held : undefined;
  }

  set(node: number, mask: number): void {
    this.put(node, mask);
  }

  private put(node: number, mask: number): void {
    this.masks[node] = mask;
    const plain = this.fleet.nodes[node];
    if (plain) this.fleet.set(plain, benchNode(node, mask));
  }
}
