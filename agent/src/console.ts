// Console sessions of this machine's guests: who may open one, one at a time per guest. It must not
// know how frames travel. Of what goes through a session it says nothing to anybody.
import { type Clock, withDeadline } from "@railyard/lib/clock";
import { asRailyardError, refuse } from "@railyard/lib/errors";
import type { Log } from "@railyard/lib/log";
import { ConsoleSession, INPUT_BYTES_MAX } from "./console/session.js";
import { openTerminal, type Terminal } from "./console/terminal.js";
import { type TicketOptions, Tickets } from "./console/ticket.js";
import type { GuestConsole, Hardware } from "./hardware/hardware.js";
import type {
  ConsoleFrame,
  ConsoleOutcome,
  ConsoleRefusal,
  ConsoleTicket,
  SignedTicket,
} from "./model/console.js";

/** Sessions of one machine at a time. */
export const SESSIONS_MAX = 64;
/** How long it may take to reach a guest's serial line, milliseconds. */
const LINE_MS = 3_000;

export interface ConsolesOptions extends TicketOptions {
  readonly hardware: Pick<Hardware, "guestConsole">;
  /** Whether the instance is here, in the placement that the ticket is for. */
  readonly isPlaced: (ticket: ConsoleTicket) => boolean;
  readonly log: Log;
  /** Tests put in their own. */
  readonly openTerminal?: typeof openTerminal;
}

/** The open session of one guest, or undefined while it is being opened. */
type Entry = ConsoleSession | undefined;

export class Consoles {
  private readonly entries = new Map<string, Entry>();
  private readonly tickets: Tickets;
  private stopped = false;

  constructor(private readonly options: ConsolesOptions) {
    this.tickets = new Tickets(options);
  }

  /** Opens a session for a ticket; see `OpenTicket`. */
  async open(signed: SignedTicket, send: (frame: ConsoleFrame) => void): Promise<ConsoleOutcome> {
    const { ticket } = signed;
    const { instanceId, consoleId } = ticket;
    const bad = this.tickets.take(signed);
    if (bad !== undefined) return refused("bad-ticket", bad);
    if (!this.options.isPlaced(ticket)) return refused("bad-ticket", "no such placement here");
    const full = this.makeRoom(ticket);
    if (full) return full;
    this.entries.set(instanceId, undefined);
    try {
      const terminal = await this.reach(ticket);
      if (this.stopped) {
        terminal.close();
        return refused("unavailable", "the agent stops");
      }
      const session = this.begin(ticket, terminal, send);
      this.options.log.info({ instanceId, consoleId }, "console opened");
      const hear = (frame: ConsoleFrame) => session.hear(frame);
      return { ok: true, console: { creditBytes: INPUT_BYTES_MAX, hear } };
    } catch (thrown) {
      this.entries.delete(instanceId);
      const { code, message } = asRailyardError(thrown);
      this.options.log.warn({ instanceId, consoleId, err: thrown }, "console not opened");
      return refused(code === "precondition" ? "not-running" : "unavailable", message);
    }
  }

  /** Ends every session. */
  stop(): void {
    this.stopped = true;
    for (const session of [...this.entries.values()]) session?.end("lost");
  }

  /** Ends the guest's present session where the ticket says so; else says why it cannot be. */
  private makeRoom({ instanceId, force }: ConsoleTicket): ConsoleOutcome | undefined {
    if (this.stopped) return refused("unavailable", "the agent stops");
    const session = this.entries.get(instanceId);
    if (session && force) session.end("taken-over");
    if (this.entries.has(instanceId)) return refused("busy", "another session has the console");
    if (this.entries.size >= SESSIONS_MAX) return refused("unavailable", "too many sessions");
    return undefined;
  }

  private async reach(ticket: ConsoleTicket): Promise<Terminal> {
    const { hardware, clock, openTerminal: open = openTerminal } = this.options;
    const line = await reachLine(hardware, clock, ticket.instanceId);
    try {
      return await open(clock, line, ticket);
    } catch (thrown) {
      line.stream.destroy();
      throw thrown;
    }
  }

  private begin(
    { instanceId, consoleId, creditBytes }: ConsoleTicket,
    terminal: Terminal,
    send: (frame: ConsoleFrame) => void,
  ): ConsoleSession {
    const { clock, log } = this.options;
    const session = new ConsoleSession({
      terminal,
      clock,
      creditBytes,
      send,
      onEnd: (reason) => {
        if (this.entries.get(instanceId) === session) this.entries.delete(instanceId);
        log.info({ instanceId, consoleId, reason }, "console closed");
      },
    });
    this.entries.set(instanceId, session);
    session.start();
    return session;
  }
}

/** Throws `precondition` when there is no guest to attach to. */
async function reachLine(
  hardware: ConsolesOptions["hardware"],
  clock: Clock,
  instanceId: string,
): Promise<GuestConsole> {
  const limit = { ms: LINE_MS, what: "the guest's serial line" };
  const reaching = hardware.guestConsole(instanceId);
  try {
    return await withDeadline(clock, limit, reaching);
  } catch (cause) {
    // One that is reached too late is hung up.
    const hangUp = ({ stream }: GuestConsole) => void stream.destroy();
    reaching.then(hangUp, () => undefined);
    throw refuse("precondition", asRailyardError(cause).message, { cause });
  }
}

function refused(refusal: ConsoleRefusal, message: string): ConsoleOutcome {
  return { ok: false, refusal, message };
}
