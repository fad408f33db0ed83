// Nodes as operators see them, and what operators do to them: enrol an agent, cordon, uncordon.
// What agents say is dealt with in hello.ts and status.ts.
import { isBusPublicKey } from "@railyard/lib/bus/identity";
import { canonicalJson, sha256Hex } from "@railyard/lib/canonical";
import { bug, notFound, refuse } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import { spoilsNode } from "../domain/declaration.js";
import { Faults } from "../domain/faults.js";
import { type Node, SUPERSEDED_MAX } from "../domain/node.js";
import type { HardwareKind } from "../domain/physical-cluster.js";
import type { NodeClaims, Page, ReadTx, WriteTx } from "../store/contract.js";
import type { Mutation, ServiceContext } from "./context.js";
import { epochOf } from "./epoch.js";
import { isQuarantined } from "./fleet.js";
import { released } from "./inventory-breaker.js";
import type { Pulse } from "./leases.js";
import type { Listing } from "./listing.js";
import { mutate } from "./mutate.js";
import { pageByName } from "./page-by-name.js";

export type NodeState =
  | "declared"
  | "ready"
  | "suspect"
  | "lost"
  | "fenced"
  | "returning"
  | "quarantined";

export interface NodeView {
  readonly node: Node;
  readonly state: NodeState;
  readonly etag: string;
  readonly physicalCluster: string;
  readonly hardware: HardwareKind | undefined;
  readonly epoch: bigint;
  readonly pulse: Pulse | undefined;
  readonly claims: NodeClaims;
}

export interface NodeFilter {
  readonly name?: string;
  readonly zone?: string;
  readonly physicalCluster?: string;
  readonly leafGroup?: string;
  /** Empty: one that no node is in. */
  readonly state?: NodeState | "";
}

/** One page of declared nodes, by name. */
export async function listNodes(
  ctx: ServiceContext,
  wish: Listing & { readonly filter: NodeFilter },
): Promise<Page<NodeView>> {
  const { name, zone, leafGroup, physicalCluster, state } = wish.filter;
  return ctx.store.read(async (tx) => {
    const clusters = new Map((await tx.physicalClusters.all()).map((c) => [c.id, c.name]));
    const matching = (await tx.nodes.all()).filter(
      (node) =>
        !node.retired &&
        (name === undefined || node.name === name) &&
        (zone === undefined || node.zone === zone) &&
        (leafGroup === undefined || node.leafGroup === leafGroup) &&
        (physicalCluster === undefined ||
          clusters.get(node.physicalClusterId) === physicalCluster) &&
        (state === undefined || stateOf(ctx, node) === state),
    );
    const page = pageByName(matching, wish);
    const rows: NodeView[] = [];
    for (const node of page.rows) rows.push(await nodeView(tx, ctx, node));
    return { ...page, rows };
  });
}

/** Throws `notFound`. */
export async function getNode(ctx: ServiceContext, id: NodeId): Promise<NodeView> {
  return ctx.store.read(async (tx) => nodeView(tx, ctx, await findNode(tx, id)));
}

export interface JoinToken {
  readonly node: Node;
}

/**
 * Lets the agent that holds this key speak for the node; whatever spoke for it before no longer
 * may. Errors: `notFound` NODE_NOT_DECLARED; `invalid` NODE_CREDENTIAL_INVALID; `exists`
 * NODE_CREDENTIAL_TAKEN.
 */
export async function createJoinToken<A>(
  ctx: ServiceContext,
  call: Mutation<JoinToken, A>,
  input: { readonly nodeName: string; readonly publicKey: string },
): Promise<A> {
  const { publicKey } = input;
  const answer = await mutate(ctx, call, async (tx, { tell }) => {
    const node = await nodeToEnrol(tx, input);
    const gone = node.session === undefined ? [] : [node.session];
    const enrolled: Node = {
      ...node,
      publicKey,
      incarnation: node.incarnation + 1,
      session: undefined,
      superseded: [...gone, ...node.superseded].slice(0, SUPERSEDED_MAX),
    };
    await tx.nodes.update(enrolled);
    tell({ nodeId: node.id, incarnation: enrolled.incarnation }, "node enrolled");
    return { node: enrolled };
  });
  ctx.nudgeEnrolment();
  return answer;
}

/** The declared node, whose key this may be; throws every bad field at once. */
async function nodeToEnrol(
  tx: WriteTx,
  { nodeName, publicKey }: { readonly nodeName: string; readonly publicKey: string },
): Promise<Node> {
  const faults = new Faults();
  const node = await tx.nodes.byName(nodeName);
  const isDeclared = node !== undefined && !node.retired;
  if (!isDeclared) {
    faults.add({
      ...{ code: "notFound", field: "node_name", reason: "NODE_NOT_DECLARED" },
      description: `no server called ${nodeName} is declared`,
      resource: { type: "node", id: nodeName },
    });
  }
  const field = "public_key";
  if (!isBusPublicKey(publicKey)) {
    const description = "must be the public key of an nkey user";
    faults.invalid(field, description, "NODE_CREDENTIAL_INVALID");
  }
  const other = (await tx.nodes.all()).find((n) => n.publicKey === publicKey && n.id !== node?.id);
  if (other) {
    const description = `the public key belongs to node ${other.id}`;
    faults.add({ code: "exists", field, description, reason: "NODE_CREDENTIAL_TAKEN" });
  }
  faults.throwIfAny();
  if (!isDeclared) throw bug("a fault was not recorded");
  return node;
}

export interface Cordon {
  readonly id: NodeId;
  /** Empty: whatever is there. */
  readonly etag: string;
  readonly reason: string;
}

/** Gives the node no new work. Errors: `notFound`; `conflict` ETAG_MISMATCH. */
export function cordonNode<A>(
  ctx: ServiceContext,
  call: Mutation<NodeView, A>,
  { reason, ...which }: Cordon,
): Promise<A> {
  return changeNode(ctx, call, {
    ...which,
    change: (node) => ({ ...node, cordoned: true, cordonReason: reason }),
  });
}

/**
 * The operator's word that the node may be used again: it may have work, its flags are gone, and
 * an inventory that was held back is judged.
 * Errors: `notFound`; `conflict` ETAG_MISMATCH.
 */
export function uncordonNode<A>(
  ctx: ServiceContext,
  call: Mutation<NodeView, A>,
  which: Omit<Cordon, "reason">,
): Promise<A> {
  return changeNode(ctx, call, {
    ...which,
    change: async (node, { tx, at }) => {
      const judged = await released(tx, node, at);
      return { ...judged, cordoned: false, cordonReason: "", flags: [] };
    },
  });
}

type Change = (
  node: Node,
  given: { readonly tx: WriteTx; readonly at: number },
) => Node | Promise<Node>;

function changeNode<A>(
  ctx: ServiceContext,
  call: Mutation<NodeView, A>,
  { id, etag, change }: Omit<Cordon, "reason"> & { readonly change: Change },
): Promise<A> {
  return mutate(ctx, call, async (tx: WriteTx, { at, tell }) => {
    const node = await findNode(tx, id);
    checkNodeEtag(node, etag);
    const after = await change(node, { tx, at });
    await tx.nodes.update(after);
    tell({ nodeId: id, cordoned: after.cordoned, why: after.cordonReason }, "node changed");
    return nodeView(tx, ctx, after);
  });
}

/** Where the node stands: as it is heard at this moment, otherwise as it was written down. */
export function stateOf(ctx: ServiceContext, node: Node): NodeState {
  const isHeard = ctx.leases.fresh(node.id);
  if (node.fence) return isHeard ? "returning" : "fenced";
  if (isQuarantined(node) || node.mismatches.some(spoilsNode)) return "quarantined";
  if (node.session === undefined && !node.silence) return "declared";
  if (isHeard) return "ready";
  return node.silence?.state ?? "suspect";
}

/** Throws `notFound`. */
export async function findNode(tx: ReadTx, id: NodeId): Promise<Node> {
  const node = await tx.nodes.get(id);
  if (!node || node.retired) throw notFound("node", id);
  return node;
}

export async function nodeView(tx: ReadTx, ctx: ServiceContext, node: Node): Promise<NodeView> {
  const cluster = await tx.physicalClusters.get(node.physicalClusterId);
  return {
    node,
    state: stateOf(ctx, node),
    etag: etagOf(node),
    physicalCluster: cluster?.name ?? "",
    hardware: await tx.hardware.get(node.hardware),
    epoch: await epochOf(tx),
    pulse: ctx.leases.last(node.id),
    claims: await tx.claims.ofNode(node.id),
  };
}

/** Throws `conflict` ETAG_MISMATCH when the caller named an etag that the node no longer has. */
export function checkNodeEtag(node: Node, etag: string): void {
  if (etag === "" || etag === etagOf(node)) return;
  throw refuse("conflict", `node ${node.id} has changed since its etag was read`, {
    reason: "ETAG_MISMATCH",
    resource: { type: "node", id: node.id },
  });
}

/** Changes with what an operator declares or does, and with what flags it. */
function etagOf(node: Node): string {
  const { id, serial, hardware, leafGroup, cordoned, cordonReason, incarnation } = node;
  const flags = node.flags.map(({ code, at }) => ({ code, at }));
  const fencedAt = node.fence?.at ?? 0;
  const declared = { id, serial, hardware, leafGroup };
  const done = { cordoned, cordonReason, incarnation, flags, fencedAt };
  return sha256Hex(canonicalJson({ ...declared, ...done })).slice(0, 16);
}
