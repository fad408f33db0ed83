// What a look at the machine means: the layouts, and what is left to do. A machine that looks as it
// did the last time means the same, and is not thought through again. It touches nothing.
import { isDeepStrictEqual } from "node:util";
import { compileLayout } from "../layout/layout.js";
import type { Desired, Step } from "../model.js";
import type { Situation } from "./diff/view.js";
import { diff } from "./diff.js";
import type { Reading } from "./observe.js";

export interface Judgement {
  readonly situation: Situation;
  /** Everything that is still to do. */
  readonly pending: readonly Step[];
}

/** Remembers the last judgement alone. */
export class Judge {
  private last: Judgement | undefined;

  /** The same object as the last time while nothing it depends on changed. */
  judge(
    desired: Desired | undefined,
    { inventory, observed }: Reading,
    ends: ReadonlyMap<string, string>,
  ): Judgement {
    const { last } = this;
    const isLast =
      last !== undefined &&
      last.situation.desired === desired &&
      isDeepStrictEqual(last.situation.observed, observed) &&
      isDeepStrictEqual(last.situation.inventory, inventory) &&
      isDeepStrictEqual(last.situation.ends, ends);
    if (isLast) return last;
    const layouts = new Map(
      (desired?.instances ?? []).map((i) => [i.instanceId, compileLayout(inventory, i)]),
    );
    const situation = { desired, inventory, observed, layouts, ends: new Map(ends) };
    this.last = { situation, pending: diff(situation) };
    return this.last;
  }
}
