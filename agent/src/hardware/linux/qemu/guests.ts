// Guests as QEMU processes on this machine: start, graceful stop, reboot, and what is read back of
// them. Each has a directory; whoever opens the same directory finds the guests again and goes on
// with them. It must not know what instances are for.
import { once } from "node:events";
import { mkdir, readdir, realpath, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Clock, sleep } from "@railyard/lib/clock";
import { asRailyardError, refuse } from "@railyard/lib/errors";
import type { GuestSpec, ObservedGuest } from "../../../model.js";
import type { GuestConsole } from "../../hardware.js";
import type { Guests } from "../guests.js";
import type { Outside } from "../outside.js";
import { makeVpcPort, removeInterface, vpcTapName } from "../tap.js";
import {
  type Accelerator,
  type Backing,
  type LayoutArguments,
  qemuArguments,
  VPC_NICS_MAX,
} from "./arguments.js";
import { NETWORK_CONFIG, prepareDisks } from "./disks.js";
import {
  handOver,
  makeFolder,
  noteStopping,
  readRecord,
  readSeedFile,
  reclaimFolders,
  writeRecord,
} from "./folder.js";
import { goOn } from "./go-on.js";
import { imageChecker } from "./image.js";
import { asDefined, askGuest } from "./observe.js";
import { cutOwnText, reachSocket } from "./own-files.js";
import { checkGuestsDir, type GuestPlace, guestPlace, isGuestId } from "./place.js";
import { hasEnded, isAlive } from "./process-life.js";
import {
  end,
  failureOf,
  findGuests,
  forget,
  type GuestProcess,
  type GuestUser,
  lastComplaint,
  launch,
} from "./processes.js";
import { processorsFor } from "./processors.js";
import { type Qmp, withQmp } from "./qmp.js";
import { devicesOf } from "./sandbox.js";
import { addressesIn } from "./seed.js";

export interface QemuOptions {
  readonly outside: Outside;
  readonly clock: Clock;
  /** One directory per guest below it; short, since sockets lie there too. */
  readonly guestsDir: string;
  readonly volumesDir: string;
  readonly accelerator: Accelerator;
  /** The bridge of the VPC interfaces; made when there is none. */
  readonly vpcBridge: string;
  /** Who guests run as; undefined: as the agent does. */
  readonly user?: GuestUser;
  /** Folders and files of this machine that hold what no guest may read, the agent's above all. */
  readonly privatePaths?: readonly string[];
  /** How long a guest has to shut down by itself, milliseconds. */
  readonly graceMs?: number;
  /** What the functions of a guest are. Throws `unavailable` when one cannot be given. */
  readonly backings: (spec: GuestSpec) => Promise<ReadonlyMap<string, Backing>>;
  readonly layoutArguments: LayoutArguments;
  /** Fails while the directories are not those that hold guests and volumes, or do not answer. */
  readonly checkDirs?: () => Promise<void>;
}

const GRACE_MS = 20_000;
const QMP_MS = 5_000;
/** A guest with hundreds of GiB takes long until its memory is there. */
const READY_MS = 45_000;
const END_MS = 5_000;
/** See `stopNow`. */
const LATE_NOTES_MAX = 3;
const TRY_AGAIN_MS = 100;

/** Guests below `guestsDir`. Throws `invalid` or `unavailable` when it cannot be used. */
export function qemuGuests(options: QemuOptions): Guests {
  checkGuestsDir(options.guestsDir);
  reclaimFolders(options.guestsDir);
  return new QemuGuests(options);
}

/** Throws `unavailable` once the caller has given up: what it decided on may not hold any more. */
function checkWaitedFor(givenUp: AbortSignal | undefined): void {
  if (givenUp?.aborted) throw refuse("unavailable", "the start is not waited for any more");
}

class QemuGuests implements Guests {
  private readonly checkImage;
  /** What is under way, by instance: a call that nobody waits for any more still ends first. */
  private readonly lanes = new Map<string, Promise<void>>();

  constructor(private readonly options: QemuOptions) {
    this.checkImage = imageChecker(options.outside);
  }

  async list(): Promise<readonly ObservedGuest[]> {
    const { guestsDir } = this.options;
    await this.options.checkDirs?.();
    const names = await readdir(guestsDir).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === "ENOENT") return [];
      throw refuse("unavailable", `${guestsDir} cannot be read: ${thrown.code}`);
    });
    const processes = findGuests(guestsDir);
    const ids = [...new Set([...names.filter(isGuestId), ...processes.keys()])].sort();
    return Promise.all(ids.map((id) => this.observe(id, processes.get(id))));
  }

  start(spec: GuestSpec, givenUp?: AbortSignal): Promise<void> {
    return this.inTurn(spec.instanceId, () => this.startNow(spec, givenUp));
  }

  stop(instanceId: string): Promise<void> {
    return this.inTurn(instanceId, () => this.stopNow(this.place(instanceId)));
  }

  reboot(instanceId: string, bootCount: number): Promise<void> {
    return this.inTurn(instanceId, () => this.rebootNow(this.place(instanceId), bootCount));
  }

  async console(instanceId: string): Promise<GuestConsole> {
    const guest = this.running(this.place(instanceId));
    const stream = reachSocket(guest.place.serial, guest.uid);
    try {
      await once(stream, "connect");
    } catch (cause) {
      throw refuse("unavailable", `the console of ${instanceId} cannot be reached`, { cause });
    }
    // A serial line carries no window size: whoever logs in says it.
    return { stream, resize: () => {} };
  }

  private inTurn(instanceId: string, work: () => Promise<void>): Promise<void> {
    const before = this.lanes.get(instanceId) ?? Promise.resolve();
    const done = before.catch(() => {}).then(work);
    this.lanes.set(instanceId, done);
    const leave = () => {
      if (this.lanes.get(instanceId) === done) this.lanes.delete(instanceId);
    };
    done.then(leave, leave);
    return done;
  }

  private async observe(id: string, found: GuestProcess | undefined): Promise<ObservedGuest> {
    const place = this.place(id);
    // A guest may have its QEMU complain without end.
    cutOwnText(place.complaints);
    const record = readRecord(place);
    const args = record?.args ?? found?.args ?? [];
    const unasked = {
      instanceId: id,
      bootCount: record?.bootCount ?? 0,
      addresses: addressesIn(readSeedFile(place, NETWORK_CONFIG) ?? ""),
    };
    const gone = async () => {
      const ended = await failureOf(this.options.outside, place);
      return { ...asDefined(args), ...unasked, ...(ended !== undefined && { ended }) };
    };
    if (!found) return gone();
    // Whoever broke into a QEMU writes into its memory what he likes, its command line too.
    if (!isDeepStrictEqual(found.args, args)) {
      return { ...asDefined(args), ...unasked, ended: "qemu's command line was changed" };
    }
    try {
      return { ...(await this.ask(found, (qmp) => askGuest(qmp, args))), ...unasked };
    } catch (thrown) {
      // One guest that does not answer must not keep the others from being told.
      if (asRailyardError(thrown).code === "bug") throw thrown;
      return isAlive(found) ? { ...asDefined(args), ...unasked } : gone();
    }
  }

  private async startNow(spec: GuestSpec, givenUp?: AbortSignal): Promise<void> {
    const { guestsDir, outside, clock, user, backings } = this.options;
    checkWaitedFor(givenUp);
    const place = this.place(spec.instanceId);
    const running = findGuests(guestsDir).get(spec.instanceId);
    if (running) {
      if (readRecord(place)?.bootCount === spec.bootCount) return this.ask(running, goOn);
      throw refuse("unavailable", `guest ${spec.instanceId} already runs`);
    }
    this.checkFree(spec);
    const backed = await backings(spec);
    // Before anything of the guest is there: a large image takes long, and what is there is seen.
    await this.checkImage(spec.desired.image);
    await this.options.checkDirs?.();
    checkWaitedFor(givenUp);
    await makeFolder(place, user);
    await mkdir(this.options.volumesDir, { recursive: true, mode: 0o700 });
    const maker = { ...this.options, checkImage: this.checkImage };
    const disks = await prepareDisks(maker, spec, place);
    const vpcTaps = await this.makeVpcPorts(spec);
    const machine = { ...this.options, spec, place, disks, vpcTaps, backings: backed };
    const args = qemuArguments(machine);
    const written = disks.filter((disk) => !disk.readOnly).map(({ path }) => path);
    await handOver(place, user, written);
    await writeRecord(place, { bootCount: spec.bootCount, args });
    const volumes = written.filter((path) => dirname(path) !== place.box);
    const { path } = spec.desired.image;
    const images = [path, await realpath(path)];
    const processors = processorsFor(outside.root, spec);
    const own = { place, user, devices: devicesOf(machine), volumes, images, processors };
    const needs = { ...this.options, ...own };
    // From the record on, the guest is seen to have its functions; before, they may have gone to
    // another one as soon as nobody waited any more.
    checkWaitedFor(givenUp);
    await launch({ outside, clock, needs, args });
    await this.untilReady(place);
  }

  /** A function may be in one guest only, also in one that does not run at the moment. */
  private checkFree({ instanceId, functions }: GuestSpec): void {
    const wanted = new Set(functions.map((fn) => fn.hostAddress));
    for (const [id, { place, args }] of findGuests(this.options.guestsDir)) {
      const taken = asDefined(readRecord(place)?.args ?? args).functions.find((fn) =>
        wanted.has(fn.hostAddress),
      );
      if (id === instanceId || !taken) continue;
      throw refuse("unavailable", `pci function ${taken.hostAddress} is in another guest`);
    }
  }

  private async makeVpcPorts({ instanceId, desired }: GuestSpec) {
    const { outside, vpcBridge: bridge, user } = this.options;
    const { vpcNics } = desired;
    if (vpcNics.length > VPC_NICS_MAX) {
      throw refuse("unavailable", `a guest has at most ${VPC_NICS_MAX} vpc interfaces`);
    }
    const ports = vpcNics.map(({ mac }, index) => ({ tap: vpcTapName(instanceId, index), mac }));
    for (const port of ports) {
      await makeVpcPort(outside, { ...port, bridge, ...(user && { uid: user.uid }) });
    }
    return ports;
  }

  /** QEMU greets once every device is there; one that cannot have a device ends instead. */
  private async untilReady(place: GuestPlace): Promise<void> {
    const { clock, guestsDir } = this.options;
    const end = clock.monotonic() + READY_MS;
    for (;;) {
      const guest = findGuests(guestsDir).get(place.instanceId);
      if (!guest) throw refuse("unavailable", `qemu did not start: ${lastComplaint(place)}`);
      const failure = await this.ask(guest, async () => undefined).catch(asRailyardError);
      if (!failure) return;
      if (clock.monotonic() >= end) throw failure;
      await sleep(clock, TRY_AGAIN_MS);
    }
  }

  private async stopNow(place: GuestPlace): Promise<void> {
    const { clock, guestsDir, outside, graceMs } = this.options;
    await this.options.checkDirs?.();
    const guest = findGuests(guestsDir).get(place.instanceId);
    await noteStopping(place);
    if (guest && !(await this.powerDown(guest, graceMs ?? GRACE_MS))) {
      await end(clock, guest, place.instanceId);
    }
    for (let index = 0; index < VPC_NICS_MAX; index++) {
      await removeInterface(outside, vpcTapName(place.instanceId, index));
    }
    await forget(outside, clock, place);
    // How the process ended may be noted in there while it is removed: see `noteFailure`.
    await rm(place.dir, { recursive: true, force: true, maxRetries: LATE_NOTES_MAX });
  }

  /** Asks the guest first, then its QEMU; whether the process ended. */
  private async powerDown(guest: GuestProcess, graceMs: number): Promise<boolean> {
    const { clock } = this.options;
    const tell = (command: string) =>
      this.ask(guest, (qmp) => qmp.execute(command)).catch(() => undefined);
    await tell("system_powerdown");
    if (await hasEnded(clock, guest, graceMs)) return true;
    await tell("quit");
    return hasEnded(clock, guest, END_MS);
  }

  // The count is written once the machine was reset: whoever is cut off before resets it again.
  private async rebootNow(place: GuestPlace, bootCount: number): Promise<void> {
    const record = readRecord(place);
    const guest = this.running(place);
    if (!record) throw refuse("unavailable", `nothing is known of guest ${place.instanceId}`);
    const reset = async (qmp: Qmp) => {
      await qmp.execute("system_reset");
      await qmp.event("RESET");
    };
    await writeRecord(place, { ...record, bootCount }, () => this.ask(guest, reset));
    await rm(place.stopping, { force: true });
  }

  /** Throws `unavailable` when it does not run. */
  private running({ instanceId }: GuestPlace): GuestProcess {
    const guest = findGuests(this.options.guestsDir).get(instanceId);
    if (guest) return guest;
    throw refuse("unavailable", `guest ${instanceId} does not run`);
  }

  private ask<T>({ place, uid }: GuestProcess, work: (qmp: Qmp) => Promise<T>): Promise<T> {
    const { clock } = this.options;
    return withQmp({ socket: place.control, owner: uid, clock, deadlineMs: QMP_MS }, work);
  }

  private place(instanceId: string): GuestPlace {
    return guestPlace(this.options.guestsDir, instanceId);
  }
}
