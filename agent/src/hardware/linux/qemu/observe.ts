// Reads one guest back from what runs: counts and addresses from QEMU itself, and what only its
// command line tells from there. It decides nothing.
import { refuse } from "@railyard/lib/errors";
import type { GuestFunction, ObservedGuest } from "../../../model.js";
import { isPciAddress } from "../sysfs.js";
import { type DefinedFunction, readDefinition } from "./arguments.js";
import type { Qmp } from "./qmp.js";

/** A guest that does not run, or cannot be asked: what its arguments say. */
export function asDefined(args: readonly string[]): Omit<ObservedGuest, keyof Unasked> {
  const { vcpu, memoryMib, functions } = readDefinition(args);
  return { running: false, vcpu, memoryMib, functions: functions.map(plain).sort(byAddress) };
}

/** What neither QEMU nor its arguments know. */
export interface Unasked {
  readonly instanceId: string;
  readonly bootCount: number;
  readonly addresses: Readonly<Record<string, string>>;
}

/**
 * A guest as QEMU tells it. It runs once the firmware has numbered the buses of all functions:
 * before that they have no addresses, and the places in the tree stand for them. Throws
 * `unavailable` for answers without sense: somebody may have got to say what this QEMU says.
 */
export async function askGuest(
  qmp: Qmp,
  args: readonly string[],
): Promise<Omit<ObservedGuest, keyof Unasked>> {
  const said = {
    status: await qmp.execute("query-status"),
    cpus: await qmp.execute("query-cpus-fast"),
    memory: await qmp.execute("query-memory-size-summary"),
    buses: await qmp.execute("query-pci"),
  };
  try {
    return told(said as Said, args);
  } catch (cause) {
    throw refuse("unavailable", "qemu's answers make no sense", { cause });
  }
}

interface Said {
  readonly status: { readonly running?: boolean };
  readonly cpus: readonly unknown[];
  readonly memory: Memory;
  readonly buses: readonly Bus[];
}

function told(
  { status, cpus, memory, buses }: Said,
  args: readonly string[],
): Omit<ObservedGuest, keyof Unasked> {
  const { functions } = readDefinition(args);
  const seen = addressesIn(buses.flatMap((bus) => bus.devices));
  const found = functions.map((fn) => ({ fn, guestAddress: seen.get(fn.name) }));
  const numbered = found.every((f) => f.guestAddress !== undefined);
  return {
    running: status.running === true && numbered,
    vcpu: counted(cpus.length),
    memoryMib: counted(Math.floor(memory["base-memory"] / 1024 ** 2)),
    functions: found
      .map(({ fn, guestAddress }) =>
        numbered && guestAddress !== undefined ? { ...plain(fn), guestAddress } : plain(fn),
      )
      .sort(byAddress),
  };
}

/** Throws for what is no count: such a guest could not be told of. */
function counted(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw refuse("unavailable", "qemu counts in no numbers");
}

interface Memory {
  readonly "base-memory": number;
}

interface Bus {
  readonly devices: readonly PciDevice[];
}

interface PciDevice {
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
  readonly qdev_id: string;
  readonly pci_bridge?: { readonly devices?: readonly PciDevice[] };
}

/** Only of devices on a numbered bus: the functions of a guest are never on the root bus. */
function addressesIn(devices: readonly PciDevice[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const device of devices) {
    const { bus, slot } = device;
    const place = [bus, slot].map((n) => n.toString(16).padStart(2, "0")).join(":");
    const address = `0000:${place}.${device.function}`;
    if (bus > 0 && isPciAddress(address)) found.set(device.qdev_id, address);
    for (const [name, address] of addressesIn(device.pci_bridge?.devices ?? [])) {
      found.set(name, address);
    }
  }
  return found;
}

function plain({ guestAddress, hostAddress }: DefinedFunction): GuestFunction {
  return { guestAddress, hostAddress };
}

function byAddress(a: GuestFunction, b: GuestFunction): number {
  return a.guestAddress < b.guestAddress ? -1 : Number(a.guestAddress > b.guestAddress);
}
