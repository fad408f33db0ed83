// Console sessions on the bus: takes tickets, carries frames of open sessions in order. It must not
// know terminals or guests, and never looks into the bytes.
import type { Bus, Message, Subscription } from "@railyard/lib/bus/bus";
import { asRailyardError } from "@railyard/lib/errors";
import { isId } from "@railyard/lib/ids";
import type { Log } from "@railyard/lib/log";
import {
  ConsoleAnswer,
  ConsoleEndReason,
  ConsoleRefusalReason,
  ConsoleTicket,
  SignedConsoleTicket,
  ConsoleFrame as WireFrame,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import { consoleDownSubject, consoleOpenSubject, consoleUpSubject } from "@railyard/proto/subjects";
import type {
  ConsoleEnd,
  ConsoleFrame,
  ConsoleRefusal,
  OpenConsole,
  OpenTicket,
} from "../model/console.js";

/** Tickets looked at at the same time; more are left unanswered. */
const OPENING_MAX = 16;

const REFUSALS: Readonly<Record<ConsoleRefusal, ConsoleRefusalReason>> = {
  "bad-ticket": ConsoleRefusalReason.CONSOLE_REFUSAL_REASON_BAD_TICKET,
  busy: ConsoleRefusalReason.CONSOLE_REFUSAL_REASON_BUSY,
  "not-running": ConsoleRefusalReason.CONSOLE_REFUSAL_REASON_NOT_RUNNING,
  unavailable: ConsoleRefusalReason.CONSOLE_REFUSAL_REASON_UNAVAILABLE,
};

const ENDS: Readonly<Record<ConsoleEnd, ConsoleEndReason>> = {
  client: ConsoleEndReason.CONSOLE_END_REASON_CLIENT,
  stopped: ConsoleEndReason.CONSOLE_END_REASON_STOPPED,
  "taken-over": ConsoleEndReason.CONSOLE_END_REASON_TAKEN_OVER,
  lost: ConsoleEndReason.CONSOLE_END_REASON_LOST,
};

export interface ConsoleLinkOptions {
  readonly bus: Bus;
  readonly log: Log;
  readonly nodeId: string;
  readonly session: string;
  readonly open: OpenTicket;
}

export class ConsoleLink {
  private readonly carried = new Set<Subscription>();
  private tickets: Subscription | undefined;
  private opening = 0;

  constructor(private readonly options: ConsoleLinkOptions) {}

  start(): void {
    const { bus, nodeId, session } = this.options;
    const subject = consoleOpenSubject(nodeId, session);
    this.tickets = bus.subscribe(subject, (message) => void this.hearTicket(message));
  }

  /** Hears nothing more. Idempotent. */
  stop(): void {
    this.tickets?.cancel();
    for (const subscription of this.carried) subscription.cancel();
  }

  private async hearTicket(message: Message): Promise<void> {
    if (this.opening >= OPENING_MAX) return;
    this.opening += 1;
    try {
      message.respond(ConsoleAnswer.encode(await this.answer(message.data)).finish());
    } catch (thrown) {
      const { message: reason } = asRailyardError(thrown);
      this.options.log.warn({ reason }, "console ticket not taken");
    } finally {
      this.opening -= 1;
    }
  }

  private async answer(data: Uint8Array): Promise<ConsoleAnswer> {
    const { body, signature } = SignedConsoleTicket.decode(data);
    const wire = ConsoleTicket.decode(body);
    if (!isId(wire.consoleId)) return refusal("bad-ticket", "its console id is malformed");
    const ticket = { ...wire, expiresAtMs: Number(wire.expiresAtMs) };
    const carrier = this.carry(wire.consoleId);
    const outcome = await this.options.open({ ticket, body, signature }, carrier.send);
    if (!outcome.ok) {
      carrier.drop();
      return refusal(outcome.refusal, outcome.message);
    }
    carrier.bring(outcome.console);
    const value = { creditBytes: outcome.console.creditBytes };
    return { outcome: { $case: "welcome", value } };
  }

  /** Numbers what is sent and hears what comes, once there is somebody to hear it. */
  private carry(consoleId: string) {
    const { bus, nodeId, session } = this.options;
    let sent = 0n;
    let heard = 0n;
    let subscription: Subscription | undefined;
    const drop = () => {
      subscription?.cancel();
      if (subscription) this.carried.delete(subscription);
    };
    const send = (frame: ConsoleFrame) => {
      sent += 1n;
      const bytes = WireFrame.encode({ sequence: sent, frame: wireFrame(frame) }).finish();
      bus.publish(consoleUpSubject(nodeId, consoleId), bytes);
      if (frame.t === "end") drop();
    };
    const bring = (open: OpenConsole) => {
      const subject = consoleDownSubject(nodeId, session, consoleId);
      subscription = bus.subscribe(subject, ({ data }) => {
        const wire = decoded(data);
        if (wire && wire.sequence <= heard) return;
        const frame = wire && wire.sequence === heard + 1n ? frameOf(wire) : undefined;
        heard += 1n;
        // Something is missing or makes no sense: what follows would be another session.
        open.hear(frame ?? { t: "end", reason: "lost" });
      });
      this.carried.add(subscription);
    };
    return { send, bring, drop };
  }
}

function refusal(refused: ConsoleRefusal, message: string): ConsoleAnswer {
  return { outcome: { $case: "refusal", value: { reason: REFUSALS[refused], message } } };
}

function decoded(data: Uint8Array): WireFrame | undefined {
  try {
    return WireFrame.decode(data);
  } catch {
    // Unreadable is as good as lost.
    return undefined;
  }
}

function wireFrame(frame: ConsoleFrame): NonNullable<WireFrame["frame"]> {
  switch (frame.t) {
    case "data":
      return { $case: "data", value: Buffer.from(frame.bytes) };
    case "size":
      return { $case: "size", value: { columns: frame.columns, rows: frame.rows } };
    case "credit":
      return { $case: "creditBytes", value: frame.bytes };
    case "end":
      return { $case: "end", value: ENDS[frame.reason] };
    case "alive":
      return { $case: "alive", value: true };
  }
}

function frameOf({ frame }: WireFrame): ConsoleFrame | undefined {
  switch (frame?.$case) {
    case "data":
      return { t: "data", bytes: frame.value };
    case "size":
      return { t: "size", columns: frame.value.columns, rows: frame.value.rows };
    case "creditBytes":
      return { t: "credit", bytes: frame.value };
    case "alive":
      return { t: "alive" };
    case "end":
      return { t: "end", reason: "client" };
    default:
      return undefined;
  }
}
