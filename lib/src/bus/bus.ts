// The bus contract: subjects, messages, requests. Delivery may lose, repeat, delay and reorder;
// whoever uses it must be right all the same. Two implementations: nats.ts and memory.ts, held to
// one suite.

export interface Message {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Answers a request; does nothing when the sender expects no answer. */
  respond(data: Uint8Array): void;
}

export interface Subscription {
  /** Stops deliveries; idempotent. */
  cancel(): void;
}

export interface RequestOptions {
  /** Deadline in milliseconds; then `deadline` is thrown. */
  readonly timeoutMs: number;
}

export interface SubscribeOptions {
  /** Of all subscribers with the same queue name, one gets each message. */
  readonly queue?: string;
}

export interface Bus {
  /** Sends without any assurance. Silently lost while disconnected or forbidden. */
  publish(subject: string, data: Uint8Array): void;
  /**
   * Sends and waits for one answer. Errors: `deadline`; `unavailable` (nobody listens,
   * disconnected).
   */
  request(subject: string, data: Uint8Array, options: RequestOptions): Promise<Uint8Array>;
  /** Calls `handler` for each message on `subject` (`*` one token, a last `>` the rest). */
  subscribe(
    subject: string,
    handler: (message: Message) => void,
    options?: SubscribeOptions,
  ): Subscription;
  /** Whether the broker is reachable at this moment. */
  readonly connected: boolean;
  /** Called after every reconnect, when subscriptions stand again. */
  onReconnect(fn: () => void): void;
  /** Resolves once the broker has seen everything sent so far; `deadline` after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
  /** Ends the connection. Idempotent. */
  close(): Promise<void>;
}

/**
 * What one identity may do, as subject patterns; responses to received requests are always allowed.
 */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Largest message in bytes that any side sends: the default limit of nats-server. */
export const MESSAGE_BYTES_MAX = 1024 * 1024;

const PATTERN = /^[^\s.*>]+(\.[^\s.*>]+)*$/;

/** Whether `subject` is a concrete subject: tokens without wildcards or white space. */
export function isSubject(subject: string): boolean {
  return PATTERN.test(subject);
}

/**
 * Whether a concrete `subject` falls under `pattern` (NATS rules: `*` one token, last `>` the
 * rest).
 */
export function subjectMatches(pattern: string, subject: string): boolean {
  const want = pattern.split(".");
  const have = subject.split(".");
  for (const [i, token] of want.entries()) {
    if (token === ">") return have.length > i;
    if (have[i] === undefined || (token !== "*" && token !== have[i])) return false;
  }
  return want.length === have.length;
}
