// A console session for tests: what was said, what it ended with, and a hand to type with. It knows
// no rule of consoles.
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import {
  type AttachConsoleRequest,
  type ConsoleClosed,
  ConsoleCloseReason,
  ConsoleOpen,
} from "@railyard/proto/gen/railyard/v1/instance_console";
import { until } from "./until.js";
import type { Wire, WireError } from "./wire.js";

const CREDIT = 1024 * 1024;

type Frame = NonNullable<AttachConsoleRequest["frame"]>;

export class ConsoleCaller {
  private readonly stream;

  constructor(wire: Wire, open: Partial<ConsoleOpen>) {
    this.stream = wire.duplex(InstanceServiceService.attachConsole);
    const value = ConsoleOpen.fromPartial({ creditBytes: CREDIT, ...open });
    this.send({ $case: "open", value });
  }

  /** Everything the guest said so far. */
  get said(): string {
    const pieces = this.stream.messages.flatMap(({ frame }) =>
      frame?.$case === "output" ? [frame.value] : [],
    );
    return Buffer.concat(pieces).toString();
  }

  get bytes(): number {
    return this.said.length;
  }

  /** Waits until the session is open; `limitMs` is for guests on slow machines. */
  async opened(limitMs?: number): Promise<void> {
    await until("the session is open", () => this.stream.messages.length > 0, limitMs);
  }

  /** What the server said last, if that was why the session ended. */
  get closed(): ConsoleClosed | undefined {
    const frame = this.stream.messages.at(-1)?.frame;
    return frame?.$case === "closed" ? frame.value : undefined;
  }

  /** The name of the reason that the session ended with, once it has. */
  async ending(): Promise<string> {
    const refused = await this.stream.ended;
    if (refused) return `${refused.code} ${refused.reason}`;
    return ConsoleCloseReason[this.closed?.reason ?? 0]!.replace("CONSOLE_CLOSE_REASON_", "");
  }

  /** How the call was refused; undefined when it ended well. */
  refused(): Promise<WireError | undefined> {
    return this.stream.ended;
  }

  send(frame: Frame): void {
    this.stream.call.write({ frame });
  }

  type(text: string): void {
    this.send({ $case: "input", value: Buffer.from(text) });
  }

  credit(bytes: number): void {
    this.send({ $case: "credit", value: { bytes } });
  }

  async sees(text: string): Promise<void> {
    await until(`the console says ${JSON.stringify(text)}`, () => this.said.includes(text));
  }

  /** Says that nothing more will be typed. */
  end(): void {
    this.stream.call.end();
  }

  cancel(): void {
    this.stream.call.cancel();
  }
}
