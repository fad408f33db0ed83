// Whether a console ticket is good: ours, for this session of this node, not expired, not seen
// before. It remembers tickets only as long as they could be shown again.
import { sha256Hex } from "@railyard/lib/canonical";
import type { Clock } from "@railyard/lib/clock";
import { consoleTicketBytes } from "@railyard/lib/sign";
import type { SignedTicket } from "../model/console.js";

/** Tickets remembered at most; while there are so many, every other one is refused. */
export const TICKETS_MAX = 1_024;
/** Longest life that a ticket may claim, milliseconds: else it would be remembered for too long. */
export const TICKET_MS_MAX = 120_000;

export interface TicketOptions {
  readonly nodeId: string;
  readonly session: string;
  readonly clock: Clock;
  /** Checks a signature of the controller. */
  readonly verify: (message: Uint8Array, signature: Uint8Array) => boolean;
}

export class Tickets {
  /** Console ids of tickets that were taken, with the wall time of their end. */
  private readonly taken = new Map<string, number>();

  constructor(private readonly options: TicketOptions) {}

  /** Takes the ticket; answers what is wrong with it, or undefined. A good one is good once. */
  take({ ticket, body, signature }: SignedTicket): string | undefined {
    const { nodeId, session, clock, verify } = this.options;
    const now = clock.now();
    for (const [id, until] of this.taken) if (until < now) this.taken.delete(id);
    if (!verify(consoleTicketBytes(sha256Hex(body)), signature)) return "its signature is not ours";
    if (ticket.nodeId !== nodeId || ticket.session !== session) return "it is for somebody else";
    if (ticket.expiresAtMs < now) return "it has expired";
    if (ticket.expiresAtMs > now + TICKET_MS_MAX) return "it claims to be good for too long";
    if (this.taken.has(ticket.consoleId)) return "it was used before";
    if (this.taken.size >= TICKETS_MAX) return "too many tickets were used a moment ago";
    this.taken.set(ticket.consoleId, ticket.expiresAtMs);
    return undefined;
  }
}
