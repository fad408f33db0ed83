// The hardware contract over Linux: sysfs, iproute2, vfio, lldpd and whatever runs the guests, each
// with a deadline. The machine below may be real or made up; nothing here can tell.
import { type Clock, withDeadline } from "@railyard/lib/clock";
import type { Hardware } from "../hardware.js";
import { factsReader } from "./facts.js";
import { setPartition } from "./fmpm.js";
import type { Guests } from "./guests.js";
import { isInfinibandPf, readGuids, setGuids } from "./ib-vf.js";
import { setVf, vfsShower } from "./ip-link.js";
import type { Outside } from "./outside.js";
import { setVfCount } from "./sriov.js";
import { bindVfio, type IommuRule, unbindVfio } from "./vfio.js";

const TOOL_DEADLINE_MS = 10_000;
/** Making VFs, resets and unbinding may each take seconds on real hardware. */
const DEVICE_DEADLINE_MS = 30_000;
const GUEST_DEADLINE_MS = 60_000;

export interface LinuxOptions {
  readonly outside: Outside;
  readonly guests: Guests;
  readonly clock: Clock;
  readonly fake: boolean;
  /** Default `strict`. */
  readonly iommu?: IommuRule;
  /** Upper bound for every deadline, milliseconds; default none beside the built-in ones. */
  readonly deadlineMs?: number;
}

/** A machine under Linux. */
export function createLinuxHardware(options: LinuxOptions): Hardware {
  const { outside, guests, clock, iommu = "strict" } = options;
  const within = (ms: number) => Math.min(ms, options.deadlineMs ?? ms);
  const toolMs = within(TOOL_DEADLINE_MS);
  const deviceMs = within(DEVICE_DEADLINE_MS);
  const guest = <T>(what: string, promise: Promise<T>) =>
    withDeadline(clock, { ms: within(GUEST_DEADLINE_MS), what }, promise);
  const showVfs = vfsShower(outside, toolMs);
  return {
    fake: options.fake,
    readFacts: factsReader(outside, clock, toolMs),
    setVfCount: (address, count) => setVfCount(outside, { address, deadlineMs: deviceMs }, count),
    configureVf: (pfName, vf, settings) => {
      const set = isInfinibandPf(outside.root, pfName) ? setGuids : setVf;
      return set(outside, { pfName, vf, deadlineMs: toolMs }, settings);
    },
    readVfs: async (pfName) =>
      isInfinibandPf(outside.root, pfName) ? readGuids(outside.root, pfName) : showVfs(pfName),
    bindVfio: (address) => bindVfio(outside, address, { deadlineMs: deviceMs, iommu }),
    unbindVfio: (address) => unbindVfio(outside, address, deviceMs),
    setPartition: (id, active) => setPartition(outside, { id, deadlineMs: deviceMs }, active),
    listGuests: () => guest("list of guests", guests.list()),
    async startGuest(spec) {
      const givenUp = new AbortController();
      const starting = guests.start(spec, givenUp.signal);
      try {
        await guest(`start of guest ${spec.instanceId}`, starting);
      } finally {
        givenUp.abort();
      }
    },
    stopGuest: (id) => guest(`stop of guest ${id}`, guests.stop(id)),
    rebootGuest: (id, count) => guest(`reboot of guest ${id}`, guests.reboot(id, count)),
    guestConsole: (id) => guests.console(id),
  };
}
