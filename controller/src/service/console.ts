// Use case of attaching to an instance's serial console: who may, since when and until when, and
// the two audit records of it. What is typed and said passes through and is kept nowhere.
import { asRailyardError, refuse } from "@railyard/lib/errors";
import { type ConsoleId, type InstanceId, type NodeId, newId } from "@railyard/lib/ids";
import { allows, type Instance, type InstancePlacement, statusesFor } from "../domain/instance.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { ReadTx } from "../store/contract.js";
import {
  type ConsoleClient,
  ConsoleRelay,
  type Counts,
  type EndReason,
  OUTPUT_WINDOW_BYTES,
} from "./console-relay.js";
import type { ServiceContext, TenantCall } from "./context.js";
import { epochOf } from "./epoch.js";
import { findInstance } from "./find.js";
import { streamOf } from "./mutate.js";
import { refuseReadOnly } from "./read-only.js";

/** After so long without a byte either way a session ends, unless it is set otherwise. */
export const IDLE_MS = 15 * 60_000;
/** How often a session looks whether its instance is still where it was. */
const LOOK_MS = 2_000;

/** What an agent is told to attach to. */
export interface LineWish {
  readonly consoleId: ConsoleId;
  readonly nodeId: NodeId;
  /** The agent's session. */
  readonly session: string;
  readonly instanceId: InstanceId;
  /** The placement that the session is bound to. */
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly gpus: readonly string[];
  readonly force: boolean;
  readonly columns: number;
  readonly rows: number;
  /** How many bytes of output may come at first. */
  readonly creditBytes: number;
}

/** What comes from an agent. */
export type LineEvent =
  | { readonly t: "output"; readonly bytes: Uint8Array }
  | { readonly t: "credit"; readonly bytes: number }
  | { readonly t: "end"; readonly reason: EndReason };

/** An open line to an agent. */
export interface ConsoleLine {
  /** How many bytes of input may be sent at first. */
  readonly creditBytes: number;
  input(bytes: Uint8Array): void;
  resize(columns: number, rows: number): void;
  credit(bytes: number): void;
  /** Hangs up; nothing is heard any more. Idempotent. */
  close(): void;
}

export interface ConsoleLines {
  /**
   * Opens a line; `hear` may be called before it is there. Errors: `precondition` CONSOLE_BUSY or
   * INSTANCE_NOT_RUNNING, `unavailable`.
   */
  readonly open: (wish: LineWish, hear: (event: LineEvent) => void) => Promise<ConsoleLine>;
  /** After so long without a byte either way a session ends, milliseconds. */
  readonly idleMs: number;
}

export interface AttachConsole {
  readonly instanceId: InstanceId;
  readonly force: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly creditBytes: number;
}

/**
 * Carries bytes between the client and the guest until either leaves. Errors: `notFound`;
 * `precondition` INSTANCE_NOT_RUNNING or CONSOLE_BUSY; `unavailable` INSTANCE_HOST_LOST and what
 * the client's frames throw.
 */
export async function attachConsole(
  ctx: ServiceContext,
  lines: ConsoleLines,
  call: TenantCall & {
    readonly signal: AbortSignal;
    readonly wish: AttachConsole;
    readonly client: ConsoleClient;
  },
): Promise<void> {
  const { wish, client, signal } = call;
  const consoleId = newId("console", {
    at: ctx.clock.now(),
    rng: streamOf(ctx.rng, call.account),
  });
  const place = await ctx.store.read((tx) => placeOf(ctx, tx, call));
  const { columns, rows, force, instanceId } = wish;
  const relay = new ConsoleRelay({ clock: ctx.clock, client, signal, idleMs: lines.idleMs });
  const asked = { ...place, consoleId, instanceId, force, columns, rows };
  const hear = (event: LineEvent) => {
    const gone = event.t === "end" && event.reason === "stopped";
    if (gone) void whyGone(ctx, call, place).then((reason) => relay.end(reason));
    else relay.hear(event);
  };
  const line = await lines.open({ ...asked, creditBytes: OUTPUT_WINDOW_BYTES }, hear);
  const told = { ctx, call, consoleId, nodeId: place.nodeId };
  const startedAt = ctx.clock.monotonic();
  try {
    await tellStart(told);
  } catch (thrown) {
    line.close();
    throw thrown;
  }
  const look = watchPlacement(ctx, call, { place, ended: (reason) => relay.end(reason) });
  try {
    await relay.run(line, { consoleId, creditBytes: wish.creditBytes });
  } finally {
    look.cancel();
    line.close();
    await tellEnd(told, {
      ...relay.counts,
      reason: relay.reason ?? "client",
      ms: ctx.clock.monotonic() - startedAt,
    });
  }
}

type Place = Pick<LineWish, "nodeId" | "session" | "epoch" | "generation" | "gpus">;
type Asked = TenantCall & { readonly wish: AttachConsole };

async function placeOf(ctx: ServiceContext, tx: ReadTx, call: Asked): Promise<Place> {
  const instance = await findInstance(tx.account(call.account), call.wish.instanceId);
  const placement = presentPlacement(instance);
  if (!placement) throw notRunning(instance);
  const { nodeId, sinceGeneration, pairs } = placement;
  const node = await tx.nodes.get(nodeId);
  if (!node?.session || !ctx.leases.fresh(nodeId)) throw hostSilent(instance);
  return {
    nodeId,
    session: node.session,
    epoch: await epochOf(tx),
    generation: sinceGeneration,
    gpus: pairs.map(({ gpu }) => gpu),
  };
}

function presentPlacement(instance: Instance): InstancePlacement | undefined {
  const { placement } = instance;
  const present = placement?.phase === "present" && allows(instance, "attaching to its console");
  return present ? placement : undefined;
}

function notRunning({ id, status }: Instance) {
  const allowed = statusesFor("attaching to its console").join(", ");
  return refuse("precondition", `instance ${id} is ${status}; its console needs: ${allowed}`, {
    reason: "INSTANCE_NOT_RUNNING",
    resource: { type: RESOURCE_TYPE.instance, id },
    metadata: { status, allowed },
  });
}

function hostSilent({ id }: Instance) {
  return refuse("unavailable", `the host of instance ${id} does not answer`, {
    reason: "INSTANCE_HOST_LOST",
    resource: { type: RESOURCE_TYPE.instance, id },
  });
}

/** Looks from time to time whether the instance is still where it was, and says when it is not. */
function watchPlacement(
  ctx: ServiceContext,
  call: Asked,
  { place, ended }: { readonly place: Place; readonly ended: (reason: EndReason) => void },
): { cancel(): void } {
  const look = async () => {
    const reason = await ctx.store.read((tx) => whyOver(tx, call, place)).catch(() => undefined);
    if (reason) ended(reason);
    else if (!cancelled) timer = ctx.clock.after(LOOK_MS, () => void look());
  };
  let cancelled = false;
  let timer = ctx.clock.after(LOOK_MS, () => void look());
  return {
    cancel() {
      cancelled = true;
      timer.cancel();
    },
  };
}

/** Why its guest is gone, as far as it is known here. */
async function whyGone(ctx: ServiceContext, call: Asked, place: Place): Promise<EndReason> {
  const known = await ctx.store.read((tx) => whyOver(tx, call, place)).catch(() => undefined);
  return known ?? "stopped";
}

async function whyOver(tx: ReadTx, call: Asked, place: Place): Promise<EndReason | undefined> {
  const instance = await tx.account(call.account).instances.get(call.wish.instanceId);
  if (!instance || instance.status === "deleting") return "deleted";
  const present = presentPlacement(instance);
  if (!present) return "stopped";
  if (present.nodeId !== place.nodeId) return "moved";
  // Taken off and put there again in between.
  return present.sinceGeneration === place.generation ? undefined : "stopped";
}

interface Told {
  readonly ctx: ServiceContext;
  readonly call: Asked;
  readonly consoleId: ConsoleId;
  readonly nodeId: NodeId;
}

async function tellStart(told: Told): Promise<void> {
  const { force } = told.call.wish;
  await record(told, `console ${told.consoleId} opened${force ? " by force" : ""}`, true);
  told.ctx.log.info(fieldsOf(told), "console opened");
}

async function tellEnd(
  told: Told,
  { reason, ms, bytesIn, bytesOut }: Counts & { readonly reason: EndReason; readonly ms: number },
): Promise<void> {
  const { ctx, consoleId } = told;
  const seconds = Math.round(ms / 1_000);
  const counts = `${bytesIn} bytes in, ${bytesOut} bytes out`;
  const note = `console ${consoleId} closed after ${seconds} s (${reason}): ${counts}`;
  const fields = { ...fieldsOf(told), reason, ms: Math.round(ms), bytesIn, bytesOut };
  ctx.log.info(fields, "console closed");
  await record(told, note, false).catch((thrown) => {
    const err = asRailyardError(thrown);
    ctx.log.error({ ...fields, err }, "the end of a console session is not in the audit log");
  });
}

function record({ ctx, call }: Told, note: string, isStart: boolean): Promise<void> {
  const { principal, account } = call;
  const cause = { by: principal.id, method: "AttachConsole", account, at: ctx.clock.now() };
  return ctx.store.write(cause, async (tx) => {
    if (isStart) await refuseReadOnly(tx);
    tx.audit(`${RESOURCE_TYPE.instance}/${call.wish.instanceId}`, note);
  });
}

function fieldsOf({ call, consoleId, nodeId }: Told) {
  const principal = call.principal.id;
  return { instanceId: call.wish.instanceId, consoleId, nodeId, principal };
}
