// Reads the whole machine once, through the hardware contract. What cannot be read is told as a
// problem, so that nobody takes silence for absence. It decides nothing.
import { asRailyardError, refuse } from "@railyard/lib/errors";
import type { Hardware, MachineFacts, PciFunction } from "../hardware/hardware.js";
import type { ObservedVf } from "../model/observed-vf.js";
import type {
  Device,
  Inventory,
  Nic,
  Observed,
  ObservedDevice,
  ObservedGuest,
  ObservedPartition,
  ObserveProblem,
  RememberedPartitions,
} from "../model.js";
import { NVSWITCHES } from "./diff/partitions.js";

export interface Reading {
  readonly inventory: Inventory;
  readonly observed: Observed;
}

/** Makes the inventory of what sysfs shows. */
export type ReadInventory = (facts: MachineFacts) => Inventory;

/** What a look need not find out. */
export interface Known {
  /** What had a problem is not asked again, and its problem stands. */
  readonly problems?: readonly ObserveProblem[];
  readonly partitions?: RememberedPartitions | undefined;
}

/** One look. Throws what `readFacts` throws; everything narrower is a problem of the reading. */
export async function observe(
  hardware: Hardware,
  readInventory: ReadInventory,
  { problems: before = [], partitions: known }: Known = {},
): Promise<Reading> {
  const facts = await hardware.readFacts();
  const inventory = readInventory(facts);
  const remembered = known?.bootId === facts.bootId ? known : NOTHING;
  const functions = new Map(facts.functions.map((f) => [f.address, f]));
  const problems: ObserveProblem[] = [...before];
  const read = async <T>(
    deviceId: ObserveProblem["deviceId"],
    look: () => Promise<readonly T[]>,
  ): Promise<readonly T[]> => {
    if (before.some((p) => p.deviceId === deviceId)) return [];
    try {
      return await look();
    } catch (thrown) {
      problems.push({ deviceId, message: asRailyardError(thrown).message });
      return [];
    }
  };
  const [guests, ...vfs] = await Promise.all([
    read("", () => hardware.listGuests()),
    ...inventory.nics.map((nic) => read(nic.deviceId, () => readNic(hardware, nic, functions))),
  ]);
  const told = await read(NVSWITCHES, async () => partitionsOf(facts, inventory, remembered));
  const isUnread = problems.some((p) => p.deviceId === NVSWITCHES);
  const partitions = isUnread ? possible(remembered, inventory, guests) : told;
  const bound = ({ deviceId, pciAddress }: Device): ObservedDevice => ({
    deviceId,
    pciAddress,
    driver: functions.get(pciAddress)?.driver ?? "",
    iommuGroup: functions.get(pciAddress)?.iommuGroup ?? "",
  });
  const [gpus, nvSwitches] = [inventory.gpus.map(bound), inventory.nvSwitches.map(bound)];
  const devices = { vfs: vfs.flat(), gpus, nvSwitches, partitions };
  return { inventory, observed: { ...devices, guests, problems } };
}

async function readNic(
  hardware: Hardware,
  nic: Nic,
  functions: ReadonlyMap<string, PciFunction>,
): Promise<ObservedVf[]> {
  const addresses = functions.get(nic.pciAddress)?.vfs ?? [];
  if (addresses.length === 0) return [];
  const readings = new Map((await hardware.readVfs(nic.pfName)).map((r) => [r.vf, r]));
  return addresses.map((pciAddress, vf) => {
    const reading = readings.get(vf);
    if (!reading) throw refuse("unavailable", `${nic.deviceId} did not tell of its vf ${vf}`);
    const { driver = "", iommuGroup = "" } = functions.get(pciAddress) ?? {};
    return { nic: nic.deviceId, pciAddress, driver, iommuGroup, ...reading };
  });
}

type Remembered = Pick<RememberedPartitions, "partitions" | "lost">;
const NOTHING: Remembered = { partitions: [] };

/** What may be active: of what was lost, a partition of all GPUs stands for each that there is. */
function possible(
  { partitions, lost }: Remembered,
  { gpus, nvSwitches }: Inventory,
  guests: readonly ObservedGuest[],
): ObservedPartition[] {
  if (!lost) return partitions.map((one) => ({ ...one, active: true }));
  // A guest that has the NVSwitches themselves divides them as it likes.
  const given = new Set(guests.flatMap((g) => g.functions.map((f) => f.hostAddress)));
  if (nvSwitches.some(({ pciAddress }) => given.has(pciAddress))) return [];
  return [{ id: 0, gpus: gpus.map(({ deviceId }) => deviceId).sort(), active: true }];
}

/**
 * Throws `unavailable` when they could not be read, or an active one is of nobody knows whom. A
 * Fabric Manager that is gone, or its tool, takes no partition with it.
 */
function partitionsOf(
  facts: MachineFacts,
  { partitions, nvSwitches }: Inventory,
  remembered: Remembered,
): ObservedPartition[] {
  if (!facts.fabricManager) {
    const ids = remembered.partitions.map(({ id }) => String(id));
    if (remembered.lost && nvSwitches.length > 0) ids.push("any, as what was remembered is lost,");
    if (ids.length === 0) return [];
    const asked = "no Fabric Manager can be asked about NVSwitch partitions";
    throw refuse("unavailable", `${asked}, and ${ids.join(", ")} may be active`);
  }
  if (!facts.partitions || !partitions) {
    throw refuse("unavailable", "the NVSwitch partitions could not be read");
  }
  const active = new Set(facts.partitions.filter((p) => p.active).map(({ id }) => id));
  const unknown = partitions.find(({ id, gpus }) => active.has(id) && gpus.includes(""));
  if (!unknown) return partitions.map((one) => ({ ...one, active: active.has(one.id) }));
  throw refuse("unavailable", `it is not known which GPUs the active partition ${unknown.id} has`);
}
