// The agent's side of the bus: says hello until it is welcomed, gives signs of life, hears desired
// states, tells what was seen. It must not know the machine; what it is told to report, it reports.
import { backoffMs } from "@railyard/lib/backoff";
import type { Bus, Message, Subscription } from "@railyard/lib/bus/bus";
import { type Clock, sleep, type Timer, unlessAborted } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import type { Log } from "@railyard/lib/log";
import type { Rng } from "@railyard/lib/rng";
import {
  DesiredAnswer,
  DesiredOutcome,
  Heartbeat,
  Hello,
  HelloAnswer,
  type HelloRefusal,
  HelloRefusalReason,
  Ping,
  Pong,
  type Welcome,
  type Inventory as WireInventory,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import { desiredSubject, pingSubject, upSubject } from "@railyard/proto/subjects";
import type { Ledger } from "./ledger.js";
import { ToldLayouts } from "./link/layouts.js";
import { receiveDesired } from "./link/receive.js";
import { wireSigned } from "./link/report.js";
import { messageOf, type Telling, tellingOf, toldInventory } from "./link/telling.js";
import type { Desired, Inventory, PassReport } from "./model.js";

/** Longer than a controller takes to ask another session whether it is alive. */
const HELLO_TIMEOUT_MS = 4_000;
/** How soon to ask again after silence or a refusal. */
const HELLO_BACKOFF = { baseMs: 500, maxMs: 10_000 };
/** Desired states waiting for the ledger; more are left unanswered, and sent again. */
const WAITING_MAX = 16;
const HEARTBEAT_MS_MIN = 50;
const HEARTBEAT_MS_MAX = 60_000;
const NO_LAYOUTS = new Map<string, never>();

export interface LinkOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
  readonly nodeId: string;
  readonly session: string;
  /** Which enrolment the credentials belong to. */
  readonly incarnation: bigint;
  readonly agentVersion: string;
  readonly fake: boolean;
  /** What the machine had when the agent started; reports bring newer ones. */
  readonly inventory: Inventory;
  readonly ledger: Ledger;
  /** Checks a signature of the controller. */
  readonly verify: (message: Uint8Array, signature: Uint8Array) => boolean;
  /** A desired state was accepted. */
  readonly onAccepted: () => void;
  /** Whether this session may act for the node; told at every welcome and refusal. */
  readonly onStanding: (welcome: boolean) => void;
  /** Upper bound between two reports of an unchanged machine, milliseconds. */
  readonly reportMs: number;
  /** Upper bound between two hellos of a welcomed session, milliseconds. */
  readonly helloMs: number;
}

export class Link {
  private readonly stopping = new AbortController();
  private readonly subscriptions: Subscription[] = [];
  private inventory: Inventory;
  private waiting = 0;
  private welcomed = false;
  /** A made-up machine that hangs says nothing, and hears only what ends that. */
  private hung = false;
  private heartbeat: Timer | undefined;
  private pause = new AbortController();
  /** What the last pass found. */
  private telling: Telling | undefined;
  private sent: { readonly telling: Telling; readonly at: number } | undefined;
  private sentInventory: Uint8Array | undefined;
  private readonly layouts = new ToldLayouts();

  constructor(private readonly options: LinkOptions) {
    this.inventory = options.inventory;
  }

  start(): void {
    const { bus, nodeId, session } = this.options;
    const hear = (subject: string, hearer: (message: Message) => void) => {
      this.subscriptions.push(bus.subscribe(subject, hearer));
    };
    hear(desiredSubject(nodeId, session), (message) => void this.hearDesired(message));
    hear(pingSubject(nodeId, session), (message) => this.hearPing(message));
    bus.onReconnect(() => this.pause.abort());
    void this.sayHello();
  }

  /** Falls silent at once. Idempotent; what is under way changes nothing any more. */
  stop(): void {
    this.stopping.abort();
    this.pause.abort();
    this.heartbeat?.cancel();
    for (const subscription of this.subscriptions) subscription.cancel();
  }

  /** Takes what a pass found; tells it when it differs from what was told last. */
  report(pass: PassReport): void {
    const rebooted = pass.inventory.bootId !== this.inventory.bootId;
    if (pass !== this.telling?.pass) this.telling = tellingOf(pass, this.options);
    this.inventory = pass.inventory;
    // Which boot of the machine it is, is told by a hello alone.
    if (rebooted && this.welcomed) this.pause.abort();
    this.tell();
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  /** Until welcomed with back-off, then again with every period and every reconnect. */
  private async sayHello(): Promise<void> {
    const { clock, rng, helloMs } = this.options;
    for (let attempt = 0; !this.stopped; ) {
      this.pause = new AbortController();
      const welcome = this.hung || (await this.hello());
      attempt = welcome ? 0 : attempt + 1;
      const waitMs = welcome ? helloMs : backoffMs(attempt - 1, rng, HELLO_BACKOFF);
      if (!this.stopped) await sleep(clock, waitMs, this.pause.signal);
    }
  }

  private async hello(): Promise<boolean> {
    const { bus, log, nodeId } = this.options;
    try {
      const inventory = toldInventory(this.inventory);
      const data = Hello.encode(this.helloMessage(inventory.wire)).finish();
      const options = { timeoutMs: HELLO_TIMEOUT_MS };
      const asking = bus.request(upSubject(nodeId, "hello"), data, options);
      // A hello that was under way when the bus was lost is not answered any more.
      const answer = HelloAnswer.decode(await unlessAborted(this.pause.signal, asking));
      if (this.stopped) return false;
      if (answer.outcome?.$case === "welcome") {
        // A newer one that was told meanwhile may have been heard before this hello.
        this.sentInventory = inventory.bytes;
        return this.enter(answer.outcome.value);
      }
      return this.leave(answer.outcome?.value);
    } catch (thrown) {
      if (!this.stopped) log.warn({ reason: asRailyardError(thrown).message }, "hello unanswered");
      return false;
    }
  }

  private helloMessage(inventory: WireInventory): Hello {
    const { nodeId, session, incarnation, agentVersion, fake, ledger } = this.options;
    const { bootId, serial } = this.inventory;
    return {
      nodeId,
      session,
      incarnation,
      bootId,
      serial,
      agentVersion,
      fake,
      inventory,
      ...(ledger.signed && { accepted: wireSigned(ledger.signed) }),
      appliedGeneration: ledger.appliedGeneration,
    };
  }

  private enter({ epoch, heartbeatMs }: Welcome): true {
    const { log, onStanding } = this.options;
    if (!this.welcomed) log.info({ epoch: String(epoch), heartbeatMs }, "welcomed");
    this.welcomed = true;
    onStanding(!this.hung);
    const periodMs = Math.min(Math.max(heartbeatMs, HEARTBEAT_MS_MIN), HEARTBEAT_MS_MAX);
    this.sent = undefined;
    this.layouts.forget();
    this.beat(periodMs);
    return true;
  }

  /** The machine keeps what it has; a controller that merely cannot answer changes nothing. */
  private leave(refusal: HelloRefusal | undefined): false {
    const { log, onStanding } = this.options;
    const reason = refusal?.reason ?? HelloRefusalReason.HELLO_REFUSAL_REASON_UNSPECIFIED;
    const { message } = refusal ?? { message: "the answer says nothing" };
    log.warn({ reason: HelloRefusalReason[reason], message }, "hello refused");
    if (!refusal || reason === HelloRefusalReason.HELLO_REFUSAL_REASON_UNAVAILABLE) return false;
    this.welcomed = false;
    this.heartbeat?.cancel();
    onStanding(false);
    return false;
  }

  private beat(periodMs: number): void {
    const { bus, clock, nodeId, session, ledger } = this.options;
    this.heartbeat?.cancel();
    const message: Heartbeat = {
      nodeId,
      session,
      epoch: ledger.signed?.epoch ?? 0n,
      acceptedGeneration: ledger.signed?.generation ?? 0n,
      appliedGeneration: ledger.appliedGeneration,
      digest: this.telling?.digest ?? "",
      bootId: this.inventory.bootId,
    };
    if (!this.hung) bus.publish(upSubject(nodeId, "heartbeat"), Heartbeat.encode(message).finish());
    this.tell();
    this.heartbeat = clock.after(periodMs, () => this.beat(periodMs));
  }

  /** Publishes the last pass when it is news, or when the last telling is long ago. */
  private tell(): void {
    const { clock, reportMs } = this.options;
    const { telling, sent } = this;
    if (!telling || !this.welcomed || this.stopped || this.hung) return;
    const isDue = clock.monotonic() - (sent?.at ?? 0) >= reportMs;
    const isOld = telling === sent?.telling && !this.layouts.hasMore;
    if (isOld && !isDue) return;
    const layouts = isOld ? NO_LAYOUTS : this.layouts.untold(telling.pass.instances);
    const moved = !sameBytes(this.sentInventory, telling.inventory.bytes);
    const isSame = sameBytes(sent?.telling.bytes, telling.bytes) && !moved && layouts.size === 0;
    if (!isSame || isDue) {
      this.publishReport(messageOf(telling, layouts, moved));
      this.sentInventory = telling.inventory.bytes;
    }
    // The same again stands for what was sent: the next sign of life need not compare them.
    this.sent = { telling, at: isSame && !isDue && sent ? sent.at : clock.monotonic() };
  }

  /** One that the bus does not take must not end signs of life, nor passes. */
  private publishReport(message: Uint8Array): void {
    const { bus, log, nodeId } = this.options;
    try {
      bus.publish(upSubject(nodeId, "report"), message);
    } catch (err) {
      log.error({ bytes: message.length, err }, "report not sent");
    }
  }

  private async hearDesired(message: Message): Promise<void> {
    const { log, onAccepted } = this.options;
    if (this.stopped || this.waiting >= WAITING_MAX) return;
    this.waiting += 1;
    const { answer, isNews } = await receiveDesired(message.data, this.options);
    this.waiting -= 1;
    if (this.hang() === "hangs on") return;
    const { outcome, epoch, generation } = answer;
    const fields = { epoch: String(epoch), generation: String(generation) };
    if (isNews) {
      log.info(fields, "desired state accepted");
      onAccepted();
    } else if (outcome !== DesiredOutcome.DESIRED_OUTCOME_ACCEPTED) {
      log.warn({ ...fields, outcome: DesiredOutcome[outcome] }, "desired state refused");
    }
    message.respond(DesiredAnswer.encode(answer).finish());
  }

  /** As the accepted state has it, from now on. What makes the machine hang is still answered. */
  private hang(): "hangs on" | undefined {
    const { fake, ledger, log, onStanding } = this.options;
    const before = this.hung;
    this.hung = fake && hangs(ledger.desired);
    if (this.hung !== before) {
      log.warn({ hangs: this.hung }, "the made-up machine hangs, or does so no more");
      onStanding(this.welcomed && !this.hung);
      if (!this.hung) this.pause.abort();
    }
    return before && this.hung ? "hangs on" : undefined;
  }

  private hearPing(message: Message): void {
    if (this.hung) return;
    const { session, log } = this.options;
    try {
      if (Ping.decode(message.data).session !== session) return;
      message.respond(Pong.encode({ session }).finish());
    } catch (thrown) {
      log.warn({ reason: asRailyardError(thrown).message }, "malformed ping");
    }
  }
}

function hangs(desired: Desired | undefined): boolean {
  return desired?.faults.some(({ kind }) => kind === "machine-hangs") ?? false;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
