// Places one instance inside the caller's transaction: snapshot, plan, the judge's word on it,
// claim. Where it goes is placement's; what it holds afterwards is written here.
import { asRailyardError, bug, type RailyardError, refuse } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import { type Attachment, landings } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { Instance, InstancePlacement } from "../domain/instance.js";
import type { InstanceProfile } from "../domain/profile.js";
import { check } from "../placement/check.js";
import {
  type Choice,
  type FleetNode,
  type Nearness,
  type PlacementRequest,
  type Plan,
  planOf,
} from "../placement/fleet.js";
import { choose } from "../placement/place.js";
import type { Claim } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { Crowds } from "./crowds.js";
import { raiseFabricOf } from "./fabric.js";
import { fleetViewOf } from "./fleet-view.js";
import { pinsOf, railsFor } from "./rail-set.js";
import type { FleetReads, FleetTx, MessageReads } from "./tenant.js";

/** How often another writer may win before the caller is told. */
export const PLACE_TRIES_MAX = 5;
const CONTENDED_RETRY_MS = 200;

export interface PlaceWish {
  readonly instance: Instance;
  readonly profile: InstanceProfile;
  readonly network: ClusterNetwork | undefined;
  /** In position order. */
  readonly attachments: readonly Attachment[];
  /** By position, the rail that it must be on; nothing: any. */
  readonly pinned?: readonly (number | undefined)[];
  readonly seed: string;
}

/** As much of a wish as placement is asked about. */
export interface RoomWish extends Pick<PlaceWish, "profile" | "network" | "pinned" | "seed"> {
  readonly instance: Pick<Instance, "id" | "zone" | "previousNodeId">;
  readonly attachments: { readonly length: number };
}

export type Placing =
  | { readonly placed: InstancePlacement; readonly near: Nearness | undefined }
  /** Nothing fits; `refusal` counts why. */
  | { readonly refused: PlacementRequest };

/**
 * Claims devices on the best node and raises that node's generation, or says that none fits. The
 * instance row itself is left to the caller. Nodes lost to other writers are left out of the next
 * try; throws `unavailable` LOST_RACE when PLACE_TRIES_MAX were lost.
 */
export async function placeInstance(
  tx: FleetTx & MessageReads,
  ctx: ServiceContext,
  wish: PlaceWish,
): Promise<Placing> {
  const view = fleetViewOf(ctx);
  const lost: NodeId[] = [];
  while (lost.length < PLACE_TRIES_MAX) {
    const { choice, request } = await chooseAgain(tx, ctx, { wish, lost });
    if (!choice) return { refused: request };
    const node = await view.node(tx, choice.nodeId);
    const plan = planOf(choice, node ?? { pairs: [] });
    const wrong = check(node, request, plan);
    if (!node || wrong.length > 0) {
      throw bug("a placement breaks its rules", { detail: { wrong, plan } });
    }
    const claim = claimOf(wish, { plan, node });
    if (!(await claims(tx, claim))) {
      view.lost(plan.nodeId);
      lost.push(plan.nodeId);
      continue;
    }
    const sinceGeneration = await tx.outbox.raise(plan.nodeId);
    view.claimed(node, claim);
    if (wish.network) await raiseFabricOf(tx, wish.network.physicalClusterId);
    const { nodeId, pairs, near } = plan;
    return { placed: { nodeId, pairs, phase: "present", sinceGeneration }, near };
  }
  throw lostEachTime();
}

interface Choosing {
  readonly wish: PlaceWish;
  /** Nodes lost to others. */
  readonly lost: readonly NodeId[];
}

interface Chosen {
  readonly choice: Choice | undefined;
  readonly request: PlacementRequest;
}

/**
 * The best place without the nodes lost to others. Before it is said that there is no room, what
 * these have left counts as well: they are read anew.
 */
async function chooseAgain(
  tx: FleetTx & MessageReads,
  ctx: ServiceContext,
  { wish, lost }: Choosing,
): Promise<Chosen> {
  const elsewhere = await chooseFor(tx, ctx, { wish, lost });
  if (elsewhere.choice || lost.length === 0) return elsewhere;
  return chooseFor(tx, ctx, { wish, lost: [] });
}

async function chooseFor(
  tx: FleetTx & MessageReads,
  ctx: ServiceContext,
  { wish, lost }: Choosing,
): Promise<Chosen> {
  const { instance, attachments, profile } = wish;
  const gpuCount = profile.gpu?.count ?? 0;
  const each = { instance, gpuCount, attachmentCount: attachments.length };
  const crowds = new Crowds(tx, ctx, { each });
  const asked = await requestOf(tx, wish, lost);
  for (;;) {
    const fleet = await fleetViewOf(ctx).upToDate(tx);
    const request = crowds.in(asked);
    const choice = choose(fleet, request);
    if (!choice || (await crowds.roomFor([choice])) === 1) return { choice, request };
    if (!(await crowds.mayAskAgain({ fleet, request: asked, wanted: 1 }))) {
      return { choice: undefined, request };
    }
  }
}

/** The refusal after the last try. */
export function lostEachTime(): RailyardError {
  return refuse("unavailable", "others were quicker each time; try again", {
    reason: "LOST_RACE",
    retryAfterMs: CONTENDED_RETRY_MS,
  });
}

/** False when another writer has taken some of it. */
export async function claims(tx: FleetTx, claim: Claim): Promise<boolean> {
  try {
    await tx.claims.claim(claim);
    return true;
  } catch (thrown) {
    if (asRailyardError(thrown).reason === "LOST_RACE") return false;
    throw thrown;
  }
}

/** The question that placement is asked for this wish. */
export async function requestOf(
  tx: FleetReads,
  wish: RoomWish,
  exclude: readonly NodeId[],
): Promise<PlacementRequest> {
  const { instance, profile, network, attachments, seed } = wish;
  const previous = instance.previousNodeId && (await tx.nodes.get(instance.previousNodeId));
  return {
    instanceId: instance.id,
    zone: instance.zone,
    physicalClusterId: network?.physicalClusterId,
    gpuModel: profile.gpu?.model,
    gpuCount: profile.gpu?.count ?? 0,
    rails: await railsFor(tx, wish),
    pinned: pinsOf(wish),
    attachmentCount: attachments.length,
    vcpu: profile.vcpu,
    memoryMib: profile.memoryGib * 1024,
    diskGib: profile.diskGib,
    previousNodeId: instance.previousNodeId,
    previousLeafGroup: previous,
    exclude,
    seed,
  };
}

/**
 * All that the instance claims under the plan, which the judge accepted for the node: none of the
 * chosen NICs' VFs is in use, for no pair is free while one is. Of each NIC those with the lowest
 * numbers, ascending with the positions.
 */
export function claimOf(
  { instance, profile, attachments }: PlaceWish,
  { plan, node }: { readonly plan: Plan; readonly node: FleetNode },
): Claim {
  const lands = landings({
    count: attachments.length,
    pairs: plan.pairs.length,
    nicSpeedGbps: node.nicSpeedGbps,
    layout: profile.attachmentLayout,
  });
  if (lands.length !== attachments.length) throw bug("attachments do not divide among the pairs");
  const given = new Map<string, number>();
  const vfs = attachments.map(({ id: attachmentId }, position) => {
    const nic = plan.pairs[lands[position]?.pair ?? -1]?.nic ?? "";
    const vf = given.get(nic) ?? 0;
    given.set(nic, vf + 1);
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
