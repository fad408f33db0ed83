// Says on stderr what is being waited for: one line that moves on a terminal, one line for each
// change elsewhere. It knows nothing of what is waited for.
import type { Clock, Timer } from "@railyard/lib/clock";

export interface ProgressOptions {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  /** True on a terminal. */
  readonly live: boolean;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
const CLEAR_LINE = "\r\u001b[2K";

export class Progress {
  private text = "";
  private frame = 0;
  private timer: Timer | undefined;

  constructor(private readonly options: ProgressOptions) {}

  /** Whether what is shown moves, and is gone in the end. */
  get live(): boolean {
    return this.options.live;
  }

  /** Shows `text` from now on; the same text again changes nothing. */
  show(text: string): void {
    if (text === this.text) return;
    this.text = text;
    if (!this.options.live) this.options.write(`${text}\n`);
    else if (!this.timer) this.draw();
  }

  /** Takes the moving line away. Must be called, or its timer keeps the process alive. */
  done(): void {
    this.text = "";
    if (!this.timer) return;
    this.timer.cancel();
    this.timer = undefined;
    this.options.write(CLEAR_LINE);
  }

  private draw(): void {
    const { clock, write } = this.options;
    write(`${CLEAR_LINE}${FRAMES[this.frame++ % FRAMES.length]} ${this.text}`);
    this.timer = clock.after(FRAME_MS, () => this.draw());
  }
}
