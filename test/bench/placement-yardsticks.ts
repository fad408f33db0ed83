// Two schedulers to measure against: one that filters and scores every node, and one that stops
// when it has found enough, as kube-scheduler does. Both over plain objects, with the preferences
// of the design, and with leaf groups' counts kept up to date for them.
import type { FleetNode, PlacementRequest } from "@railyard/controller/placement/fleet";

interface PlainGroup {
  started: number;
  whole: number;
}

export interface PlainNode {
  readonly node: FleetNode;
  readonly group: PlainGroup;
  taken: number;
  vcpu: number;
  memoryMib: number;
}

export class PlainFleet {
  readonly nodes: readonly PlainNode[];
  /** Where the sampling scheduler goes on. */
  private next = 0;

  constructor(nodes: readonly FleetNode[]) {
    const groups = new Map<string, PlainGroup>();
    this.nodes = nodes.map((node) => {
      const group = groups.get(node.leafGroup) ?? { started: 0, whole: 0 };
      groups.set(node.leafGroup, group);
      const made = { node, group, taken: 0, vcpu: 0, memoryMib: 0 };
      group.whole += 1;
      this.set(made, node);
      return made;
    });
  }

  set(of: PlainNode, { pairs, free }: FleetNode): void {
    const taken = pairs.reduce((mask, pair, p) => (pair.free ? mask : mask | (1 << p)), 0);
    of.group.started += Number(taken !== 0) - Number(of.taken !== 0);
    of.group.whole += Number(taken === 0) - Number(of.taken === 0);
    Object.assign(of, { taken, vcpu: free.vcpu, memoryMib: free.memoryMib });
  }

  /** The best of all nodes; undefined when none fits. */
  scan(request: PlacementRequest): Found | undefined {
    let best: PlainNode | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const node of this.nodes) {
      const score = scoreOn(node, request);
      if (score === undefined || score >= least) continue;
      best = node;
      least = score;
    }
    return best && { node: best, score: least };
  }

  /** The emptiest of all nodes that fit, as kube-scheduler prefers unless told otherwise. */
  spread(request: PlacementRequest): Found | undefined {
    let best: Found | undefined;
    for (const node of this.nodes) {
      if (scoreOn(node, request) === undefined) continue;
      const score = bits(node.taken);
      if (!best || score < best.score) best = { node, score };
    }
    return best;
  }

  /** The best among as many fitting nodes as kube-scheduler looks for. */
  sample(request: PlacementRequest): Found | undefined {
    const { nodes } = this;
    const enough = enoughOf(nodes.length);
    let best: PlainNode | undefined;
    let least = Number.POSITIVE_INFINITY;
    let found = 0;
    let seen = 0;
    for (; seen < nodes.length && found < enough; seen++) {
      const node = nodes[(this.next + seen) % nodes.length];
      const score = node && scoreOn(node, request);
      if (score === undefined) continue;
      found += 1;
      if (score >= least) continue;
      best = node;
      least = score;
    }
    this.next = (this.next + seen) % nodes.length;
    return best && { node: best, score: least };
  }
}

export interface Found {
  readonly node: PlainNode;
  /** Lower is better. */
  readonly score: number;
}

/** The score of this node for the request; undefined when it does not fit. */
export function scoreOn(of: PlainNode, request: PlacementRequest): number | undefined {
  const { node, taken, group } = of;
  const { physicalClusterId: cluster, gpuCount } = request;
  if (node.zone !== request.zone || (cluster && cluster !== node.physicalClusterId)) return;
  if (!node.eligible || !node.leaseFresh || !node.inventoryMatches) return;
  if (of.vcpu < request.vcpu || of.memoryMib < request.memoryMib) return;
  if (gpuCount > 0 && request.gpuModel !== node.gpuModel) return;
  if (request.attachmentCount > node.vfsPerNic * gpuCount) return;
  const block = gpuCount === 0 ? Number(taken === 0) : blockOn(of, request);
  if (block === undefined) return;
  return block * 2 ** 17 + Number(group.started === 0) * 2 ** 16 + group.whole;
}

function blockOn(of: PlainNode, request: PlacementRequest): number | undefined {
  let best: number | undefined;
  for (const set of of.node.legalSets) {
    if (!suits(of, set, request)) continue;
    const size = bits(around(of, set));
    if (best === undefined || size < best) best = size;
  }
  return best;
}

/** The set to take on a node that fits: that which breaks up the smallest free block. */
export function setOn(of: PlainNode, request: PlacementRequest): number {
  const sets = of.node.legalSets.filter((set) => suits(of, set, request));
  const block = (set: number) => bits(around(of, set));
  return sets.reduce((best, set) => (best === 0 || block(set) < block(best) ? set : best), 0);
}

function suits({ taken }: PlainNode, set: number, request: PlacementRequest): boolean {
  if ((set & taken) !== 0 || bits(set) !== request.gpuCount) return false;
  return request.attachmentCount === 0 || request.rails === undefined || request.rails === set;
}

function around({ node, taken }: PlainNode, set: number): number {
  return node.legalSets.find((block) => (set & ~block) === 0 && (block & taken) === 0) ?? set;
}

function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

const ENOUGH_MIN = 100;
const SHARE_MIN = 5;

/** kube-scheduler's default: 50 % less one for every 125 nodes, not below 5 %, nor below 100. */
function enoughOf(nodes: number): number {
  if (nodes < ENOUGH_MIN) return nodes;
  const share = Math.max(SHARE_MIN, 50 - Math.floor(nodes / 125));
  return Math.max(ENOUGH_MIN, Math.floor((nodes * share) / 100));
}
