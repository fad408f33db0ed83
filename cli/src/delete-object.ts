// Deletes one object and, when asked to, waits until it cannot be read any more. It knows no noun.
import { RailyardError } from "@railyard/lib/errors";
import { LifecycleReasonCode, LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import type { RepeatOptions } from "./client.js";
import type { CheckFlags } from "./flags.js";
import type { View } from "./output.js";
import type { Session } from "./session.js";
import type { Judged } from "./wait.js";
import type { About } from "./watch.js";
import { reasonsOf, wordOf } from "./words.js";

interface Deletable {
  readonly lifecycleState: LifecycleState;
  readonly lifecycleReasons: readonly {
    readonly code: LifecycleReasonCode;
    readonly message: string;
  }[];
}

/** A delete's answer when only a repeated try got through: without the object. */
export type Gone = Record<never, never>;

export interface Deletion<T extends Deletable> {
  /** Kind and name, for people. */
  readonly what: string;
  readonly view: View<T>;
  /** Makes the call with these options; answers the object as it then is, if it still is. */
  readonly remove: (repeat: RepeatOptions<Gone>) => Promise<T | undefined>;
  /** What to watch while waiting. */
  readonly about: About;
  /** Reads it; throws `notFound` once it is gone. */
  readonly read: () => Promise<T | undefined>;
}

/** Deletes, prints what became of it, and with `wait` stays until it is gone. */
export async function deleteObject<T extends Deletable>(
  session: Session,
  flags: CheckFlags & { readonly wait?: boolean },
  { what, view, about, remove, read }: Deletion<T>,
): Promise<void> {
  // The first try may have deleted it although its answer was lost.
  const settle = async ({ code }: RailyardError) => (code === "notFound" ? {} : undefined);
  const last = await remove({ settle });
  const waits = flags.wait === true && flags.validateOnly !== true;
  if (waits) await session.wait({ what, read: () => judge(read) }, about);
  if (session.output.format !== "table") {
    if (last) session.output.one(view, last);
    return;
  }
  const passing = last?.lifecycleState === LifecycleState.LIFECYCLE_STATE_DELETING;
  const became = passing && !waits ? "deleting" : "deleted";
  session.output.lines([`${what} ${flags.validateOnly ? "can be deleted" : became}`]);
}

async function judge<T extends Deletable>(
  read: () => Promise<T | undefined>,
): Promise<Judged<undefined>> {
  try {
    const object = await read();
    if (object) return { t: "waiting", state: stateOf(object) };
  } catch (thrown) {
    if (!(thrown instanceof RailyardError) || thrown.code !== "notFound") throw thrown;
  }
  return { t: "done", state: "gone", value: undefined };
}

function stateOf({ lifecycleState, lifecycleReasons }: Deletable): string {
  const reasons = reasonsOf(LifecycleReasonCode, lifecycleReasons).replaceAll("\n", "; ");
  return wordOf(LifecycleState, lifecycleState) + (reasons && ` (${reasons})`);
}
