// Words of console sessions: the ticket that opens one, the frames that go through it, why it
// ended. Plain data; it must not know the wire format nor the terminal.

/** Lets one session be opened, once and soon. */
export interface ConsoleTicket {
  readonly nodeId: string;
  /** The agent session that it is for. */
  readonly session: string;
  readonly consoleId: string;
  readonly instanceId: string;
  /** The placement: epoch and generation in which it was made, GPUs in pair order. */
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly gpus: readonly string[];
  /** Whether another session may be ended for this one. */
  readonly force: boolean;
  /** Wall time, milliseconds since 1970. */
  readonly expiresAtMs: number;
  readonly columns: number;
  readonly rows: number;
  /** How many bytes of output the other side takes at first. */
  readonly creditBytes: number;
}

/** A ticket with what was signed. */
export interface SignedTicket {
  readonly ticket: ConsoleTicket;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** Why a session ended. */
export type ConsoleEnd = "client" | "stopped" | "taken-over" | "lost";

export type ConsoleFrame =
  | { readonly t: "data"; readonly bytes: Uint8Array }
  | { readonly t: "size"; readonly columns: number; readonly rows: number }
  | { readonly t: "credit"; readonly bytes: number }
  | { readonly t: "alive" }
  | { readonly t: "end"; readonly reason: ConsoleEnd };

/** Why a session was not opened. */
export type ConsoleRefusal = "bad-ticket" | "busy" | "not-running" | "unavailable";

/** An open session, as whoever carries its frames sees it. */
export interface OpenConsole {
  /** How many bytes of input are taken at first. */
  readonly creditBytes: number;
  hear(frame: ConsoleFrame): void;
}

export type ConsoleOutcome =
  | { readonly ok: true; readonly console: OpenConsole }
  | { readonly ok: false; readonly refusal: ConsoleRefusal; readonly message: string };

/** Opens sessions; frames go to `send`, an `end` frame last. Never throws. */
export type OpenTicket = (
  signed: SignedTicket,
  send: (frame: ConsoleFrame) => void,
) => Promise<ConsoleOutcome>;
