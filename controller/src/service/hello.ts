// An agent process introduces itself: whether it may speak for its node, and what its machine
// turned out to have. The bus is not known here; asking the first session whether it lives comes in
// as a function.
import type { NodeId, SessionId } from "@railyard/lib/ids";
import { type Node, type NodeInventory, SUPERSEDED_MAX } from "../domain/node.js";
import type { ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { epochOf } from "./epoch.js";
import { judged } from "./inventory-breaker.js";
import { flagNode } from "./node-flag.js";
import { goReadOnly } from "./read-only.js";

export interface HelloInput {
  readonly nodeId: NodeId;
  readonly session: SessionId;
  readonly incarnation: bigint;
  readonly bootId: string;
  readonly serial: string;
  readonly agentVersion: string;
  readonly fake: boolean;
  readonly inventory: NodeInventory;
  /** Last desired state in the agent's ledger; `ours` = signed by us, for this very node. */
  readonly accepted:
    | { readonly epoch: bigint; readonly generation: bigint; readonly ours: boolean }
    | undefined;
}

export type HelloOutcome =
  | { readonly welcome: { readonly epoch: bigint } }
  | { readonly refused: HelloRefusal; readonly message: string };

export type HelloRefusal =
  | "node-not-declared"
  | "not-enrolled"
  | "another-session-alive"
  | "session-superseded"
  | "generation-unknown"
  | "unavailable";

export interface HelloPorts {
  /** Whether that session of the node answers within a second. */
  readonly ping: (node: NodeId, session: SessionId) => Promise<boolean>;
}

/** How often the present session may change under a newcomer before it is told to come again. */
const TAKEOVER_TRIES_MAX = 3;

/** Welcomes the session as the node's present one, or says why not. */
export async function hello(
  ctx: ServiceContext,
  ports: HelloPorts,
  input: HelloInput,
): Promise<HelloOutcome> {
  for (let turn = 0; turn < TAKEOVER_TRIES_MAX; turn++) {
    const { node, epoch } = await ctx.store.read(async (tx) => ({
      node: await tx.nodes.get(input.nodeId),
      epoch: await epochOf(tx),
    }));
    const refusal = refusalOf(node, epoch, input);
    if (refusal || !node) return refuseHello(ctx, input, refusal ?? NOT_DECLARED);
    if (await otherLives(ports, node, input)) return refuseHello(ctx, input, another(node, input));
    if (await welcome(ctx, node, input)) return { welcome: { epoch } };
  }
  return { refused: "unavailable", message: "the present session kept changing; come again" };
}

interface Refused {
  readonly refused: HelloRefusal;
  readonly message: string;
  readonly flag?: Parameters<typeof flagNode>[2];
  /** We once made what the database does not know. */
  readonly lostCommits?: boolean;
}

const NOT_DECLARED: Refused = {
  refused: "node-not-declared",
  message: "no such node is declared",
};

function refusalOf(node: Node | undefined, epoch: bigint, input: HelloInput): Refused | undefined {
  const { session, incarnation, accepted } = input;
  if (!node || node.retired) return NOT_DECLARED;
  if (node.publicKey === undefined || BigInt(node.incarnation) !== incarnation) {
    return { refused: "not-enrolled", message: "the credentials belong to another enrolment" };
  }
  if (node.superseded.includes(session)) {
    const message = `session ${session} was superseded and spoke again`;
    const flag = { code: "superseded-session-spoke", message } as const;
    return { refused: "session-superseded", message, flag };
  }
  const isUnknown =
    accepted !== undefined &&
    (accepted.epoch > epoch || (accepted.epoch === epoch && accepted.generation > node.generation));
  return isUnknown ? unknownGeneration(accepted, node) : undefined;
}

function unknownGeneration(accepted: NonNullable<HelloInput["accepted"]>, node: Node): Refused {
  const { epoch, generation, ours } = accepted;
  const whose = ours
    ? "under our own signature: the database lost commits"
    : "without a signature of ours";
  const known = `newest is ${node.generation}`;
  const message = `accepted unknown generation ${generation}, epoch ${epoch} (${known}), ${whose}`;
  const flag = { code: "generation-unknown", message } as const;
  return { refused: "generation-unknown", message, flag, lostCommits: ours };
}

function another(node: Node, { session }: HelloInput): Refused {
  const message = `session ${session} was refused while session ${node.session ?? ""} answers`;
  return { refused: "another-session-alive", message, flag: { code: "second-session", message } };
}

async function refuseHello(
  ctx: ServiceContext,
  { nodeId, session }: HelloInput,
  { refused, message, flag, lostCommits }: Refused,
): Promise<HelloOutcome> {
  const level = refused === "generation-unknown" ? "error" : "warn";
  ctx.log[level]({ nodeId, session, refused, why: message }, "hello refused");
  if (flag) await flagNode(ctx, nodeId, flag);
  if (lostCommits) await goReadOnly(ctx, `node ${nodeId} ${message}`);
  return { refused, message };
}

async function otherLives(ports: HelloPorts, node: Node, input: HelloInput): Promise<boolean> {
  const { session } = node;
  if (session === undefined || session === input.session) return false;
  return ports.ping(node.id, session);
}

/** False when another session came in between. */
async function welcome(ctx: ServiceContext, before: Node, input: HelloInput): Promise<boolean> {
  const at = ctx.clock.now();
  const cause = { by: "system:agent", method: "node.hello", at };
  const after = await ctx.store.write(cause, async (tx) => {
    const node = await tx.nodes.get(input.nodeId);
    if (!node || node.session !== before.session || node.incarnation !== before.incarnation) {
      return undefined;
    }
    const made = await introduced(tx, ctx, { node, input, at });
    await tx.nodes.update(made);
    return made;
  });
  if (!after) return false;
  const { nodeId, session } = input;
  const mismatches = after.mismatches.length;
  ctx.log.info({ nodeId, session, was: before.session, mismatches }, "session welcomed");
  return true;
}

async function introduced(
  tx: ReadTx,
  ctx: ServiceContext,
  { node, input, at }: { readonly node: Node; readonly input: HelloInput; readonly at: number },
): Promise<Node> {
  const { session, bootId, agentVersion, fake, serial, inventory } = input;
  const isNew = node.session !== session;
  const gone = isNew && node.session !== undefined ? [node.session] : [];
  const met = {
    ...node,
    session,
    superseded: [...gone, ...node.superseded].slice(0, SUPERSEDED_MAX),
    bootId,
    agentVersion,
    fake,
    registeredAt: isNew ? at : (node.registeredAt ?? at),
  };
  return judged(tx, ctx, { node: met, seen: { serial, inventory } });
}
