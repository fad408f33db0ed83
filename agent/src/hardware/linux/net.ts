// Reads the network interfaces that belong to PCI functions. A function whose physical ports each
// have an interface (told apart by `dev_port`) is one entry, named after its first port.
import { join } from "node:path";
import type { NetInterface } from "../hardware.js";
import { readLink, readLinkName, readNames, readNumber, readText } from "./attributes.js";
import { isPciAddress } from "./sysfs.js";

const NET = "/sys/class/net";
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
}

/** The interfaces of the functions in `wanted`. */
export function readNetdevs(root: string, wanted: ReadonlySet<string>): readonly Netdev[] {
  return readNames(join(root, NET)).flatMap((name) => {
    const dir = join(root, NET, name);
    if (readLink(dir) === undefined) return [];
    const pciAddress = readLinkName(join(dir, "device"));
    if (!isPciAddress(pciAddress) || !wanted.has(pciAddress)) return [];
    const up = readText(join(dir, "carrier")) === "1";
    return {
      name,
      pciAddress,
      port: readNumber(join(dir, "dev_port"), 0),
      mac: readText(join(dir, "address"))?.toLowerCase() ?? "",
      macIsPermanent: readText(join(dir, "addr_assign_type")) === ASSIGNED_BY_HARDWARE,
      up,
      speedMbps: up ? Math.max(0, readNumber(join(dir, "speed"), 0)) : 0,
    };
  });
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
    return {
      name: first.name,
      pciAddress,
      permanentMac: first.macIsPermanent ? first.mac : (permanentMacs.get(first.name) ?? ""),
      speedMbps: devs.reduce((sum, dev) => sum + dev.speedMbps, 0),
      ports: devs.map((dev) => ({
        port: dev.port,
        neighbour: neighbours.get(dev.name) ?? "",
        up: dev.up,
      })),
    };
  });
}
