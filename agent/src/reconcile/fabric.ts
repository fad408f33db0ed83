// Makes a fabric's partitions match the ledger: read the ports, tell the subnet manager, read the
// ports again, report. Woken by a nudge and by a period, like the machine's reconciler. It must not
// know who accepted the desired state, nor which subnet manager it is.
import { partitionKey } from "@railyard/lib/attest";
import { type Clock, sleep } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import type { Log } from "@railyard/lib/log";
import type { Rng } from "@railyard/lib/rng";
import type { SubnetManager } from "../hardware/fabric.js";
import type { Ledger } from "../ledger.js";
import type { DesiredPartition, FabricReading } from "../model/fabric.js";
import type { Desired, Inventory, PassReport } from "../model.js";
import { type Membership, membership } from "./diff/membership.js";
import { FabricDoubt } from "./fabric-doubt.js";
import { Passes } from "./passes.js";
import { astray, withTroubles } from "./troubles.js";

/** Between two looks while something is left to do. */
const LOOK_BACKOFF = { baseMs: 500, maxMs: 10_000 };
/** Looks at the ports after the subnet manager was told, and the pause before each. */
const SETTLE_LOOKS_MAX = 8;
const SETTLE_MS = 250;

export interface FabricOptions {
  readonly subnetManager: SubnetManager;
  readonly readInventory: () => Promise<Inventory>;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
  /** Upper bound between two looks at the fabric, milliseconds. */
  readonly sweepMs: number;
  /** Told after every pass. */
  readonly onPass: (report: PassReport) => void;
}

interface Look extends Membership {
  readonly unread: FabricReading["unread"];
}

export class FabricReconciler extends Passes {
  private told = "";
  private readonly doubt: FabricDoubt;
  private inventory: Inventory | undefined;

  constructor(private readonly options: FabricOptions) {
    super({ ...options, name: "fabric", backoff: LOOK_BACKOFF });
    this.doubt = new FabricDoubt(options.clock);
  }

  /** Only what was read is reported; of a look that failed, that it did. */
  protected async pass(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.passOver(signal);
    } catch (thrown) {
      this.doubt.note(asRailyardError(thrown).message);
      const nothing = { partitions: [], complete: false };
      if (!signal.aborted) this.tellPass(this.options.ledger.desired, nothing);
      throw thrown;
    }
  }

  private async passOver(signal: AbortSignal): Promise<boolean> {
    const { ledger, log, readInventory } = this.options;
    const desired = ledger.desired;
    this.inventory = await readInventory();
    let look = await this.look(desired);
    let failure = "";
    if (desired && (await this.mustTell(desired, look)) && this.mayAct(desired, signal)) {
      failure = await this.tell(desired);
      look = await this.settled(desired, look, { signal, failure });
    }
    if (signal.aborted) return false;
    const left = look.wrong || look.absent || look.unread.length > 0 || failure !== "";
    if (desired && !left && ledger.desired === desired) {
      await ledger.applied(desired).catch((err) => log.warn({ err }, "progress not recorded"));
    }
    if (!left) this.progressed();
    this.warn(look.unread, failure);
    const [first] = look.unread;
    if (first) this.doubt.note(`port ${first.guid}: ${first.message}`);
    const partitions = look.partitions.map((one) => (failure ? { ...one, reason: failure } : one));
    this.tellPass(desired, { partitions, complete: look.unread.length === 0 });
    return left && this.acting;
  }

  private tellPass(
    desired: Desired | undefined,
    seen: Pick<PassReport, "partitions" | "complete">,
  ): void {
    if (!this.inventory) return;
    this.options.onPass({
      epoch: desired?.epoch ?? 0n,
      generation: desired?.generation ?? 0n,
      instances: [],
      residues: [],
      ...seen,
      inventory: withTroubles(this.doubt.on(this.inventory), astray(seen.partitions ?? [])),
    });
  }

  /** Not once a newer state was accepted: the pass that it nudges acts on that. */
  private mayAct(desired: Desired, signal: AbortSignal): boolean {
    return this.acting && !signal.aborted && this.options.ledger.desired === desired;
  }

  private async look(desired: Desired | undefined): Promise<Look> {
    const { ports, unread } = await this.options.subnetManager.readPorts();
    return { ...membership(partitionsOf(desired), ports), unread };
  }

  private async mustTell(desired: Desired, { wrong }: Look): Promise<boolean> {
    return wrong || !(await this.options.subnetManager.holds(partitionsOf(desired)));
  }

  /** Why it could not be told; empty when it was. */
  private async tell(desired: Desired): Promise<string> {
    const { subnetManager, ledger, log } = this.options;
    const partitions = partitionsOf(desired);
    const keys = partitions.map(({ pkey }) => partitionKey(pkey));
    await ledger.applying(keys).catch((err) => log.warn({ err }, "progress not recorded"));
    try {
      await subnetManager.setPartitions(partitions);
      log.info({ generation: String(desired.generation), partitions: keys }, "partitions told");
      return "";
    } catch (thrown) {
      return asRailyardError(thrown).message;
    }
  }

  /** The subnet manager applies in its own time; what shows too late the next pass finds. */
  private async settled(
    desired: Desired,
    before: Look,
    { signal, failure }: { readonly signal: AbortSignal; readonly failure: string },
  ): Promise<Look> {
    let look = before;
    if (failure !== "") return look;
    for (let n = 0; n < SETTLE_LOOKS_MAX && !signal.aborted; n++) {
      look = await this.look(desired);
      if (!look.wrong) break;
      await sleep(this.options.clock, SETTLE_MS, signal);
    }
    return look;
  }

  private warn(unread: FabricReading["unread"], failure: string): void {
    const text = JSON.stringify([unread, failure]);
    const isTrouble = unread.length > 0 || failure !== "";
    if (isTrouble && text !== this.told) {
      this.options.log.warn({ unread, why: failure }, "fabric not as desired");
    }
    this.told = text;
  }
}

function partitionsOf(desired: Desired | undefined): readonly DesiredPartition[] {
  return desired?.partitions ?? [];
}
