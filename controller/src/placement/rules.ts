// The hard rules, each with a name under which it counts the nodes it removes. A rule looks at one
// node and one request; which of the nodes that remain is best is not decided here.
import { type FleetNode, type PlacementRequest, RULES, type Rule } from "./fleet.js";

type Holds = (node: FleetNode, request: PlacementRequest) => boolean;

const HOLDS: Readonly<Record<Rule, Holds>> = {
  zone: (node, { zone }) => node.zone === zone,
  physicalCluster: (node, { physicalClusterId }) =>
    physicalClusterId === undefined || node.physicalClusterId === physicalClusterId,
  eligible: (node) => node.eligible,
  leaseFresh: (node) => node.leaseFresh,
  inventoryMatches: (node) => node.inventoryMatches,
  // Fewer GPUs than a machine has need a host Fabric Manager's partitions: only whole nodes are
  // legal.
  profileFits: (node, { gpuCount, gpuModel }) =>
    gpuCount === 0 || (node.gpuCount === gpuCount && node.gpuModel === gpuModel),
  railsHealthy: (node, { rails }) =>
    rails === 0 || (node.pairs.length >= rails && node.pairs.every(({ healthy }) => healthy)),
  railSet: (node, { rails }) => {
    const have = new Set(node.pairs.map(({ rail }) => rail));
    return Array.from({ length: rails }, (_, rail) => rail).every((rail) => have.has(rail));
  },
  bundleFree: (node, { gpuCount }) =>
    gpuCount === 0 || node.pairs.filter(({ free }) => free).length === gpuCount,
  vfsFree: (node, { gpuCount, attachmentCount }) =>
    attachmentCount <= node.vfsPerNic * Math.max(gpuCount, 0),
  vcpuFree: (node, { vcpu }) => node.free.vcpu >= vcpu,
  memoryFree: (node, { memoryMib }) => node.free.memoryMib >= memoryMib,
  diskFree: (node, { diskGib }) => node.free.diskGib >= diskGib,
  lostRace: (node, { exclude }) => !exclude.includes(node.nodeId),
};

/** The first hard rule that the node fails, in the order of RULES; undefined when it fits. */
export function firstFailed(node: FleetNode, request: PlacementRequest): Rule | undefined {
  return RULES.find((rule) => !HOLDS[rule](node, request));
}
