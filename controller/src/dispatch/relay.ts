// Sends nodes their whole desired state: for every outbox entry, and when asked to. What is sent
// was just read from the store; an entry is cleared by the agent's durable acceptance, never by
// having been sent.
import { backoffMs } from "@railyard/lib/backoff";
import type { Bus } from "@railyard/lib/bus/bus";
import { unlessAborted } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import { Loop, type LoopReport } from "@railyard/lib/loop";
import type { Signer } from "@railyard/lib/sign";
import {
  DesiredAnswer,
  DesiredOutcome,
  SignedDesired,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import { desiredSubject } from "@railyard/proto/subjects";
import type { NodeFlag } from "../domain/node.js";
import type { ServiceContext } from "../service/context.js";
import { desiredNode } from "../service/desired.js";
import { flagNode } from "../service/node-flag.js";
import { signDesired } from "./signing.js";

/** Named points at which tests may stop the process. */
export type FailPoint = "after-commit-before-publish";

export interface RelayOptions {
  readonly ctx: ServiceContext;
  readonly bus: Bus;
  readonly signer: Signer;
  /** Upper bound between two looks at the outbox, milliseconds. */
  readonly periodMs: number;
  /** Does nothing outside tests. */
  readonly failpoint?: (name: FailPoint) => Promise<void> | void;
}

/** Nodes that are being sent to at the same time, at most. */
export const SENDS_MAX = 32;
/** How long an agent may take to store a desired state. */
const ANSWER_MS = 5_000;

interface Sending {
  readonly done: Promise<void>;
  /** Gives up on the answer: whoever was asked is not there any more, or never heard it. */
  readonly abandon: AbortController;
}

interface Retry {
  readonly attempt: number;
  readonly notBefore: number;
}

export class Relay {
  private readonly loop: Loop;
  private readonly inFlight = new Map<NodeId, Sending>();
  private readonly wanted = new Set<NodeId>();
  private readonly retries = new Map<NodeId, Retry>();

  constructor(private readonly options: RelayOptions) {
    const { ctx, periodMs } = options;
    const { clock, log } = ctx;
    this.loop = new Loop({ name: "relay", clock, log, periodMs, runOnce: () => this.runOnce() });
  }

  start(): void {
    this.loop.start();
  }

  /** Look at the outbox now. */
  nudge(): void {
    this.loop.nudge();
  }

  /**
   * Send this node its desired state now, whether or not it accepted it before; what is under way
   * already is that.
   */
  wake(nodeId: NodeId): void {
    if (!this.inFlight.has(nodeId)) this.want(nodeId);
  }

  /** A session of this node has just said hello: what an earlier one left unanswered is not. */
  welcomed(nodeId: NodeId): void {
    this.want(nodeId);
    this.inFlight.get(nodeId)?.abandon.abort();
  }

  /** What was under way when the bus was lost may have gone with it: sent again at once. */
  reconnected(): void {
    for (const nodeId of this.inFlight.keys()) this.welcomed(nodeId);
    this.retries.clear();
    this.loop.nudge();
  }

  report(): LoopReport {
    return this.loop.report();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    const sendings = [...this.inFlight.values()];
    for (const { abandon } of sendings) abandon.abort();
    await Promise.all(sendings.map(({ done }) => done));
  }

  /** One look: begins as many sends as there is room for. They end by themselves. */
  async runOnce(): Promise<void> {
    const pending = await this.options.ctx.store.read((tx) => tx.outbox.pending());
    const now = this.options.ctx.clock.monotonic();
    const due = [...this.wanted, ...pending.map(({ nodeId }) => nodeId)].filter(
      (nodeId) => (this.retries.get(nodeId)?.notBefore ?? 0) <= now,
    );
    for (const nodeId of new Set(due)) {
      if (this.inFlight.size >= SENDS_MAX) return;
      if (!this.inFlight.has(nodeId)) this.begin(nodeId);
    }
  }

  private want(nodeId: NodeId): void {
    this.wanted.add(nodeId);
    this.retries.delete(nodeId);
    this.loop.nudge();
  }

  private begin(nodeId: NodeId): void {
    this.wanted.delete(nodeId);
    const abandon = new AbortController();
    const { signal } = abandon;
    const done = this.send(nodeId, signal)
      .then((delivered) => {
        if (delivered) this.retries.delete(nodeId);
        else if (!signal.aborted) this.backOff(nodeId);
      })
      .catch((err: unknown) => {
        this.options.ctx.log.error({ nodeId, err }, "desired state not sent");
        this.backOff(nodeId);
      })
      .finally(() => {
        this.inFlight.delete(nodeId);
        this.loop.nudge();
      });
    this.inFlight.set(nodeId, { done, abandon });
  }

  private backOff(nodeId: NodeId): void {
    const { clock, rng } = this.options.ctx;
    const attempt = this.retries.get(nodeId)?.attempt ?? 0;
    const notBefore = clock.monotonic() + backoffMs(attempt, rng);
    this.retries.set(nodeId, { attempt: attempt + 1, notBefore });
  }

  /** True when nothing is left to do for this generation. */
  private async send(nodeId: NodeId, signal: AbortSignal): Promise<boolean> {
    const { ctx, signer, failpoint } = this.options;
    const signed = await ctx.store.read(async (tx) => {
      const node = await tx.nodes.get(nodeId);
      if (!node) return "gone";
      if (!node.session) return undefined;
      return signDesired(signer, node.session, await desiredNode(tx, ctx.catalog, node));
    });
    // Nobody is there to send to; the next hello wakes it.
    if (!signed) return false;
    if (signed === "gone") return true;
    await failpoint?.("after-commit-before-publish");
    const { session, generation, epoch } = signed;
    const about = { nodeId, session, generation: String(generation) };
    const answer = await this.ask(signed, signal);
    if (!answer) return false;
    if (answer.outcome === DesiredOutcome.DESIRED_OUTCOME_ACCEPTED) {
      if (answer.epoch !== epoch || answer.generation < generation) return false;
      ctx.leases.accepted(nodeId, { session, epoch, acceptedGeneration: answer.generation });
      const isNews = await this.accepted(nodeId, generation);
      ctx.log[isNews ? "info" : "debug"](about, "desired state accepted");
      return true;
    }
    await this.refused(signed, answer);
    return false;
  }

  /** Undefined when there was no answer in time, or none is waited for any more. */
  private async ask(
    signed: SignedDesired,
    signal: AbortSignal,
  ): Promise<DesiredAnswer | undefined> {
    const { ctx, bus } = this.options;
    const { nodeId, session, generation } = signed;
    try {
      const bytes = SignedDesired.encode(signed).finish();
      const subject = desiredSubject(nodeId, session);
      const answering = bus.request(subject, bytes, { timeoutMs: ANSWER_MS });
      return DesiredAnswer.decode(await unlessAborted(signal, answering));
    } catch (thrown) {
      const { code, message } = asRailyardError(thrown);
      const about = { nodeId, session, generation: String(generation), code, why: message };
      ctx.log.debug(about, "desired state not answered");
      return undefined;
    }
  }

  /** False when it was known already. */
  private accepted(nodeId: NodeId, generation: bigint): Promise<boolean> {
    const { store, clock } = this.options.ctx;
    const cause = { by: "system:relay", method: "node.accepted", at: clock.now() };
    return store.write(cause, async (tx) => {
      const node = await tx.nodes.get(nodeId);
      const isNews = node !== undefined && node.acceptedGeneration < generation;
      if (isNews) await tx.outbox.accepted(nodeId, generation);
      return isNews;
    });
  }

  private async refused(signed: SignedDesired, answer: DesiredAnswer): Promise<void> {
    const { ctx } = this.options;
    const nodeId = signed.nodeId as NodeId;
    const outcome = DesiredOutcome[answer.outcome] ?? String(answer.outcome);
    const generation = String(signed.generation);
    ctx.log.warn({ nodeId, generation, outcome, why: answer.message }, "desired state refused");
    // Read again: something newer may have been raised and sent since.
    const newest = (await ctx.store.read((tx) => tx.nodes.get(nodeId)))?.generation;
    const flag = newest === undefined ? undefined : flagFor(signed, answer, newest);
    if (flag) await flagNode(ctx, nodeId, flag);
  }
}

function flagFor(
  signed: SignedDesired,
  answer: DesiredAnswer,
  newest: bigint,
): Omit<NodeFlag, "at"> | undefined {
  const sent = `generation ${signed.generation} of epoch ${signed.epoch}`;
  if (answer.outcome === DesiredOutcome.DESIRED_OUTCOME_CONTRADICTORY) {
    return { code: "contradictory-desired", message: `holds other content under ${sent}` };
  }
  if (answer.outcome === DesiredOutcome.DESIRED_OUTCOME_BAD_SIGNATURE) {
    return { code: "signature-invalid", message: `refused our signature on ${sent}` };
  }
  if (answer.outcome !== DesiredOutcome.DESIRED_OUTCOME_STALE) return undefined;
  const isAhead =
    answer.epoch > signed.epoch || (answer.epoch === signed.epoch && answer.generation > newest);
  if (!isAhead) return undefined;
  const held = `generation ${answer.generation} of epoch ${answer.epoch}`;
  return { code: "generation-unknown", message: `holds ${held}, newest is ${newest}` };
}
