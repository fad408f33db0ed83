// The agent's composition root: one node's agent, put together from its parts. Tests call it with
// made-up parts. It starts without anybody's help, and keeps the machine as the ledger says until
// told otherwise.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { backoffMs } from "@railyard/lib/backoff";
import type { Bus } from "@railyard/lib/bus/bus";
import { connectNats } from "@railyard/lib/bus/nats";
import { type Clock, sleep, systemClock, type Timer, withDeadline } from "@railyard/lib/clock";
import { asRailyardError, refuse } from "@railyard/lib/errors";
import { newId } from "@railyard/lib/ids";
import { createLog, type Log } from "@railyard/lib/log";
import type { LoopReport } from "@railyard/lib/loop";
import { makePrivateFolder } from "@railyard/lib/private-folder";
import { type Rng, systemRng } from "@railyard/lib/rng";
import { createVerifier } from "@railyard/lib/sign";
import { agentInbox } from "@railyard/proto/subjects";
import { type AgentConfig, type Failpoint, printableConfig } from "./config.js";
import { Consoles } from "./console.js";
import type { SubnetManager } from "./hardware/fabric.js";
import { createFakeSubnetManager } from "./hardware/fake/fabric.js";
import { createFakeHardware } from "./hardware/fake/fake.js";
import { pretendGuestsOn } from "./hardware/fake/guests.js";
import type { Hardware } from "./hardware/hardware.js";
import { createMachine } from "./hardware/linux/machine.js";
import { localOpenSm } from "./hardware/linux/opensm.js";
import { steadyLinks } from "./inventory/steady.js";
import { inventoryOf, type Selectors } from "./inventory.js";
import { qemuArguments } from "./layout/qemu.js";
import { type Hold, holdDirectory } from "./ledger/hold.js";
import { type Ledger, openLedger } from "./ledger.js";
import { ConsoleLink } from "./link/console.js";
import { decodeDesired } from "./link/desired.js";
import { Link } from "./link.js";
import type { ConsoleTicket, OpenTicket } from "./model/console.js";
import type { Inventory, PassReport } from "./model.js";
import { FabricReconciler } from "./reconcile/fabric.js";
import { Reconciler } from "./reconcile/reconcile.js";

/** What this program calls itself to controllers. */
export const AGENT_VERSION = "0.1.0";
/** Within the five seconds that a service manager is promised. */
const STOP_MS = 4_000;
const START_BACKOFF = { baseMs: 500, maxMs: 10_000 };

export interface AgentOverrides {
  readonly clock?: Clock;
  readonly rng?: Rng;
  /** Closed by `stop`. */
  readonly bus?: Bus;
  readonly hardware?: Hardware;
  /** In place of the one that `fabric` of the configuration describes. */
  readonly subnetManager?: SubnetManager;
  readonly log?: Log;
}

/** What makes the world match the ledger, whatever part of the world it is. */
type Making = Pick<Reconciler, "start" | "nudge" | "setActing" | "stop" | "report">;

export interface Agent {
  /** This process's session; another start has another. */
  readonly session: string;
  /** Begins; returns at once. What fails is logged and tried again. */
  start(): void;
  /** Ends within five seconds. Guests stay as they are. Idempotent. */
  stop(): Promise<void>;
  /** What the last pass found; undefined before the first. */
  lastPass(): PassReport | undefined;
  /** How the reconciler fares; undefined before the machine was first read. */
  loopReport(): LoopReport | undefined;
}

/** Puts an agent together; touches nothing before `start` but a made-up machine's directory. */
export function createAgent(config: AgentConfig, overrides: AgentOverrides = {}): Agent {
  return new NodeAgent(config, overrides);
}

class NodeAgent implements Agent {
  readonly session: string;
  private readonly clock: Clock;
  private readonly rng: Rng;
  private readonly log: Log;
  private readonly hardware: Hardware;
  private readonly verify: ReturnType<typeof createVerifier>;
  private readonly stopping = new AbortController();
  /** Aborted once nothing is waited for any more. */
  private readonly ended = new AbortController();
  private readonly subnetManager: SubnetManager | undefined;
  private reconciler: Making | undefined;
  private link: Link | undefined;
  private consoles: { stop(): void } | undefined;
  private bus: Bus | undefined;
  private pass: PassReport | undefined;
  private work: Promise<void> = Promise.resolve();
  private hold: Hold | undefined;

  constructor(
    private readonly config: AgentConfig,
    overrides: AgentOverrides,
  ) {
    const { nodeId, controllerPublicKey } = config.credentials;
    this.verify = createVerifier(controllerPublicKey);
    this.clock = overrides.clock ?? systemClock();
    this.rng = overrides.rng ?? systemRng();
    this.session = newId("session", { at: this.clock.now(), rng: this.rng });
    const log = overrides.log ?? createLog("agent", config.logLevel);
    this.log = log.child({ nodeId, session: this.session });
    const { signal } = this.ended;
    this.hardware = overrides.hardware ?? hardwareOf(config, endingClock(this.clock, signal));
    this.subnetManager = overrides.subnetManager ?? subnetManagerOf(config, this.clock);
    this.bus = overrides.bus;
  }

  start(): void {
    this.log.info({ config: printableConfig(this.config) }, "agent starting");
    if (this.config.linux?.guests === "pretend") this.log.warn({}, "guests are only pretended");
    this.work = this.run().catch((err) => {
      if (!this.stopped) this.log.fatal({ err }, "agent cannot go on");
    });
  }

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopping.abort();
    this.consoles?.stop();
    this.link?.stop();
    const ended = Promise.all([this.work, this.reconciler?.stop()]);
    const limit = { ms: STOP_MS, what: "the step under way" };
    await withDeadline(this.clock, limit, ended).catch((thrown) =>
      this.log.warn({ reason: asRailyardError(thrown).message }, "stopping without waiting longer"),
    );
    this.ended.abort();
    await this.bus?.close();
    this.hold?.release();
    this.log.info({}, "agent stopped");
  }

  lastPass(): PassReport | undefined {
    return this.pass;
  }

  loopReport(): LoopReport | undefined {
    return this.reconciler?.report();
  }

  private get selectors(): Selectors | undefined {
    return this.config.linux;
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  /** The machine first, the bus second: without a bus the ledger is kept all the same. */
  private async run(): Promise<void> {
    const opened = await this.untilDone("machine", () => this.open());
    if (!opened || this.stopped) return;
    const { inventory, ledger } = opened;
    const reconciler = this.makeReconciler(ledger);
    this.reconciler = reconciler;
    reconciler.start();
    const bus = this.bus ?? (await this.connect());
    this.bus = bus;
    if (!bus || this.stopped) return bus?.close();
    this.link = this.makeLink({ bus, inventory, ledger, reconciler });
    this.link.start();
    this.consoles = this.startConsoles(bus, ledger);
    if (this.pass) this.link.report(this.pass);
  }

  private async open(): Promise<{ inventory: Inventory; ledger: Ledger }> {
    const { dataDir: directory, credentials } = this.config;
    this.hold ??= await holdDirectory(directory);
    if (this.ended.signal.aborted) this.hold.release();
    const inventory = inventoryOf(await this.hardware.readFacts(), this.selectors);
    const ledger = await openLedger({
      directory,
      serial: inventory.serial,
      bootId: inventory.bootId,
      nodeId: credentials.nodeId,
      session: this.session,
      decode: decodeDesired,
      failpoint: (name) => this.failpoint(name),
    });
    for (const warning of ledger.warnings) this.log.warn({ ...warning }, "ledger not used");
    const { desired, interrupted } = ledger;
    const generation = String(desired?.generation ?? 0n);
    this.log.info({ generation, interrupted, serial: inventory.serial }, "ledger opened");
    return { inventory, ledger };
  }

  private makeReconciler(ledger: Ledger): Making {
    const { clock, hardware, subnetManager } = this;
    const steady = steadyLinks(clock);
    const around = {
      ledger,
      clock,
      rng: this.rng.fork("reconcile"),
      log: this.log.child({ part: "reconcile" }),
      sweepMs: this.config.sweepMs,
      onPass: (pass: PassReport) => {
        this.pass = pass;
        this.link?.report(pass);
      },
    };
    if (subnetManager) {
      const readInventory = async () => inventoryOf(await hardware.readFacts(), this.selectors);
      return new FabricReconciler({ ...around, subnetManager, readInventory });
    }
    return new Reconciler({
      ...around,
      hardware,
      readInventory: (facts) => steady(inventoryOf(facts, this.selectors)),
      failpoint: (name) => this.failpoint(name),
    });
  }

  private makeLink(parts: {
    readonly bus: Bus;
    readonly inventory: Inventory;
    readonly ledger: Ledger;
    readonly reconciler: Making;
  }): Link {
    const { bus, inventory, ledger, reconciler } = parts;
    const { credentials, reportMs, helloMs } = this.config;
    return new Link({
      bus,
      clock: this.clock,
      rng: this.rng.fork("link"),
      log: this.log.child({ part: "link" }),
      nodeId: credentials.nodeId,
      session: this.session,
      incarnation: BigInt(credentials.incarnation),
      agentVersion: AGENT_VERSION,
      fake: this.hardware.fake,
      inventory,
      ledger,
      verify: this.verify,
      onAccepted: () => reconciler.nudge(),
      onStanding: (welcome) => reconciler.setActing(welcome),
      reportMs,
      helloMs,
    });
  }

  private startConsoles(bus: Bus, ledger: Ledger): { stop(): void } {
    const { nodeId } = this.config.credentials;
    const { clock, session, verify, hardware } = this;
    const log = this.log.child({ part: "console" });
    const isPlaced = (ticket: ConsoleTicket) => holdsPlacement(ledger, ticket);
    const consoles = new Consoles({ nodeId, session, clock, verify, hardware, isPlaced, log });
    const open: OpenTicket = (signed, send) => consoles.open(signed, send);
    const link = new ConsoleLink({ bus, log, nodeId, session, open });
    link.start();
    return {
      stop() {
        consoles.stop();
        link.stop();
      },
    };
  }

  private connect(): Promise<Bus | undefined> {
    const { credentials, broker } = this.config;
    const { signal } = this.stopping;
    return connectNats({
      server: broker,
      seed: credentials.seed,
      name: `agent ${credentials.nodeName}`,
      inboxPrefix: agentInbox(credentials.nodeId),
      clock: this.clock,
      log: this.log.child({ part: "bus" }),
      signal,
    }).catch((thrown) => {
      if (signal.aborted) return undefined;
      throw thrown;
    });
  }

  private async untilDone<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    const { signal } = this.stopping;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await work();
      } catch (err) {
        this.log.error({ what, err }, "not ready, trying again");
      }
      await sleep(this.clock, backoffMs(attempt, this.rng, START_BACKOFF), signal);
    }
    return undefined;
  }

  /**
   * Dies as by power loss, at the configured point, once per data directory. Made-up machines only.
   */
  private failpoint(name: Failpoint): void {
    if (this.config.failpoint !== name || !this.hardware.fake) return;
    if (markOnce(join(this.config.dataDir, `failpoint-${name}`)))
      process.kill(process.pid, "SIGKILL");
  }
}

/** Whether the accepted desired state has the instance as it was placed for the ticket. */
function holdsPlacement({ desired }: Ledger, ticket: ConsoleTicket): boolean {
  const { epoch, generation, instanceId, gpus } = ticket;
  if (desired?.epoch !== epoch || desired.generation < generation) return false;
  const instance = desired.instances.find((one) => one.instanceId === instanceId);
  return instance !== undefined && instance.gpus.join() === gpus.join();
}

function hardwareOf({ fake, linux, dataDir }: AgentConfig, clock: Clock): Hardware {
  makePrivateFolder(dataDir, "RAILYARD_AGENT_DATA_DIR");
  if (fake) return createFakeHardware({ dir: join(dataDir, "machine"), ...fake, clock });
  if (!linux) throw refuse("invalid", "neither a real machine nor a made-up one is configured");
  const { guests, ...settings } = linux;
  const pretended = guests === "pretend" && pretendGuestsOn(join(dataDir, "pretended"), clock);
  const machine = { ...settings, dataDir, clock, layoutArguments: qemuArguments };
  return createMachine({ ...machine, ...(pretended && { pretended }) });
}

function subnetManagerOf({ fabric, fake, dataDir }: AgentConfig, clock: Clock) {
  if (!fabric) return undefined;
  return fake ? createFakeSubnetManager(join(dataDir, "fabric")) : localOpenSm(clock, fabric);
}

/**
 * A clock whose pending timers end with `signal`: a hung tool's deadline must not keep the process.
 */
function endingClock(clock: Clock, signal: AbortSignal): Clock {
  const pending = new Set<Timer>();
  signal.addEventListener("abort", () => {
    for (const timer of pending) timer.cancel();
  });
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after(ms, fn) {
      const timer = clock.after(ms, () => {
        pending.delete(timer);
        fn();
      });
      pending.add(timer);
      return {
        cancel: () => {
          pending.delete(timer);
          timer.cancel();
        },
      };
    },
  };
}

/** Whether the mark was not there before. */
function markOnce(path: string): boolean {
  try {
    writeFileSync(path, "", { flag: "wx" });
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw thrown;
  }
}
