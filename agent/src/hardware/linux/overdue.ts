// Keeps what does not end from taking the agent with it: a kernel that does not answer holds a
// thread for each write and a process for each tool, and neither can be taken away from it. It must
// not know what is written or run.
import { type Clock, withDeadline } from "@railyard/lib/clock";
import { asRailyardError, refuse } from "@railyard/lib/errors";

/** Bounds of one piece of work. */
export interface WorkLimit {
  /** Milliseconds. */
  readonly ms: number;
  /** Names the work; what has the same name would meet with the same. */
  readonly what: string;
}

/** As many names as there is work under way past its deadline. */
export class Overdue {
  private readonly names = new Set<string>();

  constructor(private readonly clock: Clock) {}

  /**
   * Begins the work and waits for it. Throws `deadline` when it does not end in time, and at once
   * for as long as an earlier one of that name has not ended.
   */
  async within<T>(limit: WorkLimit, begin: () => Promise<T>): Promise<T> {
    const { what } = limit;
    if (this.names.has(what)) throw refuse("deadline", `${what}: an earlier one still hangs`);
    const work = begin();
    try {
      return await withDeadline(this.clock, limit, work);
    } catch (thrown) {
      if (asRailyardError(thrown).code === "deadline") this.note(what, work);
      throw thrown;
    }
  }

  private note(what: string, work: Promise<unknown>): void {
    this.names.add(what);
    const ended = () => void this.names.delete(what);
    work.then(ended, ended);
  }
}

/** So many at a time, in turn; who hangs keeps a place. Waiting is bounded by whoever waits. */
export class Places {
  private taken = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly count: number) {}

  /** Does the work once there is a place for it, and unless it is `givenUp` by then. */
  async have<T>(givenUp: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.taken >= this.count) await new Promise<void>((begin) => this.waiting.push(begin));
    else this.taken += 1;
    try {
      if (givenUp.aborted) throw refuse("unavailable", "nobody waits for it any more");
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.taken -= 1;
    }
  }
}
