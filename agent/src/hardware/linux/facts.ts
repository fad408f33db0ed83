// Reads everything about a machine that decides, from many places at once, and remembers what does
// not change or must outlast a tool's bad moment. Which function is used for what is not its
// business.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import type { MachineFacts, Oddity, PciFunction, RdmaDevice } from "../hardware.js";
import { readLinkIdentity } from "./attributes.js";
import { busReader } from "./bus.js";
import { readPartitions } from "./fmpm.js";
import { readHost } from "./host.js";
import { readRdmaDevices } from "./infiniband.js";
import { showPermanentMac } from "./ip-link.js";
import {
  type Cables,
  readInfinibandNeighbours,
  readNeighbours,
  withNeighbours,
} from "./neighbours.js";
import { groupByFunction, NET, type Netdev, readNetdevs } from "./net.js";
import { readFabricManager } from "./nv-fabric.js";
import { isMissingTool, type Outside } from "./outside.js";
import { Overdue } from "./overdue.js";
import { readBoardSerial } from "./pcie.js";
import { PCI_DEVICES } from "./sysfs.js";

/** How long cables count as seen while nobody tells of them. */
const CABLES_KEPT_MS = 300_000;
/** How long a tool that failed to tell of cables is left alone. */
const CABLES_PAUSE_MS = 10_000;

/** The same for the tool that tells of partitions. */
const PARTITIONS_PAUSE_MS = 5_000;

/** Network controllers, Ethernet and InfiniBand. */
const CLASSES_NIC = ["0200", "0207"];

/** What reads the machine behind `outside`; `toolMs`: deadline of each tool and slow file. */
export function factsReader(
  outside: Outside,
  clock: Clock,
  toolMs: number,
): () => Promise<MachineFacts> {
  const { root } = outside;
  const readBus = busReader(root);
  const permanentMac = rememberMacs(outside, toolMs);
  const boardSerials = rememberBoards(outside, clock, toolMs);
  const ethernet = rememberCables(clock, () => readNeighbours(outside, toolMs));
  const infiniband = rememberCables(clock, (devices: readonly RdmaDevice[]) =>
    readInfinibandNeighbours(outside, devices, toolMs),
  );
  const partitions = pausingPartitions(outside, clock, toolMs);
  const networkAnswers = networkProbe(outside, clock, toolMs);
  return async () => {
    await networkAnswers();
    const { functions, oddities } = readBus();
    const physical = functions.filter((fn) => fn.pf === undefined);
    const wanted = new Set(physical.map((fn) => fn.address));
    const rdma = readRdmaDevices(root, wanted);
    const found = readNetdevs(root, wanted);
    const asked = found.netdevs.filter((dev) => !dev.macIsPermanent);
    const macs = Promise.all(
      asked.map(async (dev) => [dev.name, await permanentMac(dev)] as const),
    );
    const [cables, infinibandCables, serials, permanent, parted] = await Promise.all([
      ethernet(undefined),
      infiniband(rdma),
      boardSerials(physical.filter(isNic)),
      macs,
      readFabricManager(root) ? partitions() : NO_FABRIC_MANAGER,
    ]);
    return {
      ...readHost(root),
      functions,
      interfaces: groupByFunction(found.netdevs, cables, new Map(permanent)),
      rdma: rdma.map((device) => withNeighbours(device, infinibandCables)),
      boardSerials: serials,
      fabricManager: parted.fabricManager,
      ...(parted.partitions && { partitions: parted.partitions }),
      oddities: [...oddities, ...found.oddities, ...parted.oddities],
    };
  };
}

function isNic({ classCode, vfsMax }: PciFunction): boolean {
  return vfsMax > 0 && CLASSES_NIC.some((code) => classCode.startsWith(code));
}

/**
 * Some of what the kernel tells of interfaces waits for the lock (`rtnl`) that a driver may hold
 * for as long as its device does not answer, and whoever reads it waits, too: one is read aside
 * first, so that the agent goes on speaking. Every network namespace has this interface. Errors:
 * `deadline`.
 */
function networkProbe({ root }: Outside, clock: Clock, ms: number): () => Promise<void> {
  const overdue = new Overdue(clock);
  const path = join(root, NET, "lo/carrier");
  return async () => {
    // In a directory that only looks like a machine nobody holds a lock.
    if (!existsSync(path)) return;
    const limit = { ms, what: `the reading of ${path}` };
    await overdue.within(limit, () => readFile(path).catch(() => undefined));
  };
}

// Permanent addresses stay, so each is asked for once.
function rememberMacs(outside: Outside, deadlineMs: number): (dev: Netdev) => Promise<string> {
  const remember = whileInPlace(outside);
  return ({ name, pciAddress }) =>
    remember(name, pciAddress, () => showPermanentMac(outside, name, deadlineMs));
}

// A board keeps its serial.
function rememberBoards(
  outside: Outside,
  clock: Clock,
  deadlineMs: number,
): (nics: readonly PciFunction[]) => Promise<Readonly<Record<string, string>>> {
  const remember = whileInPlace(outside);
  return async (nics) => {
    const serials = nics.map(async ({ address }) => {
      const dir = join(outside.root, PCI_DEVICES, address);
      const read = () => readBoardSerial(clock, dir, deadlineMs);
      return [address, await remember(address, address, read)] as const;
    });
    return Object.fromEntries(await Promise.all(serials));
  };
}

/**
 * Remembers one text by name for as long as the function at `address` stays on the bus. One that
 * cannot be had now reads as empty and is asked for again with the next reading: a single function
 * must not keep the whole machine from being read.
 */
function whileInPlace({ root }: Outside) {
  const known = new Map<string, { readonly link: string | undefined; readonly text: string }>();
  return async (name: string, address: string, read: () => Promise<string>): Promise<string> => {
    const link = readLinkIdentity(join(root, PCI_DEVICES, address));
    const before = known.get(name);
    if (before !== undefined && before.link === link) return before.text;
    const text = await read().catch(() => "");
    if (text !== "") known.set(name, { link, text });
    return text;
  };
}

type Parted = Pick<MachineFacts, "fabricManager" | "partitions" | "oddities">;
const NO_FABRIC_MANAGER: Parted = { fabricManager: false, oddities: [] };
/** Nothing is known of partitions then and none can be set, as if nobody divided the NVSwitches. */
const NO_TOOL: Parted = {
  fabricManager: false,
  oddities: [
    {
      kind: "no-fmpm",
      pciAddress: "",
      message:
        "a Fabric Manager divides the NVSwitches, but fmpm, which speaks to it, is not " +
        "installed: only instances with all GPUs can run",
    },
  ],
};

// What was told last is nothing to go by: a partition may have been parted since. A tool that hangs
// must not do so with every reading.
function pausingPartitions(
  outside: Outside,
  clock: Clock,
  deadlineMs: number,
): () => Promise<Parted> {
  let failed: Oddity | undefined;
  let told = false;
  let pausedUntil = Number.NEGATIVE_INFINITY;
  return async () => {
    const unread = (why: Oddity) => ({ fabricManager: true, oddities: [why] });
    if (failed && clock.monotonic() < pausedUntil) return unread(failed);
    try {
      const read = await readPartitions(outside, deadlineMs);
      told = true;
      return { fabricManager: true, partitions: read, oddities: [] };
    } catch (thrown) {
      // Of one that was there and is gone, a partition may still be active.
      if (!told && isMissingTool(thrown, "fmpm")) return NO_TOOL;
      const { message } = asRailyardError(thrown);
      failed = { kind: "partitions-unread", pciAddress: "", message };
      pausedUntil = clock.monotonic() + PARTITIONS_PAUSE_MS;
      return unread(failed);
    }
  };
}

// A tool that fails once must not look like eight unplugged cables, so the last answer is kept for
// a while; one that fails for long must not look like cables in order.
function rememberCables<Asked>(
  clock: Clock,
  read: (asked: Asked) => Promise<Cables>,
): (asked: Asked) => Promise<Cables> {
  let last: Cables = new Map();
  let seenAt = clock.monotonic();
  let pausedUntil = Number.NEGATIVE_INFINITY;
  return async (asked) => {
    const now = clock.monotonic();
    if (now < pausedUntil) return last;
    try {
      last = await read(asked);
      seenAt = clock.monotonic();
    } catch {
      // Missing, hung or failing: what was seen last stands, and a later reading asks again.
      pausedUntil = clock.monotonic() + CABLES_PAUSE_MS;
      if (now - seenAt > CABLES_KEPT_MS) last = new Map();
    }
    return last;
  };
}
