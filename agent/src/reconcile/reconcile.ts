// Makes the machine match the ledger: observe, diff, apply, observe again, report. Woken by a nudge
// and by a period; failures are tried again with back-off. It must not know who accepted the
// desired state, or how.
import type { Clock } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import type { Log } from "@railyard/lib/log";
import type { Rng } from "@railyard/lib/rng";
import type { Hardware } from "../hardware/hardware.js";
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
import { NVSWITCHES } from "./diff/partitions.js";
import { differences } from "./diff/view.js";
import { Ends } from "./ends.js";
import { injectFaults } from "./faults.js";
import { Judge, type Judgement } from "./judge.js";
import { observe, type ReadInventory, type Reading } from "./observe.js";
import { Passes } from "./passes.js";
import { type FailedStep, findings } from "./report.js";
import { Retries } from "./retries.js";
import { ownerless, tooNarrow, unread, withTroubles } from "./troubles.js";

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
  private readonly judge = new Judge();
  /** The last pass that had nothing to do, and what it reported. */
  private quiet: { readonly judgement: Judgement; readonly report: PassReport } | undefined;
  private last: PassReport | undefined;
  /** As it was read last, without what passes met with. */
  private inventory: Inventory | undefined;
  private problems = "";

  constructor(private readonly options: ReconcilerOptions) {
    super({ ...options, name: "reconcile", backoff: LOOK_BACKOFF });
    this.retries = new Retries(options.clock, options.rng);
  }

  protected async pass(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.passOver(signal);
    } catch (thrown) {
      this.tellUnread(signal, asRailyardError(thrown).message);
      throw thrown;
    }
  }

  private async passOver(signal: AbortSignal): Promise<boolean> {
    const { ledger, log, onPass, failpoint } = this.options;
    const desired = ledger.desired;
    const mayAct = () => this.acting && !signal.aborted && ledger.desired === desired;
    const refused = await injectFaults(this.options.hardware, desired);
    const { retries, ends, judge } = this;
    const work = new Work(this.options, desired, { mayAct, signal, retries, ends, judge });
    const { judgement, taken } = await work.run();
    if (signal.aborted) return false;
    if (taken.size > 0) failpoint("after-apply-before-report");
    if ([...taken.keys()].some((key) => !retries.knows(key))) this.progressed();
    const { pending } = judgement;
    const failed = retries.note(pending, taken);
    const { problems } = judgement.situation.observed;
    this.tellProblems(problems);
    const left = pending.length > 0 || problems.length > 0 || failed.length > 0;
    if (desired && !left && ledger.desired === desired) await noted(log, ledger.applied(desired));
    if (!left) this.progressed();
    this.inventory = judgement.situation.inventory;
    this.last = left ? reportOf(judgement, failed, refused) : this.quietReport(judgement, refused);
    onPass(this.last);
    return left && this.acting;
  }

  /** While nothing is to be done and nothing changes, it is the same object. */
  private quietReport(judgement: Judgement, refused: readonly InventoryWarning[]): PassReport {
    if (this.quiet?.judgement !== judgement) {
      this.quiet = { judgement, report: reportOf(judgement, [], refused) };
    }
    return this.quiet.report;
  }

  /** What the last pass found must not go on as if it were still seen. */
  private tellUnread(signal: AbortSignal, message: string): void {
    if (!this.last || !this.inventory || signal.aborted) return;
    const told = `the machine could not be read: ${message}`;
    if (this.last.inventory.warnings[0]?.message === told) return;
    const warning = { kind: "unread", deviceId: "", message: told };
    const inventory = withTroubles(this.inventory, [warning]);
    this.last = { ...this.last, instances: [], residues: [], complete: false, inventory };
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

/** `refused`: what is to be told of the desired state's faults. */
function reportOf(
  { situation, pending }: Judgement,
  failed: readonly FailedStep[],
  refused: readonly InventoryWarning[],
): PassReport {
  const { desired, inventory, observed } = situation;
  return {
    epoch: desired?.epoch ?? 0n,
    generation: desired?.generation ?? 0n,
    ...findings(situation, pending, failed),
    complete: observed.problems.length === 0,
    inventory: withTroubles(inventory, [
      ...refused,
      ...unread(observed.problems),
      ...ownerless(failed),
      ...tooNarrow(inventory, desired),
    ]),
  };
}

/** Progress is for operators: a full disk must not keep a machine from its desired state. */
async function noted(log: Log, written: Promise<void>): Promise<void> {
  await written.catch((err) => log.warn({ err }, "progress not recorded"));
}

interface Outcome {
  readonly judgement: Judgement;
  /** What taking each step came to, by key; empty when nothing went wrong. */
  readonly taken: ReadonlyMap<string, string>;
}

interface Leave {
  /** Whether this session may act, and for this desired state. */
  readonly mayAct: () => boolean;
  readonly signal: AbortSignal;
  readonly retries: Retries;
  readonly ends: Ends;
  readonly judge: Judge;
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
    const { mayAct, retries, judge, ends } = this.leave;
    for (let round = 1; ; round++) {
      const { hardware, readInventory } = this.options;
      const { problems } = this;
      const { partitions } = this.options.ledger;
      const reading = await observe(hardware, readInventory, { problems, partitions });
      this.problems = reading.observed.problems;
      await this.remember(reading);
      this.noteEnds(reading);
      const judgement = judge.judge(this.desired, reading, ends.byInstance);
      const { pending } = judgement;
      const steps = pending.filter((s) => !this.tried.has(s.key) && retries.isDue(s));
      const isLast = steps.length === 0 || round === ROUNDS_MAX || !mayAct();
      if (isLast) return { judgement, taken: this.taken(pending, reading) };
      await this.take(steps, reading);
    }
  }

  private async take(steps: readonly Step[], reading: Reading): Promise<void> {
    const { hardware, ledger, log } = this.options;
    const { signal } = this.leave;
    const keys = steps.map((s) => s.key);
    await noted(log, ledger.applying(keys));
    const forgotten = await this.remember(reading, steps);
    for (const key of keys) this.tried.add(key);
    const held = forgotten ? steps.filter((s) => s.kind === "activate-partition") : [];
    for (const { key } of held) this.failed.set(key, forgotten);
    const due = steps.filter((s) => !held.includes(s));
    const { doneCount, failed } = await applySteps(due, { hardware, reading, signal });
    for (const { key, reason } of failed) this.failed.set(key, reason);
    const generation = String(this.desired?.generation ?? 0n);
    log.info({ generation, steps: keys, doneCount, failed }, "steps taken");
  }

  /**
   * Which partitions are active, or will be by these steps; what was not read stays as it was. Why
   * that could not be written down: then none may become active. Empty when it was.
   */
  private async remember(
    { inventory, observed }: Reading,
    steps: readonly Step[] = [],
  ): Promise<string> {
    const { ledger, log } = this.options;
    const { bootId, fabricManager } = inventory;
    if (!fabricManager || observed.problems.some((p) => p.deviceId === NVSWITCHES)) return "";
    const joining = steps.flatMap((s) => (s.kind === "activate-partition" ? [s.partition] : []));
    const partitions = observed.partitions.filter((p) => p.active || joining.includes(p.id));
    try {
      await ledger.remember({ bootId, partitions });
      return "";
    } catch (err) {
      log.warn({ err }, "active partitions not recorded");
      return asRailyardError(err).message;
    }
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
