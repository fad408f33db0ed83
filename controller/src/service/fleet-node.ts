// One node as placement sees it: its pairs and what is free, from its row, its kind of hardware and
// its claims. Decides nothing; which node is best is placement's.
import { legalSets } from "../domain/bundle.js";
import { spoilsNode } from "../domain/declaration.js";
import type { Node } from "../domain/node.js";
import type { HardwareKind } from "../domain/physical-cluster.js";
import type { FleetNode } from "../placement/fleet.js";
import type { NodeClaims } from "../store/contract.js";
import { isEligible } from "./fleet.js";

interface Around {
  readonly kind: HardwareKind;
  readonly claims: NodeClaims | undefined;
  readonly leaseFresh: boolean;
}

/** The node as placement sees it. */
export function fleetNode(node: Node, { kind, claims, leaseFresh }: Around): FleetNode {
  const gpus = new Set(claims?.gpus.map(({ deviceId }) => deviceId));
  const nics = new Set(claims?.vfs.map(({ nic }) => nic));
  const modules = modulesOf(node);
  return {
    nodeId: node.id,
    zone: node.zone,
    physicalClusterId: node.physicalClusterId,
    leafGroup: node.leafGroup,
    hardware: kind.name,
    gpuModel: kind.gpus.model,
    gpuCount: kind.gpus.count,
    legalSets: legalSets(kind),
    eligible: isEligible(node),
    leaseFresh,
    inventoryMatches: node.inventory !== undefined && !node.mismatches.some(spoilsNode),
    pairs: node.pairs.map((pair, p) => ({
      ...pair,
      module: modules.get(pair.gpu) ?? p,
      free: !gpus.has(pair.gpu) && !nics.has(pair.nic),
    })),
    vfsPerNic: kind.nics.vfs,
    nicSpeedGbps: kind.nics.speedGbps,
    free: {
      vcpu: kind.vcpu - (claims?.vcpu ?? 0),
      memoryMib: kind.memoryGib * 1024 - (claims?.memoryMib ?? 0),
      diskGib: kind.diskGib - (claims?.diskGib ?? 0),
    },
  };
}

/** Module numbers by GPU: the modules of a board are told by their addresses, ascending. */
function modulesOf({ inventory }: Node): ReadonlyMap<string, number> {
  const gpus = [...(inventory?.gpus ?? [])].sort((a, b) => (a.pciAddress < b.pciAddress ? -1 : 1));
  return new Map(gpus.map(({ deviceId }, module) => [deviceId, module]));
}
