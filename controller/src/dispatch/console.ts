// Console sessions on the bus: signs the ticket that opens one at an agent, then carries its frames
// in order, each side giving signs of life. It never looks into the bytes.
import type { Bus, Subscription } from "@railyard/lib/bus/bus";
import { sha256Hex } from "@railyard/lib/canonical";
import type { Clock, Timer } from "@railyard/lib/clock";
import { asRailyardError, type RailyardError, refuse } from "@railyard/lib/errors";
import type { Log } from "@railyard/lib/log";
import { consoleTicketBytes, type Signer } from "@railyard/lib/sign";
import {
  ConsoleAnswer,
  ConsoleEndReason,
  ConsoleFrame,
  type ConsoleRefusal,
  ConsoleRefusalReason,
  ConsoleTicket,
  SignedConsoleTicket,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import { consoleDownSubject, consoleOpenSubject, consoleUpSubject } from "@railyard/proto/subjects";
import type { ConsoleLine, LineEvent, LineWish } from "../service/console.js";
import type { EndReason } from "../service/console-relay.js";

/** How long a ticket is good for; clocks may differ by less than that. */
const TICKET_MS = 30_000;
/** How long an agent may take to open a session. */
const OPEN_MS = 8_000;
/** How often a sign of life is given, milliseconds. */
const ALIVE_MS = 2_000;
/** After so long without a word the agent is lost, milliseconds. */
const SILENCE_MS = 6_000;

const ENDS: Partial<Record<ConsoleEndReason, EndReason>> = {
  [ConsoleEndReason.CONSOLE_END_REASON_CLIENT]: "client",
  [ConsoleEndReason.CONSOLE_END_REASON_STOPPED]: "stopped",
  [ConsoleEndReason.CONSOLE_END_REASON_TAKEN_OVER]: "taken-over",
};

export interface ConsoleDispatchOptions {
  readonly bus: Bus;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly log: Log;
}

type Hear = (event: LineEvent) => void;

export class ConsoleDispatch {
  constructor(private readonly options: ConsoleDispatchOptions) {}

  /** As `ConsoleLines.open` says. */
  async open(wish: LineWish, hear: Hear): Promise<ConsoleLine> {
    const { bus, log } = this.options;
    const line = new BusLine(this.options, wish, hear);
    try {
      const subject = consoleOpenSubject(wish.nodeId, wish.session);
      const answer = await bus.request(subject, this.ticket(wish), { timeoutMs: OPEN_MS });
      const { outcome } = ConsoleAnswer.decode(answer);
      if (outcome?.$case !== "welcome") throw refusalOf(wish, outcome?.value);
      line.start(outcome.value.creditBytes);
      return line;
    } catch (thrown) {
      line.close();
      const err = asRailyardError(thrown);
      const { nodeId, consoleId, instanceId } = wish;
      log.info(
        { nodeId, consoleId, instanceId, code: err.code, detail: err.parts.detail },
        "no console",
      );
      if (err.code === "precondition") throw err;
      throw hostLost(wish, thrown);
    }
  }

  private ticket(wish: LineWish): Uint8Array {
    const { clock, signer } = this.options;
    const expiresAtMs = BigInt(clock.now() + TICKET_MS);
    const ticket = ConsoleTicket.fromPartial({ ...wish, gpus: [...wish.gpus], expiresAtMs });
    const body = Buffer.from(ConsoleTicket.encode(ticket).finish());
    const signature = Buffer.from(signer.sign(consoleTicketBytes(sha256Hex(body))));
    return SignedConsoleTicket.encode({ body, signature }).finish();
  }
}

class BusLine implements ConsoleLine {
  creditBytes = 0;
  private readonly subscription: Subscription;
  private sent = 0n;
  private heard = 0n;
  private heardAt: number;
  private alive: Timer | undefined;
  private closed = false;

  constructor(
    private readonly options: ConsoleDispatchOptions,
    private readonly wish: LineWish,
    private readonly tell: Hear,
  ) {
    this.heardAt = options.clock.monotonic();
    const subject = consoleUpSubject(wish.nodeId, wish.consoleId);
    this.subscription = options.bus.subscribe(subject, ({ data }) => this.hear(data));
  }

  start(creditBytes: number): void {
    this.creditBytes = creditBytes;
    this.keepAlive();
  }

  input(bytes: Uint8Array): void {
    this.send({ $case: "data", value: Buffer.from(bytes) });
  }

  resize(columns: number, rows: number): void {
    this.send({ $case: "size", value: { columns, rows } });
  }

  credit(bytes: number): void {
    this.send({ $case: "creditBytes", value: bytes });
  }

  close(): void {
    if (this.closed) return;
    this.send({ $case: "end", value: ConsoleEndReason.CONSOLE_END_REASON_CLIENT });
    this.closed = true;
    this.alive?.cancel();
    this.subscription.cancel();
  }

  private send(frame: NonNullable<ConsoleFrame["frame"]>): void {
    if (this.closed) return;
    const { nodeId, session, consoleId } = this.wish;
    this.sent += 1n;
    const bytes = ConsoleFrame.encode({ sequence: this.sent, frame }).finish();
    this.options.bus.publish(consoleDownSubject(nodeId, session, consoleId), bytes);
  }

  private hear(data: Uint8Array): void {
    if (this.closed) return;
    this.heardAt = this.options.clock.monotonic();
    const message = decoded(data);
    if (message && message.sequence <= this.heard) return;
    this.heard += 1n;
    // Something is missing: what follows would be another session.
    if (message?.sequence !== this.heard) this.tell({ t: "end", reason: "host-lost" });
    else this.pass(message);
  }

  private pass({ frame }: ConsoleFrame): void {
    if (frame?.$case === "data") this.tell({ t: "output", bytes: frame.value });
    else if (frame?.$case === "creditBytes") this.tell({ t: "credit", bytes: frame.value });
    else if (frame?.$case === "end") {
      this.tell({ t: "end", reason: ENDS[frame.value] ?? "host-lost" });
    }
  }

  private keepAlive(): void {
    const { clock } = this.options;
    if (clock.monotonic() - this.heardAt > SILENCE_MS) {
      this.tell({ t: "end", reason: "host-lost" });
      return;
    }
    this.send({ $case: "alive", value: true });
    this.alive = clock.after(ALIVE_MS, () => this.keepAlive());
  }
}

function decoded(data: Uint8Array): ConsoleFrame | undefined {
  try {
    return ConsoleFrame.decode(data);
  } catch {
    // Unreadable is as good as lost.
    return undefined;
  }
}

function refusalOf({ instanceId: id }: LineWish, refusal: ConsoleRefusal | undefined) {
  const resource = { type: "instance", id };
  const detail = { said: refusal?.message };
  if (refusal?.reason === ConsoleRefusalReason.CONSOLE_REFUSAL_REASON_BUSY) {
    const text = `another session has the console of instance ${id}`;
    return refuse("precondition", text, { reason: "CONSOLE_BUSY", resource, detail });
  }
  if (refusal?.reason === ConsoleRefusalReason.CONSOLE_REFUSAL_REASON_NOT_RUNNING) {
    const text = `instance ${id} has no console at this moment`;
    return refuse("precondition", text, { reason: "INSTANCE_NOT_RUNNING", resource, detail });
  }
  return refuse("unavailable", `no console of instance ${id} at this moment`, { detail });
}

/** What the agent or the bus says about it is for operators, not for tenants. */
function hostLost({ instanceId: id }: LineWish, cause: unknown): RailyardError {
  const text = `the console of instance ${id} cannot be reached at this moment`;
  const resource = { type: "instance", id };
  return refuse("unavailable", text, { reason: "INSTANCE_HOST_LOST", resource, cause });
}
