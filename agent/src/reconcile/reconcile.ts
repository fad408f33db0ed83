// Makes the machine match the ledger: observe, diff, apply, observe again, report. Woken by a nudge
// and by a period; failures are tried again with back-off. It must not know who accepted the
// desired state, or how.
import type { Clock } from "@railyard/lib/clock";
import type { Log } from "@railyard/lib/log";
import type { Rng } from "@railyard/lib/rng";
import type { Hardware } from "../hardware/hardware.js";
import { compileLayout } from "../layout/layout.js";
import type { Ledger } from "../ledger.js";
import type {
  Desired,
  Inventory,
  InventoryWarning,
  ObserveProblem,
  PassReport,
  Step,
} from "../model.js";
import { applySteps } from "./apply.js";
import { differences, type Situation } from "./diff/view.js";
import { diff } from "./diff.js";
import { Ends } from "./ends.js";
import { injectFaults } from "./faults.js";
import { observe, type ReadInventory, type Reading } from "./observe.js";
import { Passes } from "./passes.js";
import { findings } from "./report.js";
import { Retries } from "./retries.js";

/**
 * Observations that one pass may need: stop, clean, create, prepare, start, and room for a repair.
 */
const ROUNDS_MAX = 8;
/** Between two looks while something is left to do. */
const LOOK_BACKOFF = { baseMs: 500, maxMs: 30_000 };

export interface ReconcilerOptions {
  readonly hardware: Hardware;
  readonly readInventory: ReadInventory;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
  /** Upper bound between two looks at the machine, milliseconds. */
  readonly sweepMs: number;
  /** Told after every pass. */
  readonly onPass: (report: PassReport) => void;
  /** Reached between the last step and the report; see `RAILYARD_AGENT_FAILPOINT`. */
  readonly failpoint: (name: "after-apply-before-report") => void;
}

export class Reconciler extends Passes {
  private readonly retries: Retries;
  private readonly ends = new Ends();
  private last: PassReport | undefined;
  private problems = "";

  constructor(private readonly options: ReconcilerOptions) {
    super({ ...options, name: "reconcile", backoff: LOOK_BACKOFF });
    this.retries = new Retries(options.clock, options.rng);
  }

  protected async pass(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.passOver(signal);
    } catch (thrown) {
      this.tellUnread(signal);
      throw thrown;
    }
  }

  private async passOver(signal: AbortSignal): Promise<boolean> {
    const { ledger, log, onPass, failpoint } = this.options;
    const desired = ledger.desired;
    const mayAct = () => this.acting && !signal.aborted && ledger.desired === desired;
    const refused = await injectFaults(this.options.hardware, desired);
    const { retries, ends } = this;
    const work = new Work(this.options, desired, { mayAct, signal, retries, ends });
    const { situation, pending, taken } = await work.run();
    if (signal.aborted) return false;
    if (taken.size > 0) failpoint("after-apply-before-report");
    if ([...taken.keys()].some((key) => !retries.knows(key))) this.progressed();
    const failed = retries.note(pending, taken);
    const { problems } = situation.observed;
    this.tellProblems(problems);
    const left = pending.length > 0 || problems.length > 0 || failed.length > 0;
    if (desired && !left && ledger.desired === desired) await noted(log, ledger.applied(desired));
    if (!left) this.progressed();
    this.last = {
      epoch: desired?.epoch ?? 0n,
      generation: desired?.generation ?? 0n,
      ...findings(situation, pending, failed),
      complete: problems.length === 0,
      inventory: withWarnings(situation.inventory, refused),
    };
    onPass(this.last);
    return left && this.acting;
  }

  /** What the last pass found must not go on as if it were still seen. */
  private tellUnread(signal: AbortSignal): void {
    if (!this.last?.complete || signal.aborted) return;
    this.last = { ...this.last, instances: [], residues: [], complete: false };
    this.options.onPass(this.last);
  }

  private tellProblems(problems: readonly ObserveProblem[]): void {
    const text = JSON.stringify(problems);
    if (problems.length > 0 && text !== this.problems) {
      this.options.log.warn({ problems }, "machine not read in full");
    }
    this.problems = text;
  }
}

function withWarnings(inventory: Inventory, more: readonly InventoryWarning[]): Inventory {
  if (more.length === 0) return inventory;
  return { ...inventory, warnings: [...inventory.warnings, ...more] };
}

/** Progress is for operators: a full disk must not keep a machine from its desired state. */
async function noted(log: Log, written: Promise<void>): Promise<void> {
  await written.catch((err) => log.warn({ err }, "progress not recorded"));
}

interface Outcome {
  readonly situation: Situation;
  readonly pending: readonly Step[];
  /** What taking each step came to, by key; empty when nothing went wrong. */
  readonly taken: ReadonlyMap<string, string>;
}

interface Leave {
  /** Whether this session may act, and for this desired state. */
  readonly mayAct: () => boolean;
  readonly signal: AbortSignal;
  readonly retries: Retries;
  readonly ends: Ends;
}

/**
 * The rounds of one pass: no step is taken twice in it, and none once a newer state was accepted.
 */
class Work {
  private readonly tried = new Set<string>();
  private readonly failed = new Map<string, string>();
  private problems: readonly ObserveProblem[] = [];

  constructor(
    private readonly options: ReconcilerOptions,
    private readonly desired: Desired | undefined,
    private readonly leave: Leave,
  ) {}

  async run(): Promise<Outcome> {
    const { mayAct, retries } = this.leave;
    for (let round = 1; ; round++) {
      const { hardware, readInventory } = this.options;
      const reading = await observe(hardware, readInventory, this.problems);
      this.problems = reading.observed.problems;
      this.noteEnds(reading);
      const layouts = this.layouts(reading);
      const ended = this.leave.ends.byInstance;
      const situation = { desired: this.desired, ...reading, layouts, ends: ended };
      const pending = diff(situation);
      const steps = pending.filter((s) => !this.tried.has(s.key) && retries.isDue(s));
      const ends = steps.length === 0 || round === ROUNDS_MAX || !mayAct();
      if (ends) return { situation, pending, taken: this.taken(pending, reading) };
      await this.take(steps, reading);
    }
  }

  private async take(steps: readonly Step[], reading: Reading): Promise<void> {
    const { hardware, ledger, log } = this.options;
    const { signal } = this.leave;
    const keys = steps.map((s) => s.key);
    await noted(log, ledger.applying(keys));
    for (const key of keys) this.tried.add(key);
    const { doneCount, failed } = await applySteps(steps, { hardware, reading, signal });
    for (const { key, reason } of failed) this.failed.set(key, reason);
    const generation = String(this.desired?.generation ?? 0n);
    log.info({ generation, steps: keys, doneCount, failed }, "steps taken");
  }

  private noteEnds({ observed }: Reading): void {
    const { ends } = this.leave;
    // Nothing is seen to be gone where nothing was seen.
    if (observed.problems.some((p) => p.deviceId === "")) return;
    for (const instanceId of ends.note(observed.guests)) {
      const reason = ends.byInstance.get(instanceId);
      this.options.log.warn({ instanceId, reason }, "guest ended by itself");
    }
  }

  private layouts(reading: Reading): Situation["layouts"] {
    const instances = this.desired?.instances ?? [];
    return new Map(instances.map((i) => [i.instanceId, compileLayout(reading.inventory, i)]));
  }

  /** What was taken and is still asked for has failed. */
  private taken(pending: readonly Step[], reading: Reading): ReadonlyMap<string, string> {
    const asked = new Map(pending.map((s) => [s.key, s]));
    const outcome = (key: string) => {
      const step = asked.get(key);
      return step ? (this.failed.get(key) ?? unseen(step, reading)) : "";
    };
    return new Map([...this.tried].map((key) => [key, outcome(key)]));
  }
}

/**
 * How a step failed that the hardware said yes to. A guest that was started is asked for until it
 * has booted: that alone is no failure.
 */
function unseen(step: Step, { observed }: Reading): string {
  if (step.kind === "start-guest") return "";
  const told = "was done, but reads back otherwise";
  if (step.kind !== "configure-vf") return told;
  const { nic, vf } = step.attachment;
  const found = observed.vfs.find((v) => v.nic === nic && v.vf === vf);
  return found ? `${told}: ${differences(found, step.attachment).join(", ")}` : told;
}
