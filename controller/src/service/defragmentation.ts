// Proposes which instances an operator could have stopped and started elsewhere so that whole nodes
// become free. Writes nothing and moves nothing.
import { notFound } from "@railyard/lib/errors";
import type { AccountId, InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import { sizeOf } from "../domain/bundle.js";
import type { Instance } from "../domain/instance.js";
import {
  freeNodesIn,
  type Move,
  mostTogether,
  type Proposal,
  proposeMoves,
  type Resident,
} from "../placement/defragmentation.js";
import type { FleetIndex } from "../placement/fleet-index.js";
import type { ReadTx } from "../store/contract.js";
import { askOf, roomOf } from "./asked.js";
import type { ServiceContext } from "./context.js";
import { bytesOf, messageRoom } from "./desired.js";
import { namesOf } from "./explain.js";
import { fleetOf } from "./fleet.js";

/** Moves where the caller did not say how many. */
const MOVES = 16;
/** Most partly used nodes that are looked at; each costs some reads. */
const NODES_MAX = 256;
/** Most moves that turn out to have no room; then none is proposed. */
const WRONG_MAX = 64;

export interface DefragmentationWish {
  /** Name of the physical cluster. */
  readonly cluster: string;
  /** Whole nodes wanted in one leaf group; 0 for as many as can be. */
  readonly wantedNodes: number;
  /** 0 for MOVES. */
  readonly movesMax: number;
}

export interface Defragmentation {
  readonly moves: readonly (Move & { readonly account: AccountId | undefined })[];
  readonly names: ReadonlyMap<NodeId, string>;
  readonly free: { readonly before: number; readonly after: number };
  /** Wholly free nodes of the best leaf group. */
  readonly together: { readonly before: number; readonly after: number };
}

/** Throws `notFound`. */
export function proposeDefragmentation(
  ctx: ServiceContext,
  wish: DefragmentationWish,
): Promise<Defragmentation> {
  return ctx.store.read(async (tx) => {
    const cluster = (await tx.physicalClusters.all()).find(({ name }) => name === wish.cluster);
    if (!cluster) throw notFound("physical_cluster", wish.cluster);
    const nodes: { readonly nodeId: NodeId; readonly residents: readonly Owned[] }[] = [];
    for (const nodeId of partlyUsed(await fleetOf(tx, ctx), cluster.id)) {
      const residents = await residentsOf(tx, ctx, nodeId);
      if (residents) nodes.push({ nodeId, residents });
    }
    const all = nodes.flatMap(({ residents }) => residents);
    const owners = new Map(all.map(({ instanceId, account }) => [instanceId, account]));
    const fleet = await fleetOf(tx, ctx);
    const { moves, after } = await possible(tx, ctx, (full) =>
      proposeMoves(fleet, {
        cluster: cluster.id,
        nodes: nodes.map(({ nodeId, residents }) => ({
          nodeId,
          residents: residents.map((one) => knowing(one, full)),
        })),
        together: wish.wantedNodes === 0 ? undefined : wish.wantedNodes,
        movesMax: wish.movesMax || MOVES,
      }),
    );
    const owned = moves.map((move) => ({ ...move, account: owners.get(move.instanceId) }));
    const free = { before: freeNodesIn(fleet, cluster.id), after: freeNodesIn(after, cluster.id) };
    const together = {
      before: mostTogether(fleet, cluster.id),
      after: mostTogether(after, cluster.id),
    };
    const names = await namesOf(
      tx,
      moves.flatMap(({ from, to }) => [from, to]),
    );
    return { moves: owned, names, free, together };
  });
}

/** Nodes whose desired state was found to have no room for the instance. */
type Full = ReadonlyMap<InstanceId, readonly NodeId[]>;

function knowing(one: Owned, full: Full): Owned {
  const crowded = new Map((full.get(one.instanceId) ?? []).map((id) => [id, 0]));
  return { ...one, request: { ...one.request, crowded } };
}

/** Proposes until every move has room in the desired state of its new node; gives up with none. */
async function possible(
  tx: ReadTx,
  ctx: ServiceContext,
  propose: (full: Full) => Proposal,
): Promise<Proposal> {
  const full = new Map<InstanceId, readonly NodeId[]>();
  for (let found = 0; found < WRONG_MAX; found++) {
    const proposal = propose(full);
    const wrong = await firstWithoutRoom(tx, ctx, proposal.moves);
    if (!wrong) return proposal;
    full.set(wrong.instanceId, [...(full.get(wrong.instanceId) ?? []), wrong.to]);
  }
  return { moves: [], after: await fleetOf(tx, ctx) };
}

async function firstWithoutRoom(
  tx: ReadTx,
  ctx: ServiceContext,
  moves: readonly Move[],
): Promise<Move | undefined> {
  const taken = new Map<NodeId, number>();
  for (const move of moves) {
    const { instanceId, to: nodeId, gpuCount } = move;
    const instance = await tx.everyone.instances.get(instanceId);
    const attached = await tx.everyone.attachments.ofInstance(instanceId);
    const each = { instance, gpuCount, attachmentCount: attached.length };
    const before = taken.get(nodeId) ?? 0;
    if ((await messageRoom(tx, ctx, { nodeId, each, wanted: 1, taken: before })) === 0) return move;
    taken.set(nodeId, before + (await bytesOf(tx, ctx.catalog, each)));
  }
  return undefined;
}

/** Nodes in use of which something is free, those with most of it free first. */
function partlyUsed(fleet: FleetIndex, cluster: PhysicalClusterId): readonly NodeId[] {
  const found: { readonly id: NodeId; readonly free: number }[] = [];
  for (const { nodeId, physicalClusterId, free, make, eligible } of fleet.nodes()) {
    if (physicalClusterId !== cluster || !eligible) continue;
    if (free !== 0 && free !== make.pairs) found.push({ id: nodeId, free: sizeOf(free) });
  }
  found.sort((a, b) => b.free - a.free || (a.id < b.id ? -1 : 1));
  return found.slice(0, NODES_MAX).map(({ id }) => id);
}

type Owned = Resident & { readonly account: AccountId };

/** What uses the node; undefined when some of it cannot move, such as what a hold keeps. */
async function residentsOf(
  tx: ReadTx,
  ctx: ServiceContext,
  node: NodeId,
): Promise<readonly Owned[] | undefined> {
  const instances = await tx.instancesOnNode(node);
  if (!instances.every(canMove)) return undefined;
  const residents: Owned[] = [];
  for (const instance of instances) {
    const claim = await tx.claims.ofInstance(instance.id);
    const room = claim && (await roomOf(tx, ctx, claim));
    const ask = await askOf(tx, instance);
    if (!room || ask.kind !== "one") return undefined;
    const anywhere = { previousNodeId: undefined, previousLeafGroup: undefined };
    const request = { ...ask.request, ...anywhere };
    residents.push({ instanceId: instance.id, account: instance.account, request, room });
  }
  const { gpus } = await tx.claims.ofNode(node);
  const known = new Set(instances.map(({ id }) => id));
  return gpus.every(({ instanceId }) => known.has(instanceId)) ? residents : undefined;
}

function canMove({ status, placement }: Instance): boolean {
  return status === "running" && placement?.phase === "present";
}
