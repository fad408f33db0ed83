// Faults of made-up machines: an operator injects and removes them, time ends them. Each is part of
// its node's desired state, so every change of them raises the node's generation.
import { notFound, refuse } from "@railyard/lib/errors";
import { type FaultId, type NodeId, newEtag, newId } from "@railyard/lib/ids";
import {
  checkFaultPlace,
  checkFaultSpec,
  FAULTS_PER_NODE_MAX,
  type FaultSpec,
  type NodeFault,
} from "../domain/node-fault.js";
import type { NodeFaultFilter, Page } from "../store/contract.js";
import type { Mutation, ServiceContext } from "./context.js";
import type { Listing } from "./listing.js";
import { mutate } from "./mutate.js";
import { findNode } from "./node.js";

export interface AddFault {
  readonly nodeId: NodeId;
  readonly spec: FaultSpec;
  /** Milliseconds; undefined: until it is removed. */
  readonly ttlMs: number | undefined;
}

/**
 * Injects a fault. Errors: `invalid` for choices that the kind or the machine does not
 * have; `notFound`;
 * `precondition` FAULT_NOT_SUPPORTED unless the node's agent says that its machine is made up;
 * `exhausted` when the node has as many as it may have.
 */
export function addFault<A>(
  ctx: ServiceContext,
  call: Mutation<NodeFault, A>,
  { nodeId, spec, ttlMs }: AddFault,
): Promise<A> {
  checkFaultSpec(spec);
  return mutate(ctx, call, async (tx, { at, rng, tell }) => {
    const node = await findNode(tx, nodeId);
    const resource = { type: "node", id: nodeId };
    if (!node.fake) {
      const text = `node ${nodeId} is no made-up machine: its faults are its own`;
      throw refuse("precondition", text, { reason: "FAULT_NOT_SUPPORTED", resource });
    }
    const hardware = await tx.hardware.get(node.hardware);
    if (hardware) checkFaultPlace(spec, hardware);
    if ((await tx.nodeFaults.ofNode(nodeId)).length >= FAULTS_PER_NODE_MAX) {
      const text = `node ${nodeId} has ${FAULTS_PER_NODE_MAX} faults already, which is the most`;
      throw refuse("exhausted", text, { resource });
    }
    const fault: NodeFault = {
      id: newId("fault", { at, rng }),
      nodeId,
      createdAt: at,
      expiresAt: ttlMs === undefined ? undefined : at + ttlMs,
      etag: newEtag(rng),
      spec,
    };
    await tx.nodeFaults.insert(fault);
    await tx.outbox.raise(nodeId);
    tell({ nodeId, faultId: fault.id, spec, expiresAt: fault.expiresAt }, "fault injected");
    return fault;
  });
}

/** One page of faults, newest first, of one node or of all. */
export function listFaults(
  ctx: ServiceContext,
  wish: Listing & { readonly filter: NodeFaultFilter },
): Promise<Page<NodeFault>> {
  return ctx.store.read((tx) => tx.nodeFaults.list(wish));
}

/** Takes a fault away. Errors: `notFound`; `conflict` ETAG_MISMATCH. */
export function removeFault<A>(
  ctx: ServiceContext,
  call: Mutation<NodeFault, A>,
  { id, etag }: { readonly id: FaultId; readonly etag: string },
): Promise<A> {
  return mutate(ctx, call, async (tx, { tell }) => {
    const fault = await tx.nodeFaults.get(id);
    if (!fault) throw notFound("fault", id);
    if (etag !== "" && etag !== fault.etag) {
      throw refuse("conflict", `fault ${id} has changed since its etag was read`, {
        reason: "ETAG_MISMATCH",
        resource: { type: "fault", id },
      });
    }
    await tx.nodeFaults.delete(id);
    await tx.outbox.raise(fault.nodeId);
    tell({ nodeId: fault.nodeId, faultId: id }, "fault removed");
    return fault;
  });
}

/** Takes away the faults whose time is over; answers how many. Writes nothing without any. */
export async function expireFaults(ctx: ServiceContext): Promise<number> {
  const at = ctx.clock.now();
  const due = await ctx.store.read((tx) => tx.nodeFaults.expired(at));
  if (due.length === 0) return 0;
  const cause = { by: "system:faults", method: "fault.expire", at };
  const gone = await ctx.store.write(cause, async (tx) => {
    const faults = await tx.nodeFaults.expired(at);
    for (const { id, nodeId } of faults) {
      await tx.nodeFaults.delete(id);
      await tx.outbox.raise(nodeId);
    }
    return faults;
  });
  for (const { id, nodeId } of gone) ctx.log.info({ nodeId, faultId: id }, "fault is over");
  ctx.nudgeRelay();
  return gone.length;
}
