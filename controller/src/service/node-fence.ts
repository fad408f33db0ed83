// Fencing: an operator's word that a silent node cannot speak stands in for the report that nothing
// of its work is left. Its instances move or stop, deletes end; its devices stay blocked until it
// is back and was seen without work.
import { invalidField, type RailyardError, refuse } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import { stoppedByHostFailure } from "../domain/host-failure.js";
import { type Instance, offHost } from "../domain/instance.js";
import type { Node, NodeFence } from "../domain/node.js";
import type { WriteTx } from "../store/contract.js";
import { touched } from "./change.js";
import type { Mutation, ServiceContext } from "./context.js";
import { raiseFabric } from "./fabric.js";
import { finishLeaving, type LeaveGiven, releaseHost } from "./instance-leave.js";
import { runQueued } from "./instance-queue.js";
import { type Launched, launch, PLACED_ANEW, whereOf } from "./instance-start.js";
import { chanceOf, mutate } from "./mutate.js";
import { checkNodeEtag, findNode, type NodeView, nodeView } from "./node.js";
import { tenantTx } from "./tenant.js";

export interface FenceNode {
  readonly id: NodeId;
  /** Empty: whatever is there. */
  readonly etag: string;
  /** `other`: a proof that cannot be checked here. */
  readonly method: NodeFence["method"] | "other";
  readonly reason: string;
}

/**
 * Records the fence and moves the node's work, in one transaction. Errors: `notFound`; `invalid`
 * without a reason; `conflict` ETAG_MISMATCH; `precondition` NODE_ALREADY_FENCED, or
 * NODE_FENCE_PROOF_MISSING for another proof than an operator's word and for a node that is heard.
 */
export function fenceNode<A>(
  ctx: ServiceContext,
  call: Mutation<NodeView, A>,
  { id, etag, method, reason }: FenceNode,
): Promise<A> {
  return mutate(ctx, call, async (tx, given) => {
    if (reason.trim() === "") {
      throw invalidField(
        "reason",
        "must say why the node cannot speak",
        "NODE_FENCE_PROOF_MISSING",
      );
    }
    const node = await findNode(tx, id);
    checkNodeEtag(node, etag);
    const refusal = refusalOf(ctx, node, method);
    if (refusal || method === "other") throw refusal;
    const sinceGeneration = String(await tx.outbox.raise(id));
    await raiseFabric(tx, id);
    const by = call.principal.id;
    const after = { ...node, fence: { method, reason, by, at: given.at, sinceGeneration } };
    await tx.nodes.update(after);
    const instances = await tx.instancesOnNode(id);
    const { quarantineMs } = ctx.settings;
    for (const instance of instances) {
      const leaving = { at: given.at, rng: chanceOf(instance), quarantineMs };
      const moved = await evacuate(tx, ctx, { given: leaving, instance });
      if (moved?.near) given.tell(whereOf(moved), PLACED_ANEW);
    }
    given.tell({ nodeId: id, why: reason, instances: instances.length }, "node fenced");
    return nodeView(tx, ctx, after);
  });
}

function refusalOf(
  { leases }: ServiceContext,
  node: Node,
  method: FenceNode["method"],
): RailyardError | undefined {
  const resource = { type: "node", id: node.id };
  if (node.fence) {
    const text = `node ${node.id} is fenced already`;
    return refuse("precondition", text, { reason: "NODE_ALREADY_FENCED", resource });
  }
  const missing = (text: string) =>
    refuse("precondition", text, { reason: "NODE_FENCE_PROOF_MISSING", resource });
  if (method === "other") return missing("this proof cannot be taken: only an operator's word");
  const silentMs = leases.silentMs(node.id);
  if (leases.fresh(node.id) || (!node.silence && silentMs <= leases.leaseMs)) {
    return missing(`node ${node.id} is not known to be silent: it may be speaking`);
  }
  return undefined;
}

interface Evacuation {
  readonly given: LeaveGiven;
  readonly instance: Instance;
}

/**
 * The instance keeps its interfaces, addresses and MACs; what it held on the node it gives up.
 * Answers with what was started elsewhere.
 */
async function evacuate(
  tx: WriteTx,
  ctx: ServiceContext,
  { given, instance }: Evacuation,
): Promise<Launched | undefined> {
  const theirs = tenantTx(tx, instance.account);
  if (instance.placement?.phase === "leaving") {
    const left = await finishLeaving(theirs, given, instance);
    return left && runQueued(theirs, ctx, { given, instance: left });
  }
  const free = await releaseHost(theirs, given, instance);
  const { mine } = theirs;
  const profile = await tx.profiles.instance(free.profile);
  if (free.spec.hostFailure === "stop" || !profile) {
    await mine.instances.update(touched(stoppedByHostFailure(free), given.rng));
    return undefined;
  }
  const { clusterNetworkId } = free;
  const network = clusterNetworkId && (await mine.clusterNetworks.get(clusterNetworkId));
  const attachments = await mine.attachments.ofInstance(free.id);
  return launch(theirs, ctx, { given, instance: offHost(free), profile, network, attachments });
}

/**
 * Whether a report ends the fence: complete, of the fence's generation or later, without a trace of
 * work on the machine.
 */
export function endsFence(
  fence: NodeFence,
  report: {
    readonly generation: bigint;
    readonly complete: boolean;
    readonly instances: readonly unknown[];
    readonly residues: readonly unknown[];
  },
): boolean {
  const { generation, complete, instances, residues } = report;
  if (!complete || generation < BigInt(fence.sinceGeneration)) return false;
  return instances.length === 0 && residues.length === 0;
}
