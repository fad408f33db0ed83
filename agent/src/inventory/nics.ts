// Finds the cluster NICs of a machine: network functions that can have VFs, each under a name that
// stays with the card, and grouped into boards. Pure; it must not know what a NIC is paired with.
import type {
  MachineFacts,
  NetInterface,
  PciFunction,
  RdmaDevice,
  RdmaPort,
} from "../hardware/hardware.js";
import type { InventoryWarning, Nic, Port } from "../model.js";
import { highBytes, linkedDeviceOf, realSerial } from "./devices.js";
import { warning } from "./warnings.js";

const CLASS_ETHERNET = "0200";
const CLASS_INFINIBAND = "0207";
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** What is known of one NIC beside its function. */
interface Seen {
  readonly netdev: NetInterface | undefined;
  readonly rdma: RdmaDevice | undefined;
  readonly board: string;
}

interface Named {
  readonly deviceId: string;
  readonly problem: { readonly kind: string; readonly key: string } | undefined;
}

/** The NICs in the facts' order, and what is wrong with what they tell of themselves. */
export function findNics(facts: MachineFacts): {
  readonly nics: readonly Nic[];
  readonly warnings: readonly InventoryWarning[];
} {
  const functions = facts.functions.filter(isNic);
  const netdevs = new Map(facts.interfaces.map((one) => [one.pciAddress, one]));
  const rdma = new Map(facts.rdma.map((one) => [one.pciAddress, one]));
  const keys = functions.map((fn) => keyOf(fn, netdevs.get(fn.address), rdma.get(fn.address)));
  const boards = readBoards(functions, facts);
  const found = functions.map((fn, index) => {
    const named = nameOf(fn, keys[index] ?? "", keys);
    const seen = {
      netdev: netdevs.get(fn.address),
      rdma: rdma.get(fn.address),
      board: boards.of(fn.address),
    };
    return { named, nic: nicOf(fn, named.deviceId, seen) };
  });
  return {
    nics: found.map(({ nic }) => nic),
    warnings: [
      ...found.flatMap(({ named: { deviceId, problem } }) =>
        problem
          ? warning(problem.kind, deviceId, `named by slot, its address is "${problem.key}"`)
          : [],
      ),
      ...found.flatMap(({ nic }) => boards.doubts(nic)),
    ],
  };
}

function isNic({ classCode, pf, vfsMax }: PciFunction): boolean {
  const network = classCode.startsWith(CLASS_ETHERNET) || classCode.startsWith(CLASS_INFINIBAND);
  return network && pf === undefined && vfsMax > 0;
}

// What stays with the card wherever it is plugged in: the GUID of an InfiniBand port, else the
// permanent MAC.
function keyOf(
  fn: PciFunction,
  netdev: NetInterface | undefined,
  rdma: RdmaDevice | undefined,
): string {
  const port = rdma?.ports.find((one) => one.infiniband);
  const infiniband = fn.classCode.startsWith(CLASS_INFINIBAND) || port !== undefined;
  return infiniband ? (port?.guid ?? "") : (netdev?.permanentMac ?? "");
}

// Boards with unprogrammed memory show zeros, ones, a text, or all the same address.
function nameOf(fn: PciFunction, key: string, all: readonly string[]): Named {
  const guid = /^[0-9a-f]{16}$/.test(key);
  const group = (Number.parseInt(key.slice(0, 2), 16) & 1) === 1;
  const unset = key === "00:00:00:00:00:00" || (guid ? /^([0f])\1*$/.test(key) : group);
  const twice = all.filter((other) => other === key).length > 1;
  const byMac = guid || fn.classCode.startsWith(CLASS_ETHERNET);
  const kind = byMac && !guid ? "mac" : "guid";
  const problem = (!guid && !MAC.test(key)) || unset ? "placeholder" : twice ? "duplicate" : "";
  if (problem === "") return { deviceId: `nic-${key.replaceAll(":", "")}`, problem: undefined };
  return { deviceId: `nic-${fn.address}`, problem: { kind: `${problem}-${kind}`, key } };
}

function nicOf(fn: PciFunction, deviceId: string, { netdev, rdma, board }: Seen): Nic {
  const infiniband = rdma?.ports.filter((port) => port.infiniband) ?? [];
  const speedMbps =
    infiniband.length > 0
      ? infiniband.reduce((sum, port) => sum + port.speedMbps, 0)
      : (netdev?.speedMbps ?? 0);
  return {
    ...linkedDeviceOf(fn, deviceId),
    // An InfiniBand adapter's settings are below its RDMA device; it may have no interface at all.
    pfName: (infiniband.length > 0 ? rdma?.name : netdev?.name) ?? "",
    permanentMac: netdev?.permanentMac ?? "",
    speedGbps: Math.floor(speedMbps / 1000),
    vfsMax: fn.vfsMax,
    vfBarBytes: highBytes(fn.vfBars),
    rdma: rdma?.name ?? "",
    ...(netdev?.mtu !== undefined && infiniband.length === 0 && { mtu: netdev.mtu }),
    board,
    ports: infiniband.length > 0 ? infiniband.map(portOf) : (netdev?.ports ?? []),
  };
}

// RDMA counts ports from one.
function portOf({ port, neighbour, active }: RdmaPort): Port {
  return { port: port - 1, neighbour, up: active };
}

interface Boards {
  of(address: string): string;
  doubts(nic: Nic): readonly InventoryWarning[];
}

// Functions of one slot with one serial are one board. The same serial in two slots is a repeated
// one, which says nothing of either; neither does a placeholder.
function readBoards(functions: readonly PciFunction[], { boardSerials }: MachineFacts): Boards {
  const told = (address: string) => (boardSerials[address] ?? "").trim();
  const slotsBySerial = new Map<string, Set<string>>();
  for (const { address } of functions) {
    const slots = slotsBySerial.get(told(address)) ?? new Set();
    slotsBySerial.set(told(address), slots.add(slotOf(address)));
  }
  const repeated = (serial: string) => (slotsBySerial.get(serial)?.size ?? 0) > 1;
  return {
    of: (address) => {
      const serial = realSerial(told(address));
      return repeated(serial) ? "" : serial;
    },
    doubts: ({ deviceId, pciAddress }) => {
      const serial = told(pciAddress);
      if (serial === "") return [];
      const shown = `"${serial.slice(0, 40)}"`;
      if (realSerial(serial) === "") {
        return [warning("placeholder-serial", deviceId, `the board calls its serial ${shown}`)];
      }
      if (!repeated(serial)) return [];
      return [warning("duplicate-serial", deviceId, `a board in another slot says ${shown} too`)];
    },
  };
}

function slotOf(address: string): string {
  return address.slice(0, address.lastIndexOf("."));
}
