// One console session at the operator's side: keys to the server, output to the terminal, both
// under credit. It knows no command line.
import { type Clock, sleep } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { Inflow, Outflow } from "@railyard/lib/flow";
import type {
  AttachConsoleRequest,
  AttachConsoleResponse,
  ConsoleClosed,
} from "@railyard/proto/gen/railyard/v1/instance_console";
import type { Duplex } from "../client.js";
import type { Terminal } from "../terminal.js";
import { beforeEscape } from "./escape.js";

/** Output that may be under way or wait for the terminal. */
export const OUTPUT_WINDOW_BYTES = 64 * 1024;
/** Input read ahead of the server's credit: one read, for then reading stops. */
const UNSENT_BYTES_MAX = 1024 * 1024;
const CREDIT_BYTES_MAX = 1024 * 1024;
/** Bytes of one message; see the contract's limit. */
const PIECE_BYTES_MAX = 16 * 1024;
/** How long the server may take to say goodbye, milliseconds. */
const GOODBYE_MS = 3_000;

export type Stream = Duplex<AttachConsoleRequest, AttachConsoleResponse>;

export interface AttachOptions {
  readonly stream: Stream;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly instanceId: string;
  readonly force: boolean;
  /** Byte that leaves; undefined for none. */
  readonly leaveKey: number | undefined;
  /** What may be shown of output. */
  readonly filter: (bytes: Uint8Array) => Uint8Array;
  /** After the end of a pipe: leave once the guest was silent for so long, milliseconds. */
  readonly lingerMs: number;
  /** Aborts when the process is asked to end. */
  readonly signal: AbortSignal;
  /** Called when the session is open. */
  readonly onOpen: () => void;
}

/** Resolves with why the session ended; undefined when this side left. */
export async function attach(options: AttachOptions): Promise<ConsoleClosed | undefined> {
  return new Attachment(options).run();
}

class Attachment {
  private readonly input = new Outflow(UNSENT_BYTES_MAX);
  private readonly output = new Inflow(OUTPUT_WINDOW_BYTES);
  private lastOutputAt: number;
  private left = false;
  private readonly over = new AbortController();
  private credited: () => void = () => undefined;

  constructor(private readonly options: AttachOptions) {
    this.lastOutputAt = options.clock.monotonic();
  }

  async run(): Promise<ConsoleClosed | undefined> {
    const { stream, instanceId, force, terminal, signal } = this.options;
    const size = terminal.size() ?? { columns: 0, rows: 0 };
    const value = { instanceId, force, ...size, creditBytes: OUTPUT_WINDOW_BYTES };
    stream.send({ frame: { $case: "open", value } });
    const quit = () => this.leave();
    signal.addEventListener("abort", quit, { once: true });
    const keepSize = terminal.onResize(() => this.resize());
    try {
      return await this.read();
    } catch (thrown) {
      // Whoever left does not mind how the connection ended.
      if (this.left) return undefined;
      throw thrown;
    } finally {
      this.over.abort();
      this.credited();
      keepSize();
      signal.removeEventListener("abort", quit);
      terminal.input.destroy();
    }
  }

  private async read(): Promise<ConsoleClosed | undefined> {
    for await (const { frame } of this.options.stream) {
      if (frame?.$case === "opened") this.begin(frame.value.creditBytes);
      else if (frame?.$case === "output") await this.show(frame.value);
      else if (frame?.$case === "credit") this.allow(frame.value.bytes);
      else if (frame?.$case === "closed") return this.left ? undefined : frame.value;
    }
    if (this.left) return undefined;
    throw refuse("unavailable", "the server ended the session without a word");
  }

  private begin(creditBytes: number): void {
    this.options.onOpen();
    this.input.allow(creditBytes, CREDIT_BYTES_MAX);
    void this.type();
  }

  private async show(bytes: Uint8Array): Promise<void> {
    const { terminal, filter, stream, clock } = this.options;
    this.output.take(bytes.length);
    this.lastOutputAt = clock.monotonic();
    const shown = filter(bytes);
    if (shown.length > 0) await terminal.write(shown);
    const credit = this.output.passed(bytes.length);
    if (credit > 0) stream.send({ frame: { $case: "credit", value: { bytes: credit } } });
  }

  private allow(bytes: number): void {
    this.input.allow(bytes, CREDIT_BYTES_MAX);
    this.flush();
    this.credited();
  }

  private flush(): void {
    const { stream } = this.options;
    const next = () => this.input.next(PIECE_BYTES_MAX);
    for (let piece = next(); piece; piece = next()) {
      stream.send({ frame: { $case: "input", value: Buffer.from(piece) } });
    }
  }

  private async type(): Promise<void> {
    const { terminal, leaveKey } = this.options;
    try {
      for await (const chunk of terminal.input) {
        const { bytes, leaves } = beforeEscape(chunk, terminal.tty ? leaveKey : undefined);
        this.input.push(bytes);
        this.flush();
        if (leaves) {
          this.leave();
          return;
        }
        while (this.input.waiting > 0 && !this.over.signal.aborted) await this.credit();
      }
      await this.linger();
    } catch {
      // The input was closed under us, or broke: there is nothing more to type.
    }
    this.leave();
  }

  private credit(): Promise<void> {
    return new Promise((resolve) => {
      this.credited = resolve;
    });
  }

  /** A pipe has ended: the answers to what it said are still to come. */
  private async linger(): Promise<void> {
    const { clock, lingerMs } = this.options;
    this.lastOutputAt = clock.monotonic();
    while (!this.over.signal.aborted) {
      const waitMs = this.lastOutputAt + lingerMs - clock.monotonic();
      if (waitMs <= 0) return;
      await sleep(clock, waitMs, this.over.signal);
    }
  }

  private resize(): void {
    const size = this.options.terminal.size();
    if (size) this.options.stream.send({ frame: { $case: "resize", value: size } });
  }

  /** Says goodbye; a server that does not answer is left all the same. */
  private leave(): void {
    if (this.left || this.over.signal.aborted) return;
    this.left = true;
    const { stream, clock } = this.options;
    stream.end();
    void sleep(clock, GOODBYE_MS, this.over.signal).then(() => stream.cancel());
  }
}
