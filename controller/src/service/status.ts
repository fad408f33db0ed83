// What an agent's report changes: attested instances run, what was seen gone is given back. Reports
// of stale sessions and epochs change nothing.
import { canonicalJson, type Plain } from "@railyard/lib/canonical";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import type { PartitionObservation } from "../domain/fabric.js";
import type { Instance } from "../domain/instance.js";
import type { Node, NodeFlag, NodeInventory } from "../domain/node.js";
import { applyFailure, fabricUnread, withFlag, withoutFlag } from "../domain/node-flag.js";
import {
  type DeviceTrace,
  type InstanceObservation,
  looksOther,
  observe,
  observeAttachment,
} from "../domain/observation.js";
import type { ReadTx, WriteTx } from "../store/contract.js";
import { touched } from "./change.js";
import type { ServiceContext } from "./context.js";
import { desiredNode, intendedDigests } from "./desired.js";
import { epochOf } from "./epoch.js";
import { hasLeftFabric, isIsolated, takePartitions } from "./fabric.js";
import { finishLeaving } from "./instance-leave.js";
import { runQueued } from "./instance-queue.js";
import { PLACED_ANEW, whereOf } from "./instance-start.js";
import { judged, newestSeen } from "./inventory-breaker.js";
import { chanceOf } from "./mutate.js";
import { endsFence } from "./node-fence.js";
import { flagNode } from "./node-flag.js";
import { stopForRails } from "./rail-down.js";
import { type TenantTx, tenantTx } from "./tenant.js";

export interface ReportInput {
  readonly nodeId: NodeId;
  readonly session: string;
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly instances: readonly InstanceObservation[];
  readonly residues: readonly DeviceTrace[];
  /** From a node that drives a subnet manager: all partitions on its fabric. */
  readonly partitions: readonly PartitionObservation[];
  /** Whether the whole machine was observed; only then may absence be concluded. */
  readonly complete: boolean;
  /** When it changed since the last hello or report. */
  readonly inventory: NodeInventory | undefined;
}

/** Why a report was left aside, or that it was taken. */
export type ReportOutcome =
  | "taken"
  | "unknown-node"
  | "stale-session"
  | "stale-epoch"
  | "unknown-generation";

const LEVELS = {
  "unknown-node": "warn",
  "stale-session": "warn",
  "unknown-generation": "error",
  // Every new agent reports before it has accepted anything.
  "stale-epoch": "debug",
} as const satisfies Record<Exclude<ReportOutcome, "taken">, string>;

/** Takes one report; nothing is written when it says nothing new. */
export async function takeReport(ctx: ServiceContext, input: ReportInput): Promise<ReportOutcome> {
  const at = ctx.clock.now();
  const cause = { by: "system:agent", method: "node.report", at };
  const taken = await ctx.store.write(cause, async (tx): Promise<Taken> => {
    const node = await tx.nodes.get(input.nodeId);
    if (!node) return { outcome: "unknown-node", news: [], gone: [] };
    const stale = await staleness(tx, node, input);
    if (stale) return { outcome: stale, news: [], gone: [], flag: flagOf(node, stale, input) };
    const fence = await updateNode(tx, ctx, { node, input, at });
    await takePartitions(tx, node, input);
    const news = await updatePresent(tx, ctx, { node, input, at });
    return { outcome: "taken", news, gone: await goneFrom(tx, node, input), fence };
  });
  tell(ctx, input, taken);
  if (taken.flag) await flagNode(ctx, input.nodeId, taken.flag);
  // One write each: what cannot be finished must not hold its neighbours back.
  for (const id of taken.gone) await finish(ctx, id, { input, at });
  if (taken.news.length + taken.gone.length > 0) ctx.nudgeRelay();
  return taken.outcome;
}

interface Taken {
  readonly outcome: ReportOutcome;
  /** Instances that changed. */
  readonly news: readonly Instance[];
  /** Leaving instances of which no trace was seen. */
  readonly gone: readonly InstanceId[];
  readonly flag?: Flag | undefined;
  /** The report showed the fenced node without work. */
  readonly fence?: "ended" | undefined;
}

type Flag = Omit<NodeFlag, "at">;

async function staleness(
  tx: WriteTx,
  node: Node,
  input: ReportInput,
): Promise<Exclude<ReportOutcome, "taken"> | undefined> {
  if (node.session !== input.session) return "stale-session";
  if ((await epochOf(tx)) !== input.epoch) return "stale-epoch";
  return input.generation > node.generation ? "unknown-generation" : undefined;
}

function flagOf(node: Node, stale: ReportOutcome, input: ReportInput): Flag | undefined {
  if (stale === "stale-session" && node.superseded.includes(input.session)) {
    const message = `session ${input.session} was superseded and spoke again`;
    return { code: "superseded-session-spoke", message };
  }
  if (stale !== "unknown-generation") return undefined;
  const message = `reported generation ${input.generation}, newest is ${node.generation}`;
  return { code: "generation-unknown", message };
}

async function updateNode(
  tx: WriteTx,
  ctx: ServiceContext,
  { node, input, at }: Taking,
): Promise<Taken["fence"]> {
  const { inventory, generation, complete } = input;
  let after = node;
  if (complete && generation > node.appliedGeneration) {
    after = { ...after, appliedGeneration: generation };
  }
  const known = newestSeen(node);
  if (inventory && textOf(inventory) !== textOf(known?.inventory)) {
    const { serial } = known ?? node;
    after = await judged(tx, ctx, { node: after, seen: { serial, inventory } });
  }
  const message = applyFailure(input.instances) ?? fabricUnread(newestSeen(after)?.inventory);
  if (message !== undefined) after = withFlag(after, { code: "apply-failed", message, at });
  else if (complete) after = withoutFlag(after, "apply-failed");
  if (after.fence && endsFence(after.fence, input)) {
    after = { ...after, fence: undefined };
  }
  if (after !== node) await tx.nodes.update(after);
  return after.fence === node.fence ? undefined : "ended";
}

function textOf(inventory: NodeInventory | undefined): string {
  return inventory ? canonicalJson(inventory as unknown as Plain) : "";
}

interface Taking {
  readonly node: Node;
  readonly input: ReportInput;
  readonly at: number;
}

async function updatePresent(
  tx: WriteTx,
  ctx: ServiceContext,
  { node, input, at }: Taking,
): Promise<readonly Instance[]> {
  const desired = await desiredNode(tx, ctx.catalog, node);
  const intended = intendedDigests(desired);
  const newest = input.generation === node.generation;
  const news: Instance[] = [];
  for (const instance of await tx.instancesOnNode(node.id)) {
    const digest = intended.get(instance.id);
    if (digest === undefined) continue;
    const seen = input.instances.find(({ instanceId }) => instanceId === instance.id);
    // An incomplete pass says nothing about what it did not list.
    if (!seen && !input.complete) continue;
    const theirs = tenantTx(tx, instance.account);
    await updateAttachments(theirs, instance, seen);
    if (seen?.layout && seen.phase === "present" && seen.digest === digest) {
      await theirs.mine.guestLayouts.put(instance, seen.layout);
    }
    const wanted = desired.instances.find(({ instanceId }) => instanceId === instance.id);
    const isolated = wanted === undefined || (await isIsolated(tx, node, wanted));
    const next = observe(instance, seen, { digest, newest, isolated });
    const stopping = await stopForRails(theirs, next);
    if (stopping) news.push(stopping);
    if (stopping || next === instance) continue;
    await theirs.mine.instances.update(touched(next, chanceOf(next)));
    const runs = next.status === "running";
    news.push(
      runs
        ? (await runQueued(theirs, ctx, { given: { at, rng: chanceOf(next) }, instance: next }))
            .instance
        : next,
    );
  }
  return news;
}

async function updateAttachments(
  { mine }: TenantTx,
  { id }: Instance,
  seen: InstanceObservation | undefined,
): Promise<void> {
  for (const attachment of await mine.attachments.ofInstance(id)) {
    const next = observeAttachment(attachment, seen);
    if (next === attachment) continue;
    const seenByOwner = looksOther(attachment, next);
    await mine.attachments.update(seenByOwner ? touched(next, chanceOf(next)) : next);
  }
}

async function goneFrom(
  tx: ReadTx,
  node: Node,
  input: ReportInput,
): Promise<readonly InstanceId[]> {
  const gone: InstanceId[] = [];
  for (const instance of input.complete ? await tx.instancesOnNode(node.id) : []) {
    if (!isLeaving(instance, input)) continue;
    const left = await isGone(tx, instance, { node, input });
    if (left && (await hasLeftFabric(tx, node, instance))) gone.push(instance.id);
  }
  return gone;
}

function isLeaving({ placement }: Instance, { nodeId, generation }: ReportInput): boolean {
  if (placement?.phase !== "leaving" || placement.nodeId !== nodeId) return false;
  return generation >= placement.sinceGeneration;
}

async function finish(
  ctx: ServiceContext,
  id: InstanceId,
  { input, at }: { readonly input: ReportInput; readonly at: number },
): Promise<void> {
  const { nodeId } = input;
  const { quarantineMs } = ctx.settings;
  const cause = { by: "system:agent", method: "instance.left", at };
  try {
    const started = await ctx.store.write(cause, async (tx) => {
      const instance = await tx.everyone.instances.get(id);
      if (!instance || !isLeaving(instance, input)) return undefined;
      const given = { at, rng: chanceOf(instance), quarantineMs };
      const theirs = tenantTx(tx, instance.account);
      const left = await finishLeaving(theirs, given, instance);
      return left && runQueued(theirs, ctx, { given, instance: left });
    });
    ctx.log.info({ nodeId, instanceId: id }, "instance seen gone");
    if (started?.near) ctx.log.info(whereOf(started), PLACED_ANEW);
  } catch (err) {
    // The next report tries again.
    ctx.log.error({ nodeId, instanceId: id, err }, "instance seen gone but not finished");
  }
}

/**
 * No entry of its own, and none of its devices carries a trace of anybody. Devices that no claim
 * names, NVSwitches, were given to it when it took every GPU of the node.
 */
async function isGone(
  tx: ReadTx,
  instance: Instance,
  { node: { inventory }, input }: { readonly node: Node; readonly input: ReportInput },
): Promise<boolean> {
  if (input.instances.some(({ instanceId }) => instanceId === instance.id)) return false;
  const claim = await tx.claims.ofInstance(instance.id);
  const traces = [...input.residues, ...input.instances.flatMap(({ devices }) => devices)];
  const named = [...(inventory?.gpus ?? []), ...(inventory?.nics ?? [])].map((d) => d.deviceId);
  const whole = inventory?.gpus.every(({ deviceId }) => claim?.gpus.includes(deviceId)) ?? false;
  return !traces.some(({ deviceId, vf }) => {
    if (vf === undefined) {
      if (!named.includes(deviceId)) return whole;
      return claim?.gpus.includes(deviceId) || claim?.vfs.some(({ nic }) => nic === deviceId);
    }
    return claim?.vfs.some((mine) => mine.nic === deviceId && mine.vf === vf);
  });
}

function tell(
  ctx: ServiceContext,
  { nodeId, session, generation, instances }: ReportInput,
  { outcome, news, fence }: Taken,
): void {
  if (outcome !== "taken") {
    const fields = { nodeId, session, generation: String(generation), outcome };
    ctx.log[LEVELS[outcome]](fields, "report left aside");
    return;
  }
  if (fence === "ended") ctx.log.info({ nodeId }, "fence ended: the node was seen without work");
  for (const { instanceId, reason, failedSteps } of instances) {
    if (reason === "" && failedSteps.length === 0) continue;
    ctx.log.debug({ nodeId, instanceId, why: reason, failedSteps }, "instance not as desired yet");
  }
  for (const { id, status, healthState } of news) {
    ctx.log.info({ nodeId, instanceId: id, status, healthState }, "instance observed");
  }
}
