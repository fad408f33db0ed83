// One console session between a client and an agent: bytes both ways, each way under credit, so
// that no more than a window of either is ever held here. It looks at no byte.
import { type Clock, sleep } from "@railyard/lib/clock";
import { asRailyardError, type RailyardError } from "@railyard/lib/errors";
import { Inflow, Outflow } from "@railyard/lib/flow";
import type { ConsoleLine, LineEvent } from "./console.js";

/** Output that may be under way from the agent or wait for the client. */
export const OUTPUT_WINDOW_BYTES = 64 * 1024;
/** Input that may be under way from the client or wait for the agent. */
export const INPUT_WINDOW_BYTES = 16 * 1024;
/** Credit that counts; a client may give more and it is as if it had given this much. */
const CREDIT_BYTES_MAX = 1024 * 1024;
/** Bytes of one message, either way; see the contract's limit. */
const PIECE_BYTES_MAX = 16 * 1024;
/** New sizes are passed on at most this often. */
const RESIZE_MS = 50;

/** Why a session ended. */
export type EndReason =
  | "client"
  | "stopped"
  | "deleted"
  | "moved"
  | "taken-over"
  | "host-lost"
  | "idle";

export type ClientFrame =
  | { readonly t: "input"; readonly bytes: Uint8Array }
  | { readonly t: "resize"; readonly columns: number; readonly rows: number }
  | { readonly t: "credit"; readonly bytes: number };

export type ServerFrame =
  | { readonly t: "opened"; readonly consoleId: string; readonly creditBytes: number }
  | { readonly t: "output"; readonly bytes: Uint8Array }
  | { readonly t: "credit"; readonly bytes: number }
  | { readonly t: "closed"; readonly reason: EndReason };

export interface ConsoleClient {
  readonly frames: AsyncIterable<ClientFrame>;
  /** Resolves when the next frame can be taken; throws when there is nobody any more. */
  readonly deliver: (frame: ServerFrame) => Promise<void>;
}

export interface Counts {
  /** Bytes that the guest was given. */
  readonly bytesIn: number;
  /** Bytes that the client was given. */
  readonly bytesOut: number;
}

export interface RelayOptions {
  readonly clock: Clock;
  readonly client: ConsoleClient;
  /** Aborts when the client is gone or the call must end. */
  readonly signal: AbortSignal;
  readonly idleMs: number;
}

export class ConsoleRelay {
  /** Why it ended; undefined while it goes on. */
  reason: EndReason | undefined;
  private line: ConsoleLine | undefined;
  private readonly toClient = new Outflow(OUTPUT_WINDOW_BYTES);
  private readonly fromAgent = new Inflow(OUTPUT_WINDOW_BYTES);
  private readonly toAgent = new Outflow(INPUT_WINDOW_BYTES);
  private readonly fromClient = new Inflow(INPUT_WINDOW_BYTES);
  private creditForClient = 0;
  private size: { readonly columns: number; readonly rows: number } | undefined;
  private resizing = false;
  private failure: RailyardError | undefined;
  private wake: () => void = () => undefined;
  private bytesIn = 0;
  private bytesOut = 0;
  private lastByteAt: number;
  private readonly over = new AbortController();

  constructor(private readonly options: RelayOptions) {
    this.lastByteAt = options.clock.monotonic();
  }

  get counts(): Counts {
    const { bytesIn, bytesOut } = this;
    return { bytesIn, bytesOut };
  }

  /** Takes what the agent says; whatever comes after the end is dropped. */
  readonly hear = (event: LineEvent): void => {
    if (this.reason) return;
    if (event.t === "end") this.end(event.reason);
    else if (event.t === "credit") this.creditFromAgent(event.bytes);
    else this.takeOutput(event.bytes);
  };

  /** Ends the session; what has come so far is still delivered as far as there is credit. */
  end(reason: EndReason): void {
    if (this.reason) return;
    this.reason = reason;
    this.over.abort();
    this.wake();
  }

  /** Carries bytes until the session ends; throws what was wrong with the client's frames. */
  async run(
    line: ConsoleLine,
    first: { readonly consoleId: string; readonly creditBytes: number },
  ): Promise<void> {
    const { client, signal } = this.options;
    this.line = line;
    this.toAgent.allow(line.creditBytes, CREDIT_BYTES_MAX);
    this.toClient.allow(first.creditBytes, CREDIT_BYTES_MAX);
    const leave = () => this.end("client");
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    try {
      const { consoleId } = first;
      await client.deliver({ t: "opened", consoleId, creditBytes: INPUT_WINDOW_BYTES });
      void this.read();
      void this.noticeIdleness();
      await this.write();
    } finally {
      signal.removeEventListener("abort", leave);
      this.end("client");
    }
    if (this.failure) throw this.failure;
  }

  private async read(): Promise<void> {
    try {
      for await (const frame of this.options.client.frames) {
        if (this.reason) return;
        this.takeFrame(frame);
      }
    } catch (thrown) {
      this.failure = asRailyardError(thrown);
    }
    this.end("client");
  }

  private takeFrame(frame: ClientFrame): void {
    if (frame.t === "input") {
      this.fromClient.take(frame.bytes.length);
      this.toAgent.push(frame.bytes);
      this.pumpInput();
    } else if (frame.t === "credit") {
      this.toClient.allow(frame.bytes, CREDIT_BYTES_MAX);
      this.wake();
    } else {
      this.size = frame;
      if (!this.resizing) void this.resize();
    }
  }

  private async resize(): Promise<void> {
    this.resizing = true;
    while (this.size && !this.reason) {
      const { columns, rows } = this.size;
      this.size = undefined;
      this.line?.resize(columns, rows);
      await sleep(this.options.clock, RESIZE_MS, this.over.signal);
    }
    this.resizing = false;
  }

  private creditFromAgent(bytes: number): void {
    this.toAgent.allow(bytes, CREDIT_BYTES_MAX);
    this.pumpInput();
  }

  private pumpInput(): void {
    let piece = this.line && this.toAgent.next(PIECE_BYTES_MAX);
    for (; piece; piece = this.toAgent.next(PIECE_BYTES_MAX)) {
      this.line?.input(piece);
      this.bytesIn += piece.length;
      this.touch();
      this.creditForClient += this.fromClient.passed(piece.length);
    }
    if (this.creditForClient > 0) this.wake();
  }

  private takeOutput(bytes: Uint8Array): void {
    try {
      this.fromAgent.take(bytes.length);
      this.toClient.push(bytes);
      this.wake();
    } catch {
      // It does not keep to the credit it was given: nothing it says can be relied on.
      this.end("host-lost");
    }
  }

  private async write(): Promise<void> {
    const { deliver } = this.options.client;
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      for (let frame = this.nextFrame(); frame; frame = this.nextFrame()) {
        await deliver(frame);
        if (frame.t !== "output") continue;
        this.bytesOut += frame.bytes.length;
        this.touch();
        const credit = this.fromAgent.passed(frame.bytes.length);
        if (credit > 0) this.line?.credit(credit);
      }
      if (this.reason) break;
      await woken;
    }
    const { reason, options } = this;
    if (!this.failure && !options.signal.aborted) await deliver({ t: "closed", reason });
  }

  private nextFrame(): ServerFrame | undefined {
    if (this.creditForClient > 0) {
      const bytes = this.creditForClient;
      this.creditForClient = 0;
      return { t: "credit", bytes };
    }
    const bytes = this.toClient.next(PIECE_BYTES_MAX);
    return bytes && { t: "output", bytes };
  }

  private touch(): void {
    this.lastByteAt = this.options.clock.monotonic();
  }

  private async noticeIdleness(): Promise<void> {
    const { clock, idleMs } = this.options;
    while (!this.reason) {
      const leftMs = this.lastByteAt + idleMs - clock.monotonic();
      if (leftMs <= 0) this.end("idle");
      else await sleep(clock, leftMs, this.over.signal);
    }
  }
}
