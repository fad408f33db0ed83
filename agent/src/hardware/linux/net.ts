// Reads the network interfaces that belong to PCI functions. A function whose physical ports each
// have an interface (told apart by `dev_port`) is one entry, named after its first port.
import { join } from "node:path";
import type { NetInterface, Oddity } from "../hardware.js";
import { readLink, readLinkName, readNames, readNumber, readText } from "./attributes.js";
import { isPciAddress, quoted } from "./sysfs.js";

export const NET = "/sys/class/net";
/** What every tool takes as an interface name; the kernel itself allows nearly anything. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/;
/** `addr_assign_type` of an address that the hardware brought along. */
const ASSIGNED_BY_HARDWARE = "0";

/** One interface as the kernel shows it. */
export interface Netdev {
  readonly name: string;
  readonly pciAddress: string;
  readonly port: number;
  readonly mac: string;
  /** Whether `mac` is the one that the hardware brought along. */
  readonly macIsPermanent: boolean;
  readonly up: boolean;
  /** Mb/s; 0 while down. */
  readonly speedMbps: number;
  /** Bytes; 0 when it is not told. */
  readonly mtu: number;
}

/** The interfaces of the functions in `wanted`, and those whose names no tool may be given. */
export function readNetdevs(
  root: string,
  wanted: ReadonlySet<string>,
): { readonly netdevs: readonly Netdev[]; readonly oddities: readonly Oddity[] } {
  const oddities: Oddity[] = [];
  const netdevs = readNames(join(root, NET)).flatMap((name) => {
    const dir = join(root, NET, name);
    const target = readLink(dir);
    if (target === undefined) return [];
    const pciAddress = ownerOf(target, readLinkName(join(dir, "device")));
    if (!wanted.has(pciAddress) || isRepresentor(dir)) return [];
    if (!NAME.test(name)) {
      const message = `the interface name ${quoted(name)} is not used`;
      oddities.push({ kind: "strange-name", pciAddress, message });
      return [];
    }
    const up = readText(join(dir, "carrier")) === "1";
    return {
      name,
      pciAddress,
      port: readNumber(join(dir, "dev_port"), 0),
      mac: readText(join(dir, "address"))?.toLowerCase() ?? "",
      macIsPermanent: readText(join(dir, "addr_assign_type")) === ASSIGNED_BY_HARDWARE,
      up,
      speedMbps: up ? Math.max(0, readNumber(join(dir, "speed"), 0)) : 0,
      mtu: Math.max(0, readNumber(join(dir, "mtu"), 0)),
    };
  });
  return { netdevs, oddities };
}

// A virtio interface's own device is no PCI function, but stands below one.
function ownerOf(target: string, device: string): string {
  if (isPciAddress(device)) return device;
  return target.split("/").findLast(isPciAddress) ?? "";
}

// In switchdev mode the kernel shows an interface for each VF beside the real ports, all with the
// same device (Documentation/networking/representors.rst).
function isRepresentor(dir: string): boolean {
  return /(vf|sf)\d+$/.test(readText(join(dir, "phys_port_name")) ?? "");
}

/**
 * One entry per function, in address order. `neighbours`: switch name by interface name.
 * `permanentMacs`: by interface name, for those whose present address is not the permanent one.
 */
export function groupByFunction(
  netdevs: readonly Netdev[],
  neighbours: ReadonlyMap<string, string>,
  permanentMacs: ReadonlyMap<string, string>,
): readonly NetInterface[] {
  const byFunction = new Map<string, Netdev[]>();
  for (const dev of [...netdevs].sort((a, b) => a.port - b.port)) {
    byFunction.set(dev.pciAddress, [...(byFunction.get(dev.pciAddress) ?? []), dev]);
  }
  const addresses = [...byFunction.keys()].sort();
  return addresses.flatMap((pciAddress) => {
    const devs = byFunction.get(pciAddress) ?? [];
    const [first] = devs;
    if (first === undefined) return [];
    const mtu = Math.min(...devs.map((dev) => dev.mtu));
    return {
      name: first.name,
      pciAddress,
      permanentMac: first.macIsPermanent ? first.mac : (permanentMacs.get(first.name) ?? ""),
      speedMbps: devs.reduce((sum, dev) => sum + dev.speedMbps, 0),
      ...(mtu > 0 && { mtu }),
      ports: devs.map((dev) => ({
        port: dev.port,
        neighbour: neighbours.get(dev.name) ?? "",
        up: dev.up,
      })),
    };
  });
}
