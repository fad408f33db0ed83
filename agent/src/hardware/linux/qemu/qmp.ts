// Speaks QMP, the control language of a running QEMU, over its unix socket: one conversation at a
// time, every answer within a deadline. It knows the language, not what is asked in it.
// Source: QEMU's docs/interop/qmp-spec.
import type { Socket } from "node:net";
import { type Clock, withDeadline } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { reachSocket } from "./own-files.js";

/** A longer line than any that is asked for; a QEMU that sends one is not listened to. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
/** Of what it says when it refuses; as much as goes into a report. */
const SAID_LENGTH_MAX = 200;
/** Events nobody waited for are dropped beyond this many. */
const EVENTS_MAX = 64;

export interface QmpPlace {
  /** Path of the unix socket. */
  readonly socket: string;
  /** Whose socket it must be: a number of an account. */
  readonly owner: number;
  readonly clock: Clock;
  /** Bound for the greeting and for each answer, milliseconds. */
  readonly deadlineMs: number;
}

/** One conversation with a QEMU that has greeted and accepts commands. */
export interface Qmp {
  /** The command's `return` value. Errors: `unavailable` when refused or cut off, `deadline`. */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Resolves once an event of that name has come since the conversation began. */
  event(name: string): Promise<void>;
}

/**
 * Holds one conversation and closes it, whatever comes of `work`. Errors: `unavailable` when nobody
 * listens, `deadline` when nobody answers.
 */
export async function withQmp<T>(place: QmpPlace, work: (qmp: Qmp) => Promise<T>): Promise<T> {
  const conversation = new Conversation(place);
  try {
    await conversation.begin();
    return await work(conversation);
  } finally {
    conversation.end();
  }
}

type Message = Readonly<Record<string, unknown>>;

interface Waiting {
  readonly wants: (message: Message) => boolean;
  readonly resolve: (message: Message) => void;
  readonly reject: (reason: Error) => void;
}

class Conversation implements Qmp {
  private readonly socket: Socket;
  private readonly waiting = new Set<Waiting>();
  private readonly events: Message[] = [];
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private over: Error | undefined;
  private lastId = 0;

  constructor(private readonly place: QmpPlace) {
    this.socket = reachSocket(place.socket, place.owner);
    this.socket.on("data", (chunk) => this.hear(chunk));
    this.socket.on("error", (cause) => this.close(String((cause as NodeJS.ErrnoException).code)));
    this.socket.on("close", () => this.close("it hung up"));
  }

  async begin(): Promise<void> {
    await this.next("greeting", (m) => "QMP" in m);
    await this.execute("qmp_capabilities");
  }

  end(): void {
    this.close("the conversation is over");
    this.socket.destroy();
  }

  async execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.lastId += 1;
    const id = this.lastId;
    const answer = this.next(command, (m) => m.id === id);
    if (!this.over) {
      this.socket.write(
        `${JSON.stringify({ execute: command, id, ...(args && { arguments: args }) })}\n`,
      );
    }
    const { error, return: value } = await answer;
    if (error === undefined) return value;
    const said = String(Object(error).desc).slice(0, SAID_LENGTH_MAX);
    throw refuse("unavailable", `qemu refused ${command}: ${said}`);
  }

  async event(name: string): Promise<void> {
    if (this.events.some((e) => e.event === name)) return;
    await this.next(`event ${name}`, (m) => m.event === name);
  }

  private next(what: string, wants: (message: Message) => boolean): Promise<Message> {
    const { clock, deadlineMs } = this.place;
    const heard = new Promise<Message>((resolve, reject) => {
      if (this.over) reject(this.over);
      else this.waiting.add({ wants, resolve, reject });
    });
    return withDeadline(clock, { ms: deadlineMs, what: `qemu's ${what}` }, heard);
  }

  private hear(chunk: Buffer): void {
    this.pending.push(chunk);
    this.pendingBytes += chunk.length;
    if (this.pendingBytes > LINE_BYTES_MAX) this.abandon("it says too much");
    if (this.over || !chunk.includes(0x0a)) return;
    const lines = Buffer.concat(this.pending).toString("utf8").split("\n");
    const rest = Buffer.from(lines.pop() ?? "");
    this.pending = [rest];
    this.pendingBytes = rest.length;
    for (const line of lines) this.take(line);
  }

  private take(line: string): void {
    const message = parse(line);
    if (message === undefined) {
      this.abandon("it does not speak QMP");
      return;
    }
    if ("event" in message) {
      this.events.push(message);
      if (this.events.length > EVENTS_MAX) this.events.shift();
    }
    for (const waiting of this.waiting) {
      if (!waiting.wants(message)) continue;
      this.waiting.delete(waiting);
      waiting.resolve(message);
    }
  }

  private abandon(why: string): void {
    this.close(why);
    this.socket.destroy();
  }

  private close(why: string): void {
    this.over ??= refuse("unavailable", `qemu cannot be spoken to: ${why}`);
    for (const waiting of this.waiting) waiting.reject(this.over);
    this.waiting.clear();
  }
}

/** Undefined for what is no object: whatever says it is not asked again. */
function parse(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Message) : undefined;
  } catch {
    // No JSON either.
    return undefined;
  }
}
