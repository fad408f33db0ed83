// Whether a machine is what was declared: each difference is typed and names the rail it spoils, or
// the whole node. The rail of a NIC is what its cables say; the declaration is the expectation.
import type { Mismatch, Node, NodeInventory, RailPair } from "./node.js";
import type { HardwareKind, Rail } from "./physical-cluster.js";

export interface Declaration {
  readonly serial: string;
  readonly hardware: HardwareKind;
  /** Rails of the node's leaf group. */
  readonly rails: readonly Rail[];
  readonly cabling: Node["cabling"];
}

export interface Seen {
  readonly serial: string;
  readonly inventory: NodeInventory;
}

export interface Judgement {
  readonly mismatches: readonly Mismatch[];
  /** Pairs in rail order; unhealthy where their rail is spoiled. */
  readonly pairs: readonly RailPair[];
}

type Nic = NodeInventory["nics"][number];

/** The agents' word for a function that is not alone in its IOMMU group. */
const SHARED_GROUP = "iommu-group-shared";

/** A NIC with the rail its cables say and what is wrong with it. */
interface RailNic {
  readonly nic: Nic;
  readonly rail: number;
  readonly mismatches: readonly Mismatch[];
}

/**
 * Compares a machine with its declaration. NIC k, in order of PCI address, is expected on rail k,
 * its port j on the rail's j-th leaf, unless `cabling` says otherwise.
 */
export function judge(declared: Declaration, seen: Seen): Judgement {
  const { inventory } = seen;
  const nics = [...inventory.nics]
    .sort((a, b) => compare(a.pciAddress, b.pciAddress))
    .map((nic, index) => judgeNic(declared, nic, index));
  const pairs = nics.flatMap(({ nic, rail, mismatches }): RailPair[] => {
    const pair = inventory.pairs.find((p) => p.nic === nic.deviceId);
    if (!pair) return [];
    const twice = nics.some((other) => other.nic !== nic && other.rail === rail);
    const fits = rightGpu(declared, inventory, pair.gpu);
    const apart = sharedGroups(declared, inventory, pair).length === 0;
    const healthy = mismatches.length === 0 && !twice && fits && apart;
    return [{ rail, gpu: pair.gpu, nic: nic.deviceId, healthy }];
  });
  pairs.sort((a, b) => a.rail - b.rail || compare(a.nic, b.nic));
  const mismatches = [
    ...wholeNode(declared, seen),
    ...nics.flatMap((nic) => nic.mismatches),
    ...gpuMismatches(declared, inventory, pairs),
    ...unpaired(nics, inventory),
    ...pairs.flatMap((pair) => groupMismatches(declared, inventory, pair)),
  ];
  return { mismatches, pairs };
}

/** Of a machine that runs no instances: only which machine it is matters. */
export function judgeSerial(
  { serial }: Pick<Declaration, "serial">,
  seen: Pick<Seen, "serial">,
): Judgement {
  const mismatch = {
    kind: "serial",
    rail: undefined,
    expected: serial,
    seen: seen.serial,
  } as const;
  return { mismatches: seen.serial === serial ? [] : [mismatch], pairs: [] };
}

/** Whether a mismatch spoils the whole node and not just one rail. */
export function spoilsNode({ rail }: Mismatch): boolean {
  return rail === undefined;
}

function wholeNode({ serial, hardware }: Declaration, seen: Seen): readonly Mismatch[] {
  const { inventory } = seen;
  const out: Mismatch[] = [];
  const differ = (kind: Mismatch["kind"], expected: string | number, found: string | number) =>
    out.push({ kind, rail: undefined, expected: String(expected), seen: String(found) });
  const { gpus, nics, vcpu, diskGib } = hardware;
  const memoryMib = hardware.memoryGib * 1024;
  if (seen.serial !== serial) differ("serial", serial, seen.serial);
  if (inventory.gpus.length !== gpus.count) differ("gpu-count", gpus.count, inventory.gpus.length);
  if (inventory.nics.length !== nics.count) differ("nic-count", nics.count, inventory.nics.length);
  if (inventory.vcpu < vcpu) differ("vcpu", vcpu, inventory.vcpu);
  if (inventory.memoryMib < memoryMib) differ("memory", memoryMib, inventory.memoryMib);
  if (inventory.diskGib < diskGib) differ("disk", diskGib, inventory.diskGib);
  return out;
}

function judgeNic(declared: Declaration, nic: Nic, index: number): RailNic {
  const wiring = wiringOf(declared, nic, index);
  const rail = wiring.rail ?? index;
  const { pci, vfs, speedGbps } = declared.hardware.nics;
  const out = wiring.faults.map((fault) => ({ ...fault, rail }));
  const differ = (kind: Mismatch["kind"], expected: string | number, found: string | number) =>
    out.push({ kind, rail, expected: String(expected), seen: String(found) });
  if (nic.pciId !== pci) differ("nic-device", pci, nic.pciId);
  if (nic.vfsMax < vfs) differ("nic-vfs", vfs, nic.vfsMax);
  // A link that is down has no speed; its wiring tells already.
  if (nic.speedGbps !== 0 && nic.speedGbps !== speedGbps) {
    differ("nic-speed", speedGbps, nic.speedGbps);
  }
  return { nic, rail, mismatches: out };
}

interface Wiring {
  /** The rail that all known neighbours agree on. */
  readonly rail: number | undefined;
  readonly faults: readonly Omit<Mismatch, "rail">[];
}

function wiringOf(declared: Declaration, nic: Nic, index: number): Wiring {
  const faults: Omit<Mismatch, "rail">[] = [];
  const rails = new Set<number>();
  for (let port = 0; port < declared.hardware.nics.ports; port++) {
    const expected = expectedLeaf(declared, index, port);
    const found = nic.ports.find((p) => p.port === port);
    const seen = found?.up ? found.neighbour : "";
    const rail = declared.rails.find(({ leaves }) => leaves.includes(seen))?.rail;
    if (rail !== undefined) rails.add(rail);
    if (seen === expected) continue;
    const kind = wiringKind(seen, rail);
    faults.push({ kind, expected: `port ${port}: ${expected}`, seen: `port ${port}: ${seen}` });
  }
  const [only] = rails;
  return { rail: rails.size === 1 ? only : undefined, faults };
}

function wiringKind(seen: string, rail: number | undefined): Mismatch["kind"] {
  if (seen === "") return "wiring-missing";
  return rail === undefined ? "wiring-unknown" : "wiring-swapped";
}

function expectedLeaf({ cabling, rails }: Declaration, index: number, port: number): string {
  const exception = cabling.find((c) => c.rail === index && c.port === port);
  return exception?.leaf ?? rails.find(({ rail }) => rail === index)?.leaves[port] ?? "";
}

function rightGpu({ hardware }: Declaration, inventory: NodeInventory, gpu: string): boolean {
  return inventory.gpus.some((g) => g.deviceId === gpu && g.pciId === hardware.gpus.pci);
}

function gpuMismatches(
  { hardware }: Declaration,
  inventory: NodeInventory,
  pairs: readonly RailPair[],
): readonly Mismatch[] {
  return inventory.gpus
    .filter(({ pciId }) => pciId !== hardware.gpus.pci)
    .map(({ deviceId, pciId }) => {
      const rail = pairs.find(({ gpu }) => gpu === deviceId)?.rail;
      return { kind: "gpu-device", rail, expected: hardware.gpus.pci, seen: pciId };
    });
}

/** What the machine says of IOMMU groups that are not a device's own, where each must be. */
function sharedGroups(
  { hardware }: Declaration,
  { warnings }: NodeInventory,
  { gpu, nic }: Pick<RailPair, "gpu" | "nic">,
): readonly string[] {
  if (hardware.iommu === "shared") return [];
  return warnings
    .filter(({ kind, deviceId }) => kind === SHARED_GROUP && [gpu, nic].includes(deviceId))
    .map(({ message }) => message);
}

function groupMismatches(
  declared: Declaration,
  inventory: NodeInventory,
  pair: RailPair,
): readonly Mismatch[] {
  return sharedGroups(declared, inventory, pair).map((seen) => {
    return { kind: "iommu", rail: pair.rail, expected: "a group for each function", seen };
  });
}

function unpaired(nics: readonly RailNic[], inventory: NodeInventory): readonly Mismatch[] {
  return nics
    .filter(({ nic }) => !inventory.pairs.some((pair) => pair.nic === nic.deviceId))
    .map(({ nic, rail }) => {
      const expected = "a GPU below the same PCIe switch";
      return { kind: "pairing", rail, expected, seen: `${nic.deviceId} alone` };
    });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
