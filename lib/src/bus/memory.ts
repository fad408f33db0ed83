// The bus inside one process, with per-identity permissions like the real broker's, for yards in
// one process. A fault hook lets tests lose, repeat, delay and reorder. It must not know what
// messages mean.
import type { Clock } from "../clock.js";
import { refuse } from "../errors.js";
import {
  type Bus,
  MESSAGE_BYTES_MAX,
  type Message,
  type Permissions,
  type RequestOptions,
  type SubscribeOptions,
  type Subscription,
  subjectMatches,
} from "./bus.js";

/** What becomes of one delivery: one delay in milliseconds per copy; an empty list loses it. */
export type Fate = (from: string, subject: string) => readonly number[];

interface Entry {
  readonly owner: MemoryBus;
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly handler: (message: Message) => void;
}

const ALL: Permissions = { publish: [">"], subscribe: [">"] };

export class MemoryBroker {
  /** Replaced by tests to lose, repeat or delay deliveries. */
  fate: Fate = () => [0];
  private readonly entries = new Set<Entry>();
  private readonly clients = new Set<MemoryBus>();
  private up = true;
  private turn = 0;

  constructor(readonly clock: Clock) {}

  /** A connection of `identity`, limited to `permissions` (default: everything). */
  connect(identity: string, permissions: Permissions = ALL): Bus {
    const bus = new MemoryBus(this, identity, permissions);
    this.clients.add(bus);
    return bus;
  }

  /** Broker down: everything sent is lost. Broker up again: every client is told. */
  setUp(up: boolean): void {
    const came = up && !this.up;
    this.up = up;
    if (came) for (const client of this.clients) client.reconnected();
  }

  get isUp(): boolean {
    return this.up;
  }

  add(entry: Entry): void {
    this.entries.add(entry);
  }

  remove(entry: Entry): void {
    this.entries.delete(entry);
  }

  forget(bus: MemoryBus): void {
    this.clients.delete(bus);
    for (const e of this.entries) if (e.owner === bus) this.entries.delete(e);
  }

  /** How many subscribers a message on `subject` has at this moment. */
  listeners(subject: string): number {
    return [...this.entries].filter((e) => subjectMatches(e.pattern, subject)).length;
  }

  send(from: string, message: Message): void {
    if (!this.up) return;
    for (const ms of this.fate(from, message.subject)) {
      this.clock.after(ms, () => this.up && this.deliver(message));
    }
  }

  private deliver(message: Message): void {
    const queues = new Map<string, Entry[]>();
    for (const e of [...this.entries]) {
      if (!subjectMatches(e.pattern, message.subject)) continue;
      if (e.queue === undefined) e.handler(message);
      else queues.set(e.queue, [...(queues.get(e.queue) ?? []), e]);
    }
    for (const members of queues.values()) members[this.turn++ % members.length]?.handler(message);
  }
}

class MemoryBus implements Bus {
  private closed = false;
  private readonly reconnects: (() => void)[] = [];

  constructor(
    private readonly broker: MemoryBroker,
    private readonly identity: string,
    private readonly permissions: Permissions,
  ) {}

  get connected(): boolean {
    return this.broker.isUp && !this.closed;
  }

  publish(subject: string, data: Uint8Array): void {
    this.send({ subject, data: bounded(data), respond: () => undefined });
  }

  request(subject: string, data: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    const { clock } = this.broker;
    if (!this.connected) return Promise.reject(refuse("unavailable", "the bus is not connected"));
    if (!this.mayPublish(subject) || this.broker.listeners(subject) === 0) {
      return Promise.reject(refuse("unavailable", "nobody listens on that subject"));
    }
    return new Promise((resolve, reject) => {
      const timer = clock.after(options.timeoutMs, () =>
        reject(refuse("deadline", `no answer within ${options.timeoutMs} ms`)),
      );
      const respond = (answer: Uint8Array) => {
        for (const ms of this.broker.fate("reply", subject)) {
          clock.after(ms, () => {
            timer.cancel();
            if (this.connected) resolve(answer);
          });
        }
      };
      this.send({ subject, data: bounded(data), respond });
    });
  }

  subscribe(
    subject: string,
    handler: (message: Message) => void,
    options: SubscribeOptions = {},
  ): Subscription {
    const allowed = this.permissions.subscribe.some((p) => p === subject || covers(p, subject));
    if (!allowed) return { cancel: () => undefined };
    const entry: Entry = { owner: this, pattern: subject, queue: options.queue, handler };
    this.broker.add(entry);
    return { cancel: () => this.broker.remove(entry) };
  }

  onReconnect(fn: () => void): void {
    this.reconnects.push(fn);
  }

  reconnected(): void {
    for (const fn of this.reconnects) fn();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.closed = true;
    this.broker.forget(this);
    return Promise.resolve();
  }

  private mayPublish(subject: string): boolean {
    return this.permissions.publish.some((p) => subjectMatches(p, subject));
  }

  private send(message: Message): void {
    if (this.connected && this.mayPublish(message.subject))
      this.broker.send(this.identity, message);
  }
}

/** Whether every subject under `wanted` is also under the permission `pattern`. */
function covers(pattern: string, wanted: string): boolean {
  return subjectMatches(pattern, wanted);
}

function bounded(data: Uint8Array): Uint8Array {
  if (data.length > MESSAGE_BYTES_MAX) throw refuse("invalid", "message exceeds 1 MiB");
  return data;
}
