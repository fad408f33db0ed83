// One console session: bytes between a terminal and whoever carries frames, both ways under credit,
// so that a slow reader stops the guest's output instead of filling memory. Nothing here is logged.
import type { Clock, Timer } from "@railyard/lib/clock";
import { Inflow, Outflow } from "@railyard/lib/flow";
import type { ConsoleEnd, ConsoleFrame } from "../model/console.js";
import type { Terminal } from "./terminal.js";

/** Input that may be under way or wait for the guest. */
export const INPUT_BYTES_MAX = 16 * 1024;
/** Output that the other side may be owed; more credit counts as this much. */
export const OUTPUT_BYTES_MAX = 256 * 1024;
/** Output read from the terminal that waits for credit: one read, for then reading stops. */
const UNSENT_BYTES_MAX = 128 * 1024;
/** Bytes of one frame. */
const FRAME_BYTES_MAX = 16 * 1024;
/** How often a sign of life is given, milliseconds. */
export const ALIVE_MS = 2_000;
/** After so long without a word from the other side it is gone, milliseconds. */
export const SILENCE_MS = 10_000;
/** How long the guest's last words may wait for credit, milliseconds. */
const DRAIN_MS = 2_000;

export interface SessionOptions {
  readonly terminal: Terminal;
  readonly clock: Clock;
  /** How many bytes of output may be sent at first. */
  readonly creditBytes: number;
  readonly send: (frame: ConsoleFrame) => void;
  /** Called once. */
  readonly onEnd: (reason: ConsoleEnd) => void;
}

export class ConsoleSession {
  private readonly out = new Outflow(UNSENT_BYTES_MAX);
  private readonly input = new Inflow(INPUT_BYTES_MAX);
  private heardAt: number;
  private timer: Timer | undefined;
  private drain: Timer | undefined;
  private over = false;

  constructor(private readonly options: SessionOptions) {
    const { clock, creditBytes } = options;
    this.heardAt = clock.monotonic();
    this.out.allow(creditBytes, OUTPUT_BYTES_MAX);
  }

  /** Begins to carry bytes. */
  start(): void {
    const { terminal, clock } = this.options;
    terminal.stream.on("data", (bytes: Buffer) => this.take(bytes));
    terminal.stream.on("close", () => this.allRead());
    terminal.onHangUp(() => {
      if (!this.over) this.drain ??= clock.after(DRAIN_MS, () => this.end("stopped"));
    });
    terminal.stream.resume();
    this.keepAlive();
  }

  hear(frame: ConsoleFrame): void {
    if (this.over) return;
    const { clock, terminal } = this.options;
    this.heardAt = clock.monotonic();
    if (frame.t === "data") this.type(frame.bytes);
    else if (frame.t === "size") terminal.resize(frame.columns, frame.rows);
    else if (frame.t === "end") this.end(frame.reason);
    else if (frame.t === "credit") {
      this.out.allow(frame.bytes, OUTPUT_BYTES_MAX);
      this.flush();
    }
  }

  /** Hangs up and says why. Idempotent. */
  end(reason: ConsoleEnd): void {
    if (this.over) return;
    this.over = true;
    const { send, onEnd, terminal } = this.options;
    this.timer?.cancel();
    this.drain?.cancel();
    terminal.close();
    send({ t: "end", reason });
    onEnd(reason);
  }

  private take(bytes: Buffer): void {
    if (this.over) return;
    this.out.push(bytes);
    this.flush();
    if (this.out.waiting > 0) this.options.terminal.stream.pause();
  }

  private flush(): void {
    const { send, terminal } = this.options;
    for (let piece = this.out.next(FRAME_BYTES_MAX); piece; piece = this.out.next(FRAME_BYTES_MAX))
      send({ t: "data", bytes: piece });
    if (this.out.waiting > 0) return;
    if (terminal.stream.destroyed) this.end("stopped");
    else terminal.stream.resume();
  }

  private type(bytes: Uint8Array): void {
    const { terminal, send } = this.options;
    try {
      this.input.take(bytes.length);
    } catch {
      // The other side does not keep to what was agreed.
      this.end("lost");
      return;
    }
    void terminal.write(bytes).then(() => {
      const credit = this.input.passed(bytes.length);
      if (credit > 0 && !this.over) send({ t: "credit", bytes: credit });
    });
  }

  private allRead(): void {
    if (this.out.waiting === 0) this.end("stopped");
  }

  private keepAlive(): void {
    const { clock, send } = this.options;
    if (clock.monotonic() - this.heardAt > SILENCE_MS) {
      this.end("client");
      return;
    }
    send({ t: "alive" });
    this.timer = clock.after(ALIVE_MS, () => this.keepAlive());
  }
}
