// The fleet as placement sees it: nodes, their pairs and what is free, read in one transaction.
// Decides nothing; which node is best is placement's.
import type { PhysicalClusterId } from "@railyard/lib/ids";
import { spoilsNode } from "../domain/declaration.js";
import type { Node } from "../domain/node.js";
import type { HardwareKind } from "../domain/physical-cluster.js";
import type { Fleet, FleetNode } from "../placement/fleet.js";
import type { NodeClaims, ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";

/** A snapshot of all declared nodes. */
export async function fleetOf(tx: ReadTx, ctx: ServiceContext): Promise<Fleet> {
  const nodes = (await tx.nodes.all()).filter(({ retired }) => !retired);
  const claims = new Map((await tx.claims.all()).map((claim) => [claim.nodeId, claim]));
  const kinds = new Map<string, HardwareKind>();
  for (const name of new Set(nodes.map(({ hardware }) => hardware))) {
    const kind = await tx.hardware.get(name);
    if (kind) kinds.set(name, kind);
  }
  return {
    nodes: nodes.flatMap((node) => {
      const kind = kinds.get(node.hardware);
      if (!kind) return [];
      const leaseFresh = ctx.leases.fresh(node.id);
      return [fleetNode(node, { kind, claims: claims.get(node.id), leaseFresh })];
    }),
  };
}

/** How many nodes of the cluster could take a whole-node instance now. */
export async function freeWholeNodes(
  tx: ReadTx,
  ctx: ServiceContext,
  cluster: PhysicalClusterId,
): Promise<number> {
  const { nodes } = await fleetOf(tx, ctx);
  return nodes.filter((node) => node.physicalClusterId === cluster && isWhollyFree(node)).length;
}

/** Whether the node is well, alive, and none of its pairs is taken or sick. */
export function isWhollyFree(node: FleetNode): boolean {
  const { eligible, leaseFresh, inventoryMatches, pairs, gpuCount } = node;
  if (!eligible || !leaseFresh || !inventoryMatches) return false;
  return pairs.length === gpuCount && pairs.every(({ free, healthy }) => free && healthy);
}

/** Whether the node may take work at all, apart from being alive and as declared. */
export function isEligible(node: Node): boolean {
  if (node.retired || node.cordoned || node.fence) return false;
  return node.session !== undefined && !isQuarantined(node);
}

/** Whether the node's reports contradict the store, so that it must not be used. */
export function isQuarantined(node: Pick<Node, "flags">): boolean {
  return node.flags.some(({ code }) => code === "generation-unknown");
}

interface Around {
  readonly kind: HardwareKind;
  readonly claims: NodeClaims | undefined;
  readonly leaseFresh: boolean;
}

function fleetNode(node: Node, { kind, claims, leaseFresh }: Around): FleetNode {
  const gpus = new Set(claims?.gpus.map(({ deviceId }) => deviceId));
  const nics = new Set(claims?.vfs.map(({ nic }) => nic));
  return {
    nodeId: node.id,
    zone: node.zone,
    physicalClusterId: node.physicalClusterId,
    leafGroup: node.leafGroup,
    gpuModel: kind.gpus.model,
    gpuCount: kind.gpus.count,
    eligible: isEligible(node),
    leaseFresh,
    inventoryMatches: node.inventory !== undefined && !node.mismatches.some(spoilsNode),
    pairs: node.pairs.map((pair) => ({
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
