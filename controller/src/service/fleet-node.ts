// One node as placement sees it: its pairs and what is free, from its row, its kind of hardware and
// its claims. Decides nothing; which node is best is placement's.
import { legalSets, MODULES_MAX } from "../domain/bundle.js";
import { spoilsNode } from "../domain/declaration.js";
import type { Node } from "../domain/node.js";
import type { HardwareKind } from "../domain/physical-cluster.js";
import type { FleetNode, FleetPair } from "../placement/fleet.js";
import type { Claim, NodeClaims } from "../store/contract.js";
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
    legalSets: legalSets(dividedAs(kind, node)),
    eligible: isEligible(node),
    leaseFresh,
    inventoryMatches: node.inventory !== undefined && !node.mismatches.some(spoilsNode),
    pairs: node.pairs.map((pair, p) => ({
      module: modules.get(pair.gpu) ?? p,
      ...pair,
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

/** A machine without the Fabric Manager of its kind is given whole or not at all. */
function dividedAs(kind: HardwareKind, { inventory }: Node): HardwareKind {
  const isWhole = kind.fabricManager && inventory?.fabricManager === false;
  return isWhole ? { ...kind, fabricManager: false } : kind;
}

/** The node once this is claimed of it, too. */
export function without(node: FleetNode, claim: Claim, leaseFresh: boolean): FleetNode {
  const { vcpu, memoryMib, diskGib } = node.free;
  const { gpus, vfs } = claim;
  const takes = ({ gpu, nic }: FleetPair) => gpus.includes(gpu) || vfs.some((vf) => vf.nic === nic);
  const devices = gpus.length + vfs.length > 0;
  return {
    ...node,
    leaseFresh,
    pairs: devices ? node.pairs.map((p) => (takes(p) ? { ...p, free: false } : p)) : node.pairs,
    free: {
      vcpu: vcpu - claim.vcpu,
      memoryMib: memoryMib - claim.memoryMib,
      diskGib: diskGib - claim.diskGib,
    },
  };
}

/** Module numbers by GPU: as the machine tells them, else by ascending address. */
function modulesOf({ inventory }: Node): ReadonlyMap<string, number> {
  const gpus = [...(inventory?.gpus ?? [])].sort((a, b) => (a.pciAddress < b.pciAddress ? -1 : 1));
  const told = new Set(gpus.map(({ module = MODULES_MAX }) => module));
  const isTold = told.size === gpus.length && [...told].every((module) => module < MODULES_MAX);
  return new Map(
    gpus.map(({ deviceId, module }, at) => [deviceId, (isTold ? module : undefined) ?? at]),
  );
}
