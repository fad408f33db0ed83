// The hard rules, each with a name under which it counts the nodes it removes. A rule looks at one
// node and one request; which of the nodes that remain is best is not decided here.
import { sizeOf } from "../domain/bundle.js";
import type { NodeFacts } from "./facts.js";
import { type PlacementRequest, RULES, type Rule } from "./fleet.js";
import type { Bundle } from "./make.js";

type Holds = (node: NodeFacts, request: PlacementRequest) => boolean;

const HOLDS: Readonly<Record<Rule, Holds>> = {
  zone: (node, { zone }) => node.zone === zone,
  physicalCluster: (node, { physicalClusterId }) =>
    physicalClusterId === undefined || node.physicalClusterId === physicalClusterId,
  eligible: (node) => node.eligible,
  leaseFresh: (node) => node.leaseFresh,
  inventoryMatches: (node) => node.inventoryMatches,
  profileFits: ({ make }, { gpuCount, gpuModel }) =>
    gpuCount === 0 || (make.gpuModel === gpuModel && make.sizes.has(gpuCount)),
  railsHealthy: (node, request) => some(node, request, isWell),
  railSet: (node, request) => some(node, request, isOnItsRails),
  bundleFree: (node, request) => some(node, request, suits),
  vfsFree: ({ make }, { gpuCount, attachmentCount }) =>
    attachmentCount <= make.vfsPerNic * gpuCount,
  vcpuFree: (node, { vcpu }) => node.vcpu >= vcpu,
  memoryFree: (node, { memoryMib }) => node.memoryMib >= memoryMib,
  diskFree: (node, { diskGib }) => node.diskGib >= diskGib,
  messageFits: (node, { crowded }) => crowded?.get(node.nodeId) !== 0,
  lostRace: (node, { exclude }) => exclude.length === 0 || !exclude.includes(node.nodeId),
};

const IN_ORDER = RULES.map((rule) => HOLDS[rule]);

/** The first hard rule that the node fails, in the order of RULES; undefined when it fits. */
export function firstFailed(node: NodeFacts, request: PlacementRequest): Rule | undefined {
  const failed = IN_ORDER.findIndex((holds) => !holds(node, request));
  return RULES[failed];
}

/** All hard rules that the node fails: bit r is the rule RULES[r]. */
export function failedRules(node: NodeFacts, request: PlacementRequest): number {
  let failed = 0;
  for (let r = 0; r < IN_ORDER.length; r++) {
    if (!IN_ORDER[r]?.(node, request)) failed |= 1 << r;
  }
  return failed;
}

/**
 * Whether the node passes every rule but those on bundles, which whoever then looks for a bundle
 * that `suits` applies anyhow. What rules most nodes out comes first.
 */
export function fitsApart(node: NodeFacts, request: PlacementRequest): boolean {
  return (
    node.eligible &&
    node.leaseFresh &&
    node.inventoryMatches &&
    (request.gpuCount === 0 || node.free !== 0) &&
    HOLDS.vcpuFree(node, request) &&
    HOLDS.memoryFree(node, request) &&
    HOLDS.diskFree(node, request) &&
    HOLDS.physicalCluster(node, request) &&
    HOLDS.zone(node, request) &&
    HOLDS.profileFits(node, request) &&
    HOLDS.vfsFree(node, request) &&
    HOLDS.messageFits(node, request) &&
    HOLDS.lostRace(node, request)
  );
}

/** Whether the bundle may be given: free, and on well rails of its own where rails matter. */
export function suits(node: NodeFacts, bundle: Bundle, request: PlacementRequest): boolean {
  return (bundle.pairs & ~node.free) === 0 && isOnItsRails(node, bundle, request);
}

function isOnItsRails(node: NodeFacts, bundle: Bundle, request: PlacementRequest): boolean {
  if (request.attachmentCount === 0) return true;
  if (!isWell(node, bundle, request) || !bundle.apart) return false;
  if (request.pinned && !request.pinned.every(({ pair, rail }) => isAt(bundle, pair, rail))) {
    return false;
  }
  if (request.usable !== undefined && (bundle.rails & ~request.usable) !== 0) return false;
  return request.rails === undefined || request.rails === bundle.rails;
}

/** Whether the bundle's pair of that index, in rail order, is on the rail. */
function isAt({ rails }: Bundle, pair: number, rail: number): boolean {
  return (rails & (1 << rail)) !== 0 && sizeOf(rails & ((1 << rail) - 1)) === pair;
}

function isWell(
  node: NodeFacts,
  { pairs }: Bundle,
  { attachmentCount }: PlacementRequest,
): boolean {
  return attachmentCount === 0 || (pairs & ~node.healthy) === 0;
}

function some(node: NodeFacts, request: PlacementRequest, holds: typeof suits): boolean {
  const { gpuCount } = request;
  if (gpuCount === 0) return true;
  for (const bundle of node.make.bySize.get(gpuCount) ?? []) {
    if (holds(node, bundle, request)) return true;
  }
  return false;
}
