// What calls hold while they wait for their client: a request that has not come whole, an answer
// that is not taken. Bounded in time and, all together, in bytes; one timer for all. Knows no call.
import type { Clock, Timer } from "@railyard/lib/clock";
import { type RailyardError, refuse } from "@railyard/lib/errors";

/** How long a client may take to send one request, or to take one answer. */
export const CLIENT_MS_MAX = 20_000;
/** Bytes that all who wait may hold; beyond that whoever has waited longest is given up. */
export const CLIENT_BYTES_MAX = 512 * 1024 * 1024;
/** How exactly that is kept: milliseconds between two looks. */
const LOOK_MS = 1_000;
const RETRY_AFTER_MS = 1_000;

/** Somebody who waits for a client. */
export interface ClientWait {
  /** It is not waited for any longer; why not. Called at most once for each `begin`. */
  givenUp(why: RailyardError): void;
}

interface Since {
  readonly look: number;
  readonly bytes: number;
}

export class ClientWaits {
  /** Oldest first. */
  private readonly waits = new Map<ClientWait, Since>();
  private bytes = 0;
  private looks = 0;
  private timer: Timer | undefined;

  constructor(private readonly clock: Clock) {}

  /** `bytes`: most that is held meanwhile. */
  begin(wait: ClientWait, bytes: number): void {
    this.waits.set(wait, { look: this.looks, bytes });
    this.bytes += bytes;
    while (this.bytes > CLIENT_BYTES_MAX) this.giveUpOldest();
    this.timer ??= this.clock.after(LOOK_MS, () => this.look());
  }

  /** It came, or was taken; also when it is not waited for. */
  end(wait: ClientWait): void {
    const since = this.waits.get(wait);
    if (!since) return;
    this.waits.delete(wait);
    this.bytes -= since.bytes;
  }

  /** Looks no more; whoever waits is on its own. */
  stop(): void {
    this.timer?.cancel();
    this.waits.clear();
  }

  private giveUpOldest(): void {
    const [oldest] = this.waits.keys();
    if (oldest) this.giveUp(oldest, CROWDED);
  }

  private look(): void {
    this.looks += 1;
    for (const [wait, { look }] of this.waits) {
      if ((this.looks - look - 1) * LOOK_MS < CLIENT_MS_MAX) break;
      this.giveUp(wait, LATE);
    }
    const more = this.waits.size > 0;
    this.timer = more ? this.clock.after(LOOK_MS, () => this.look()) : undefined;
  }

  private giveUp(wait: ClientWait, why: RailyardError): void {
    this.end(wait);
    wait.givenUp(why);
  }
}

const LATE = refuse("deadline", `the client took longer than ${CLIENT_MS_MAX} ms`);
const CROWDED = refuse("unavailable", "too many clients are waited for; try again", {
  retryAfterMs: RETRY_AFTER_MS,
});
