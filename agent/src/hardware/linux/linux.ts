// The hardware contract over Linux: sysfs, iproute2, vfio, lldpd and whatever runs the guests, each
// with a deadline. The machine below may be real or made up; nothing here can tell.
import { type Clock, withDeadline } from "@railyard/lib/clock";
import type { Hardware, MachineFacts } from "../hardware.js";
import type { Guests } from "./guests.js";
import { readHost } from "./host.js";
import { setVf, showPermanentMac, showVfs } from "./ip-link.js";
import { readNeighbours } from "./neighbours.js";
import { groupByFunction, type Netdev, readNetdevs } from "./net.js";
import type { Outside } from "./outside.js";
import { setVfCount } from "./sriov.js";
import { readFunctions } from "./sysfs.js";
import { bindVfio, unbindVfio } from "./vfio.js";

const TOOL_DEADLINE_MS = 10_000;
/** Making VFs, resets and unbinding may each take seconds on real hardware. */
const DEVICE_DEADLINE_MS = 30_000;
const GUEST_DEADLINE_MS = 60_000;
/** How long cables count as seen while nobody tells of them. */
const NEIGHBOURS_KEPT_MS = 300_000;
/** How long a tool that failed to tell of cables is left alone. */
const NEIGHBOURS_PAUSE_MS = 10_000;

export interface LinuxOptions {
  readonly outside: Outside;
  readonly guests: Guests;
  readonly clock: Clock;
  readonly fake: boolean;
  /** Upper bound for every deadline, milliseconds; default none beside the built-in ones. */
  readonly deadlineMs?: number;
}

/** A machine under Linux. */
export function createLinuxHardware(options: LinuxOptions): Hardware {
  const { outside, guests, clock } = options;
  const within = (ms: number) => Math.min(ms, options.deadlineMs ?? ms);
  const toolMs = within(TOOL_DEADLINE_MS);
  const deviceMs = within(DEVICE_DEADLINE_MS);
  const guest = <T>(what: string, promise: Promise<T>) =>
    withDeadline(clock, { ms: within(GUEST_DEADLINE_MS), what }, promise);
  const neighbours = rememberNeighbours(outside, clock, toolMs);
  const permanentMac = rememberMacs(outside, toolMs);
  return {
    fake: options.fake,
    readFacts: async () => readFacts(outside.root, await neighbours(), permanentMac),
    setVfCount: (address, count) => setVfCount(outside, { address, deadlineMs: deviceMs }, count),
    configureVf: (pfName, vf, settings) =>
      setVf(outside, { pfName, vf, deadlineMs: toolMs }, settings),
    readVfs: (pfName) => showVfs(outside, pfName, toolMs),
    bindVfio: (address) => bindVfio(outside, address, deviceMs),
    unbindVfio: (address) => unbindVfio(outside, address, deviceMs),
    listGuests: () => guest("list of guests", guests.list()),
    startGuest: (spec) => guest(`start of guest ${spec.instanceId}`, guests.start(spec)),
    stopGuest: (id) => guest(`stop of guest ${id}`, guests.stop(id)),
    rebootGuest: (id, count) => guest(`reboot of guest ${id}`, guests.reboot(id, count)),
  };
}

async function readFacts(
  root: string,
  neighbours: ReadonlyMap<string, string>,
  permanentMac: (dev: Netdev) => Promise<string>,
): Promise<MachineFacts> {
  const functions = readFunctions(root);
  const physical = functions.filter((fn) => fn.pf === undefined).map((fn) => fn.address);
  const netdevs = readNetdevs(root, new Set(physical));
  const asked = netdevs.filter((dev) => !dev.macIsPermanent);
  const macs = new Map(
    await Promise.all(asked.map(async (dev) => [dev.name, await permanentMac(dev)] as const)),
  );
  return { ...readHost(root), functions, interfaces: groupByFunction(netdevs, neighbours, macs) };
}

// Permanent addresses stay, so each is asked for once. One that cannot be had reads as empty: a
// single interface must not keep the whole machine from being read.
function rememberMacs(outside: Outside, deadlineMs: number): (dev: Netdev) => Promise<string> {
  const known = new Map<string, string>();
  return async ({ name, pciAddress }) => {
    const key = `${pciAddress} ${name}`;
    const mac =
      known.get(key) ?? (await showPermanentMac(outside, name, deadlineMs).catch(() => ""));
    if (mac !== "") known.set(key, mac);
    return mac;
  };
}

// A tool that fails once must not look like eight unplugged cables, so the last answer is kept for
// a while; one that fails for long must not look like cables in order.
function rememberNeighbours(
  outside: Outside,
  clock: Clock,
  deadlineMs: number,
): () => Promise<ReadonlyMap<string, string>> {
  let last: ReadonlyMap<string, string> = new Map();
  let seenAt = clock.monotonic();
  let pausedUntil = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = clock.monotonic();
    if (now < pausedUntil) return last;
    try {
      last = await readNeighbours(outside, deadlineMs);
      seenAt = clock.monotonic();
    } catch {
      // Missing, hung or failing: what was seen last stands, and a later reading asks again.
      pausedUntil = clock.monotonic() + NEIGHBOURS_PAUSE_MS;
      if (now - seenAt > NEIGHBOURS_KEPT_MS) last = new Map();
    }
    return last;
  };
}
