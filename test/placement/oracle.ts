// The plain scan: what placement should answer, said without its rules, index or masks. Slow, and
// meant to be read beside the design.
import type { FleetNode, PlacementRequest } from "@railyard/controller/placement/fleet";
import { lot } from "@railyard/controller/placement/preferences";

type Pair = FleetNode["pairs"][number];

export interface Answer {
  readonly nodeId: string;
  readonly gpus: readonly string[];
  readonly score: readonly number[];
}

/** The best node by looking at all of them; undefined when none fits. */
export function scan(nodes: readonly FleetNode[], request: PlacementRequest): Answer | undefined {
  let best: Answer | undefined;
  for (const node of nodes) {
    if (!takes(node, request)) continue;
    for (const bundle of bundlesFor(node, request)) {
      const score = scoreOf(nodes, request, { node, bundle });
      if (best && !isBelow(score, best.score)) continue;
      best = { nodeId: node.nodeId, gpus: bundle.map(({ gpu }) => gpu), score };
    }
  }
  return best;
}

export function takes(node: FleetNode, request: PlacementRequest): boolean {
  const { free } = node;
  const cluster = request.physicalClusterId;
  return (
    node.zone === request.zone &&
    (!cluster || node.physicalClusterId === cluster) &&
    node.eligible &&
    node.leaseFresh &&
    node.inventoryMatches &&
    !request.exclude.includes(node.nodeId) &&
    request.crowded?.get(node.nodeId) !== 0 &&
    free.vcpu >= request.vcpu &&
    free.memoryMib >= request.memoryMib &&
    free.diskGib >= request.diskGib &&
    request.attachmentCount <= node.vfsPerNic * request.gpuCount
  );
}

export function bundlesFor(
  node: FleetNode,
  request: PlacementRequest,
): readonly (readonly Pair[])[] {
  if (request.gpuCount === 0) return [[]];
  if (node.gpuModel !== request.gpuModel) return [];
  return legal(node).filter((bundle) => {
    if (bundle.length !== request.gpuCount || bundle.some(({ free }) => !free)) return false;
    if (request.attachmentCount === 0) return true;
    const rails = bundle.map(({ rail }) => rail);
    if (new Set(rails).size < rails.length || bundle.some(({ healthy }) => !healthy)) return false;
    if (request.usable !== undefined && rails.some((r) => (request.usable! & (2 ** r)) === 0)) {
      return false;
    }
    if (request.pinned?.some(({ pair, rail }) => rails[pair] !== rail)) return false;
    return request.rails === undefined || request.rails === rails.reduce((m, r) => m + 2 ** r, 0);
  });
}

function legal(node: FleetNode): readonly (readonly Pair[])[] {
  return node.legalSets.flatMap((set) => {
    const modules = [...set.toString(2)].reverse().flatMap((bit, m) => (bit === "1" ? [m] : []));
    const bundle = node.pairs.filter(({ module }) => modules.includes(module));
    return bundle.length === modules.length ? [bundle] : [];
  });
}

interface Place {
  readonly node: FleetNode;
  readonly bundle: readonly Pair[];
}

/** Lower is better, the first difference counts. */
function scoreOf(nodes: readonly FleetNode[], request: PlacementRequest, { node, bundle }: Place) {
  const { previousNodeId, previousLeafGroup: was } = request;
  const near =
    was?.physicalClusterId === node.physicalClusterId && was.leafGroup === node.leafGroup;
  const beside = nodes.filter((other) => other.zone === node.zone && group(other) === group(node));
  const from = lot(request.seed);
  const behind = (name: string) => (((lot(name) - from) % 2 ** 32) + 2 ** 32) % 2 ** 32;
  // Within the group where it was before only the block and the lot count.
  const inGroup = near
    ? [0, 0, 0]
    : [
        beside.some((other) => other.pairs.some(({ free }) => !free)) ? 0 : 1,
        beside.filter(isWhole).length,
        behind(group(node)),
      ];
  const host = node.nodeId === previousNodeId ? 0 : 1;
  return [host, near ? 0 : 1, blockOf(node, bundle), ...inGroup, behind(node.nodeId)];
}

export function blockOf(node: FleetNode, bundle: readonly Pair[]): number {
  if (bundle.length === 0) {
    return node.pairs.length > 0 && node.pairs.every(({ free }) => free) ? 1 : 0;
  }
  const around = legal(node).filter(
    (block) => bundle.every((pair) => block.includes(pair)) && block.every(({ free }) => free),
  );
  return Math.max(...around.map(({ length }) => length));
}

export function isWhole(node: FleetNode): boolean {
  const { pairs, eligible, leaseFresh, inventoryMatches, gpuCount } = node;
  if (!eligible || !leaseFresh || !inventoryMatches || pairs.length !== gpuCount) return false;
  return pairs.every(({ free, healthy }) => free && healthy);
}

export function group({ physicalClusterId, leafGroup }: FleetNode): string {
  return `${physicalClusterId} ${leafGroup}`;
}

export function isBelow(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}
