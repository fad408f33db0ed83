// Calms links that flap: a port that keeps going down counts as down until it has stayed up for a
// while, so that nobody is told of each turn. Decides on what it is given; knows no machine.
import type { Clock } from "@railyard/lib/clock";
import type { DeviceId, Inventory, InventoryWarning, Nic, Port } from "../model.js";
import { warning } from "./warnings.js";

/** So many times down within the window is flapping. */
const FLAPS = 3;
const WINDOW_MS = 300_000;
/** How long a flapping port must stay up to be believed. */
const CALM_MS = 60_000;

/** What is remembered of one port. */
interface PortPast {
  readonly up: boolean;
  /** When it last came up, milliseconds. */
  readonly upSince: number;
  /** When it went down, the latest `FLAPS` times. */
  readonly downs: readonly number[];
  /** Whether it flaps and has not been calm since. */
  readonly held: boolean;
}

/**
 * Remembers the links from one inventory to the next. Down is believed at once, up too, unless the
 * port flaps. Keeps an entry per port of the present inventory.
 */
export function steadyLinks(clock: Clock): (inventory: Inventory) => Inventory {
  let past: ReadonlyMap<string, PortPast> = new Map();
  return (inventory) => {
    const now = clock.monotonic();
    const next = new Map<string, PortPast>();
    for (const nic of inventory.nics) {
      for (const port of nic.ports) {
        const key = keyOf(nic.deviceId, port);
        next.set(key, step(past.get(key), port.up, now));
      }
    }
    past = next;
    const isHeld = (nic: Nic, port: Port) => next.get(keyOf(nic.deviceId, port))?.held === true;
    if (![...next.values()].some(({ held }) => held)) return inventory;
    return {
      ...inventory,
      nics: inventory.nics.map((nic) => calmed(nic, (port) => isHeld(nic, port))),
      warnings: [...inventory.warnings, ...inventory.nics.flatMap((nic) => flapping(nic, isHeld))],
    };
  };
}

function step(past: PortPast | undefined, up: boolean, now: number): PortPast {
  if (past === undefined) return { up, upSince: now, downs: [], held: false };
  const fell = past.up && !up;
  const downs = [...past.downs, ...(fell ? [now] : [])]
    .filter((at) => now - at < WINDOW_MS)
    .slice(-FLAPS);
  const upSince = up && !past.up ? now : past.upSince;
  const calm = up && now - upSince >= CALM_MS;
  return { up, upSince, downs, held: !calm && (past.held || downs.length >= FLAPS) };
}

// The ports of one NIC are equally fast.
function calmed(nic: Nic, isHeld: (port: Port) => boolean): Nic {
  const ports = nic.ports.map((port) => {
    return isHeld(port) ? { ...port, up: false, neighbour: "" } : port;
  });
  const upBefore = nic.ports.filter((port) => port.up).length;
  const share = upBefore === 0 ? 1 : ports.filter((port) => port.up).length / upBefore;
  return { ...nic, ports, speedGbps: Math.floor(nic.speedGbps * share) };
}

function flapping(
  nic: Nic,
  isHeld: (nic: Nic, port: Port) => boolean,
): readonly InventoryWarning[] {
  const held = nic.ports.filter((port) => isHeld(nic, port)).map(({ port }) => port);
  if (held.length === 0) return [];
  const text = `the link of port ${held.join(" and ")} flaps: it counts as down until it is calm`;
  return [warning("link-flapping", nic.deviceId, text)];
}

function keyOf(nic: DeviceId, { port }: Port): string {
  return `${nic} ${port}`;
}
