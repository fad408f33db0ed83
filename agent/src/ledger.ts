// What this agent accepted last and how far it got, on disk, so that a restart needs nobody. Three
// files, each replaced whole: the accepted state, written when one is accepted, the progress, and
// what only somebody else's tool can tell, both written by passes. It must not know the wire format
// of what it keeps, nor the hardware.
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { canonicalJson, type Plain, sha256Hex } from "@railyard/lib/canonical";
import { asRailyardError, refuse } from "@railyard/lib/errors";
import type { Desired, RememberedPartitions, SignedDesired } from "./model.js";

const LEDGER = "ledger.json";
const PROGRESS = "ledger-progress.json";
const PARTITIONS = "ledger-partitions.json";
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** Something found while opening; the ledger counts as empty then, and nothing is torn down. */
export interface LedgerWarning {
  readonly kind: "corrupt" | "other-machine" | "other-node" | "outdated" | "undecodable";
  readonly file: string;
  readonly message: string;
}

export type Acceptance = "accepted" | "repeated" | "stale" | "contradictory";

/** A place in the order of desired states. */
export interface Applied {
  readonly epoch: bigint;
  readonly generation: bigint;
}

export interface LedgerOptions {
  readonly directory: string;
  /** The machine that the ledger belongs to; empty when it has none, and no ledger then fits. */
  readonly serial: string;
  /** The present life of the machine. */
  readonly bootId: string;
  /** Who the agent is; what was addressed to another node counts for nothing. */
  readonly nodeId: string;
  /** Names this process's temporary files. */
  readonly session: string;
  /** Reads a body; throws when it is malformed. */
  readonly decode: (signed: SignedDesired) => Desired;
  /** Reached once an accepted state is safe; see `RAILYARD_AGENT_FAILPOINT`. */
  readonly failpoint: (name: "after-ledger-fsync") => void;
}

/**
 * What becomes of `incoming` beside what is `held`. Higher wins; the same place must hold the same
 * bytes.
 */
export function judge(held: SignedDesired | undefined, incoming: SignedDesired): Acceptance {
  if (!held) return "accepted";
  const { epoch, generation } = incoming;
  if (epoch !== held.epoch) return epoch > held.epoch ? "accepted" : "stale";
  if (generation !== held.generation) return generation > held.generation ? "accepted" : "stale";
  return Buffer.compare(incoming.body, held.body) === 0 ? "repeated" : "contradictory";
}

/**
 * Reads what the directory holds, creating it if need be. Throws `unavailable` when it cannot be
 * read.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { directory } = options;
  const warnings: LedgerWarning[] = [];
  try {
    const made = await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
    if (made !== undefined) await syncDirectory(dirname(made));
    await removeTemporaries(directory);
    const kept = await readKept(join(directory, LEDGER), options, parseSigned);
    const progress = await readKept(join(directory, PROGRESS), options, parseProgress);
    const whose = { serial: options.serial };
    const remembered = await readKept(join(directory, PARTITIONS), whose, parseRemembered);
    for (const { warning } of [kept, progress, remembered]) if (warning) warnings.push(warning);
    const state = { accepted: kept.value, progress: progress.value ?? NO_PROGRESS };
    const partitions = remembered.value;
    const ledger = new Ledger(options, {
      ...usable(state, options, warnings),
      partitions,
      warnings,
    });
    if (remembered.warning?.kind === "corrupt") await ledger.losePartitions();
    return ledger;
  } catch (cause) {
    throw refuse("unavailable", "the ledger cannot be opened", { cause });
  }
}

interface Progress {
  readonly applied: Applied;
  /** Keys of the steps that were about to be taken. */
  readonly applying: readonly string[];
}

const NO_PROGRESS: Progress = { applied: { epoch: 0n, generation: 0n }, applying: [] };

interface Accepted {
  readonly signed: SignedDesired;
  readonly desired: Desired;
}

interface LedgerState {
  readonly accepted: Accepted | undefined;
  readonly progress: Progress;
  readonly partitions: RememberedPartitions | undefined;
  readonly warnings: readonly LedgerWarning[];
}

/** What is in memory is what is safe on disk: memory follows only a write that succeeded. */
export class Ledger {
  /** What was wrong with the files when they were opened. */
  readonly warnings: readonly LedgerWarning[];
  /** Keys of the steps that an earlier process began and did not record as done. */
  readonly interrupted: readonly string[];
  private held: Accepted | undefined;
  private progress: Progress;
  private remembered: RememberedPartitions | undefined;
  private writing: Promise<unknown> = Promise.resolve();

  /** Made by `openLedger`. */
  constructor(
    private readonly options: LedgerOptions,
    state: LedgerState,
  ) {
    this.held = state.accepted;
    this.progress = state.progress;
    this.remembered = state.partitions;
    this.warnings = state.warnings;
    this.interrupted = state.progress.applying;
  }

  /** What was accepted last; the same object until another state is accepted. */
  get desired(): Desired | undefined {
    return this.held?.desired;
  }

  /** What was accepted last, as it came. */
  get signed(): SignedDesired | undefined {
    return this.held?.signed;
  }

  /** Generation of the present epoch that was last applied in full; 0 when none was. */
  get appliedGeneration(): bigint {
    const { epoch, generation } = this.progress.applied;
    return this.held?.desired.epoch === epoch ? generation : 0n;
  }

  /** What was remembered last; undefined when nothing ever was. */
  get partitions(): RememberedPartitions | undefined {
    return this.remembered;
  }

  /** What is held, or what was applied here, which is known also when the state was lost. */
  get reached(): Applied {
    const { applied } = this.progress;
    return this.held && !isBefore(this.held.signed, applied) ? this.held.signed : applied;
  }

  /** What would become of a desired state. */
  judge(incoming: SignedDesired): Acceptance {
    return isBefore(incoming, this.reached) ? "stale" : judge(this.held?.signed, incoming);
  }

  /**
   * Takes a checked desired state, and answers only when it is safe on disk. An exact repetition,
   * also one that is addressed to another session, changes nothing. Throws `unavailable` when it
   * cannot be written: then the state before stays in force.
   */
  accept(signed: SignedDesired, desired: Desired): Promise<Acceptance> {
    return this.inTurn(async () => {
      const acceptance = this.judge(signed);
      if (acceptance !== "accepted") return acceptance;
      await this.replace(LEDGER, plainSigned(signed));
      this.held = { signed, desired };
      this.options.failpoint("after-ledger-fsync");
      return acceptance;
    });
  }

  /** Records, before hardware is touched, which steps are about to be taken. */
  applying(keys: readonly string[]): Promise<void> {
    return this.record(() => ({ ...this.progress, applying: keys }));
  }

  /**
   * Records that nothing is left to do for `desired`. Never falls behind what was recorded before.
   */
  applied({ epoch, generation }: Desired): Promise<void> {
    return this.record(() => {
      const { applied } = this.progress;
      const next = { epoch, generation };
      return { applied: isBefore(next, applied) ? applied : next, applying: [] };
    });
  }

  /**
   * Remembers which partitions may be active, beyond the day on which nobody can be asked any more.
   * Throws `unavailable` when it cannot be written.
   */
  remember(partitions: RememberedPartitions): Promise<void> {
    return this.inTurn(async () => {
      const content = plainRemembered(partitions);
      const before = this.remembered ?? { bootId: partitions.bootId, partitions: [] };
      if (canonicalJson(content) === canonicalJson(plainRemembered(before))) return;
      await this.replace(PARTITIONS, content);
      this.remembered = partitions;
    });
  }

  /**
   * From now on nobody knows which partitions may be active, until the machine is rebooted or they
   * are remembered anew.
   */
  async losePartitions(): Promise<void> {
    const lost = { bootId: this.options.bootId, partitions: [], lost: true } as const;
    this.remembered = lost;
    const written = this.inTurn(() => this.replace(PARTITIONS, plainRemembered(lost)));
    // The damaged file stays then, and says the same to the next process.
    await written.catch(() => undefined);
  }

  private record(next: () => Progress): Promise<void> {
    return this.inTurn(async () => {
      const progress = next();
      const before = canonicalJson(plainProgress(this.progress));
      if (canonicalJson(plainProgress(progress)) === before) return;
      await this.replace(PROGRESS, plainProgress(progress));
      this.progress = progress;
    });
  }

  /** One write after the other; callers are few: the link bounds its own, the reconciler waits. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.writing.then(work);
    this.writing = turn.catch(() => undefined);
    return turn;
  }

  private async replace(file: string, content: Plain): Promise<void> {
    const { directory, serial, nodeId, session } = this.options;
    const bound = { serial, nodeId, content };
    const text = JSON.stringify({ sum: sha256Hex(canonicalJson(bound)), ...bound });
    const path = join(directory, file);
    const temporary = `${path}.${session}.tmp`;
    try {
      await writeSafely(temporary, text);
      await rename(temporary, path);
      await syncDirectory(directory);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw refuse("unavailable", `${file} cannot be written`, { cause });
    }
  }
}

async function writeSafely(path: string, text: string): Promise<void> {
  const file = await open(path, "w", FILE_MODE);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a process that was killed between writing and renaming left behind. */
async function removeTemporaries(directory: string): Promise<void> {
  const names = await readdir(directory);
  const left = names.filter((n) => n.startsWith("ledger") && n.endsWith(".tmp"));
  await Promise.all(left.map((n) => rm(join(directory, n), { force: true })));
}

interface Kept<T> {
  readonly value: T | undefined;
  readonly warning?: LedgerWarning;
}

async function readKept<T>(
  path: string,
  { serial, nodeId }: { readonly serial: string; readonly nodeId?: string },
  parse: (content: Record<string, unknown>) => T,
): Promise<Kept<T>> {
  const text = await readIfThere(path);
  if (text === undefined) return { value: undefined };
  const warn = (kind: LedgerWarning["kind"], message: string): Kept<T> => ({
    value: undefined,
    warning: { kind, file: path, message },
  });
  try {
    const { sum, ...bound } = JSON.parse(text) as { sum: unknown } & Record<string, Plain>;
    if (sum !== sha256Hex(canonicalJson(bound))) return warn("corrupt", "the checksum differs");
    if (serial === "" || bound.serial !== serial)
      return warn("other-machine", "it belongs to another machine");
    if (nodeId !== undefined && bound.nodeId !== nodeId)
      return warn("other-node", "it belongs to another node");
    return { value: parse(bound.content as Record<string, unknown>) };
  } catch (thrown) {
    return warn("corrupt", thrown instanceof Error ? thrown.message : "it cannot be read");
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    // Of a file that was opened and cannot be read, the system does not say which it is.
    throw refuse("unavailable", `${path} cannot be read: ${code}`, { cause: thrown });
  }
}

/**
 * What of the files counts. A state older than one that was applied here comes from a backup:
 * acting on it would tear down what came later.
 */
function usable(
  found: { readonly accepted: SignedDesired | undefined; readonly progress: Progress },
  { decode }: LedgerOptions,
  warnings: LedgerWarning[],
): { readonly accepted: Accepted | undefined; readonly progress: Progress } {
  const { accepted: signed, progress } = found;
  if (!signed) return { accepted: undefined, progress };
  const aside = (kind: LedgerWarning["kind"], message: string) => {
    warnings.push({ kind, file: LEDGER, message });
    return { accepted: undefined, progress };
  };
  if (isBefore(signed, progress.applied)) return aside("outdated", "a newer state was applied");
  try {
    return { accepted: { signed, desired: decode(signed) }, progress };
  } catch (thrown) {
    return aside("undecodable", asRailyardError(thrown).message);
  }
}

function isBefore(a: Applied, b: Applied): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.generation < b.generation);
}

function plainSigned(signed: SignedDesired): Plain {
  const { nodeId, session, epoch, generation, body, signature } = signed;
  return {
    nodeId,
    session,
    epoch: String(epoch),
    generation: String(generation),
    body: Buffer.from(body).toString("base64"),
    signature: Buffer.from(signature).toString("base64"),
  };
}

function parseSigned(content: Record<string, unknown>): SignedDesired {
  return {
    nodeId: String(content.nodeId),
    session: String(content.session),
    epoch: BigInt(String(content.epoch)),
    generation: BigInt(String(content.generation)),
    body: Buffer.from(String(content.body), "base64"),
    signature: Buffer.from(String(content.signature), "base64"),
  };
}

function plainProgress({ applied, applying }: Progress): Plain {
  const { epoch, generation } = applied;
  return { epoch: String(epoch), generation: String(generation), applying };
}

function parseProgress(content: Record<string, unknown>): Progress {
  const { epoch, generation, applying } = content;
  return {
    applied: { epoch: BigInt(String(epoch)), generation: BigInt(String(generation)) },
    applying: Array.isArray(applying) ? applying.map(String) : [],
  };
}

function plainRemembered({ bootId, partitions, lost }: RememberedPartitions): Plain {
  const plain = partitions.map(({ id, gpus }) => ({ id, gpus: [...gpus] }));
  return { bootId, partitions: plain, ...(lost && { lost }) };
}

function parseRemembered(content: Record<string, unknown>): RememberedPartitions {
  const { bootId, partitions, lost } = content;
  if (!Array.isArray(partitions)) throw refuse("invalid", "it has no partitions");
  return {
    bootId: String(bootId),
    partitions: partitions.map(({ id, gpus }) => ({ id: Number(id), gpus: gpus.map(String) })),
    ...(lost === true && { lost }),
  };
}
