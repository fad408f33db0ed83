// Keeps the broker's users file equal to who is enrolled, and tells the broker. Knows neither the
// file's form nor how a broker is told: both come in.
import { type Clock, sleep } from "@railyard/lib/clock";
import type { Log } from "@railyard/lib/log";
import { Loop } from "@railyard/lib/loop";

const PERIOD_MS = 5_000;
/** Least time between two looks: a fleet enrols all at once. */
const REST_MS = 100;

export interface BrokerUsersOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The file's content as the store has it now. */
  readonly render: () => Promise<string>;
  readonly file: {
    holds(content: string): boolean;
    /** Durable when it returns. */
    write(content: string): void;
  };
  /** Asks the broker to read the file again; false when it could not be asked. */
  readonly reload: () => boolean;
}

/**
 * The loop, to be nudged when enrolments may have changed; its first look has ended when the
 * promise resolves.
 */
export async function keepBrokerUsers(options: BrokerUsersOptions): Promise<Loop> {
  const { clock, log } = options;
  await refresh(options);
  // An earlier life may have ended between writing and telling.
  let untold = true;
  return new Loop({
    name: "broker-users",
    clock,
    log,
    periodMs: PERIOD_MS,
    async runOnce(signal) {
      if (await refresh(options)) {
        untold = true;
        log.info({}, "broker users changed");
      }
      if (untold && options.reload()) untold = false;
      await sleep(clock, REST_MS, signal);
    },
  });
}

/** Whether the file had to be written. */
async function refresh({ render, file }: BrokerUsersOptions): Promise<boolean> {
  const wanted = await render();
  if (file.holds(wanted)) return false;
  file.write(wanted);
  return true;
}
