// Places one instance inside the caller's transaction: snapshot, plan, the judge's word on it,
// claim. Where it goes is placement's; what it holds afterwards is written here.
import { asRailyardError, bug } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import { type Attachment, landings } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { Instance, InstancePlacement } from "../domain/instance.js";
import type { InstanceProfile } from "../domain/profile.js";
import { check } from "../placement/check.js";
import type { Fleet, FleetNode, PlacementRequest, Plan, Refusal } from "../placement/fleet.js";
import { place } from "../placement/place.js";
import type { Claim, ReadTx, WriteTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { fleetOf } from "./fleet.js";

/** How often another writer may win before the caller is told. */
export const PLACE_TRIES_MAX = 5;

export interface PlaceWish {
  readonly instance: Instance;
  readonly profile: InstanceProfile;
  readonly network: ClusterNetwork | undefined;
  /** In position order. */
  readonly attachments: readonly Attachment[];
  readonly seed: string;
  /** Nodes that must not be chosen. */
  readonly exclude?: readonly NodeId[];
}

/**
 * Claims devices on the best node and raises that node's generation, or says why none fits. The
 * instance row itself is left to the caller. Nodes lost to other writers are left out of the next
 * try.
 */
export async function placeInstance(
  tx: WriteTx,
  ctx: ServiceContext,
  wish: PlaceWish,
): Promise<{ readonly placed: InstancePlacement } | { readonly refused: Refusal }> {
  const lost: NodeId[] = [];
  for (;;) {
    const fleet = await fleetOf(tx, ctx);
    const request = await requestOf(tx, wish, [...(wish.exclude ?? []), ...lost]);
    const plan = place(fleet, request);
    if (!plan.fits) return { refused: plan };
    const wrong = check(fleet, request, plan);
    if (wrong.length > 0) throw bug("a placement breaks its rules", { detail: { wrong, plan } });
    try {
      await tx.claims.claim(await claimOf(tx, wish, { plan, node: nodeOf(fleet, plan) }));
    } catch (thrown) {
      const { reason } = asRailyardError(thrown);
      if (reason !== "LOST_RACE" || lost.length + 1 >= PLACE_TRIES_MAX) throw thrown;
      lost.push(plan.nodeId);
      continue;
    }
    const sinceGeneration = await tx.outbox.raise(plan.nodeId);
    const { nodeId, pairs } = plan;
    return { placed: { nodeId, pairs, phase: "present", sinceGeneration } };
  }
}

/** The question that placement is asked for this wish. */
export async function requestOf(
  tx: ReadTx,
  wish: PlaceWish,
  exclude: readonly NodeId[],
): Promise<PlacementRequest> {
  const { instance, profile, network, attachments, seed } = wish;
  const networkProfile = network && (await tx.profiles.clusterNetwork(network.profile));
  const previous = instance.previousNodeId && (await tx.nodes.get(instance.previousNodeId));
  return {
    instanceId: instance.id,
    zone: instance.zone,
    physicalClusterId: network?.physicalClusterId,
    gpuModel: profile.gpu?.model,
    gpuCount: profile.gpu?.count ?? 0,
    rails: attachments.length > 0 ? (networkProfile?.rails ?? 0) : 0,
    attachmentCount: attachments.length,
    vcpu: profile.vcpu,
    memoryMib: profile.memoryGib * 1024,
    diskGib: profile.diskGib,
    previousNodeId: instance.previousNodeId,
    previousLeafGroup: previous?.leafGroup,
    exclude,
    seed,
  };
}

function nodeOf(fleet: Fleet, plan: Plan): FleetNode {
  const node = fleet.nodes.find(({ nodeId }) => nodeId === plan.nodeId);
  if (!node) throw bug("a plan names a node outside its fleet");
  return node;
}

async function claimOf(
  tx: ReadTx,
  { instance, profile, attachments }: PlaceWish,
  { plan, node }: { readonly plan: Plan; readonly node: FleetNode },
): Promise<Claim> {
  const taken = new Set(
    (await tx.claims.ofNode(node.nodeId)).vfs.map((vf) => `${vf.nic} ${vf.vf}`),
  );
  const lands = landings({
    count: attachments.length,
    pairs: plan.pairs.length,
    nicSpeedGbps: node.nicSpeedGbps,
    layout: profile.attachmentLayout,
  });
  if (lands.length !== attachments.length) throw bug("attachments do not divide among the pairs");
  // Lowest free VF of the NIC, in position order: VFs of one NIC ascend with their positions.
  const vfs = attachments.map(({ id: attachmentId }, position) => {
    const nic = plan.pairs[lands[position]?.pair ?? -1]?.nic ?? "";
    let vf = 0;
    while (taken.has(`${nic} ${vf}`)) vf += 1;
    taken.add(`${nic} ${vf}`);
    return { nic, vf, attachmentId };
  });
  return {
    nodeId: plan.nodeId,
    instanceId: instance.id,
    gpus: plan.pairs.map(({ gpu }) => gpu),
    vfs,
    vcpu: profile.vcpu,
    memoryMib: profile.memoryGib * 1024,
    diskGib: profile.diskGib,
  };
}
