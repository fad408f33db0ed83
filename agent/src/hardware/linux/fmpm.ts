// Reads and sets the partitions of the NVSwitches through fmpm, the partition manager that NVIDIA
// publishes for its Fabric Manager (github.com/NVIDIA/Fabric-Manager-Client). Knows the tool's
// options and its JSON, not which GPUs belong together, nor who has them.
import { invalidField, refuse } from "@railyard/lib/errors";
import type { PartitionReading } from "../hardware.js";
import type { Outside } from "./outside.js";

/** `FM_MAX_FABRIC_PARTITIONS` and `FM_MAX_NUM_GPUS` of nv_fm_types.h. */
const PARTITIONS_MAX = 64;
const GPUS_MAX = 16;
/** As NVIDIA's management library writes it: eight digits of domain. */
const BUS_ID = /^(?:0{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/;
/** What it says of a GPU that a guest has. */
const UNSEEN = "0000:00:00.0";

/** All partitions in id order. Errors: see `Hardware`. */
export async function readPartitions(
  outside: Outside,
  deadlineMs: number,
): Promise<readonly PartitionReading[]> {
  return parsePartitions(await outside.exec("fmpm", ["-l"], deadlineMs));
}

/**
 * Activates or deactivates one partition. Errors: see `Hardware`.
 *
 * The caller keeps the order of NVIDIA's Fabric Manager user guide
 * (docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide): activated before its guest starts
 * ("Starting a Guest Virtual Machine"); deactivated once the guest has shut down, never while one
 * runs on its GPUs ("Deactivating the Partition"); GPUs reset once both are done ("GPU Reset").
 * QEMU resets a GPU once more as it opens it: boards from HGX H100 on train their links anew by
 * themselves then, older ones would stay without (README of github.com/NVIDIA/libvirt-hooks).
 */
export async function setPartition(
  outside: Outside,
  { id, deadlineMs }: { readonly id: number; readonly deadlineMs: number },
  active: boolean,
): Promise<void> {
  if (!isNumber(id, PARTITIONS_MAX - 1)) throw invalidField("partition", "is not a partition id");
  await outside.exec("fmpm", [active ? "-a" : "-d", String(id)], deadlineMs);
}

/** Reads what `fmpm -l` prints. Throws `unavailable` for anything but whole partitions. */
export function parsePartitions(text: string): readonly PartitionReading[] {
  const list = record(parseJson(text)).partitionInfo;
  if (!Array.isArray(list) || list.length > PARTITIONS_MAX) throw strange();
  const partitions = list.map(partitionIn).sort((a, b) => a.id - b.id);
  if (new Set(partitions.map(({ id }) => id)).size < partitions.length) throw strange();
  return partitions;
}

function partitionIn(entry: unknown): PartitionReading {
  const { partitionId: id, isActive, numGpus, gpuInfo } = record(entry);
  if (!isNumber(id, PARTITIONS_MAX - 1) || !isNumber(Number(isActive), 1)) throw strange();
  if (!Array.isArray(gpuInfo) || gpuInfo.length !== numGpus) throw strange();
  return { id, active: Number(isActive) === 1, gpus: gpuInfo.map(gpuIn) };
}

function gpuIn(entry: unknown): PartitionReading["gpus"][number] {
  const { physicalId, pciBusId } = record(entry);
  // It counts modules from 1.
  if (!isNumber(physicalId, GPUS_MAX) || physicalId === 0) throw strange();
  const address = BUS_ID.exec(String(pciBusId).toLowerCase())?.[1] ?? UNSEEN;
  return { module: physicalId - 1, pciAddress: address === UNSEEN ? "" : address };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw strange();
  }
}

function strange() {
  return refuse("unavailable", "fmpm -l did not answer with partitions");
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function isNumber(value: unknown, max: number): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= max;
}
