// Pretends to be fmpm, the partition tool of NVIDIA's Fabric Manager, on a made-up machine: lists
// partitions by module and refuses what the real one does. As on a board, the modules follow no
// address order.
import { NVSWITCH_MODULES, NVSWITCH_PARTITIONS } from "@railyard/lib/nvswitch";
import { readFabricManager } from "../linux/nv-fabric.js";
import type { ToolOutcome } from "./ip-tool.js";
import { type Machine, partitionsPath, readIdentity, readJson, writeJson } from "./machine.js";
import { findModel } from "./models.js";
import { gpuAddress } from "./places.js";

/** GPUs by index, of the modules 1 to 8: an HGX H100 as NVIDIA's partitioning guide shows one. */
const BOARD = [4, 6, 5, 7, 0, 2, 1, 3];
// nv_fm_types.h
const [BAD_PARAMETER, UNINITIALIZED, IN_USE] = [-1, -4, -7];
const NVLINKS = 18;
const LINE_RATE_MBPS = 26_562;

/** Runs `fmpm -l`, `fmpm -a <id>` or `fmpm -d <id>`, the only calls it knows. */
export function runFmpm(machine: Machine, args: readonly string[]): ToolOutcome {
  if (!readFabricManager(machine.root)) {
    return { complaint: "Failed to connect to Fabric Manager instance." };
  }
  const all = partitionsIn(machine);
  const active = readJson<readonly number[]>(partitionsPath(machine)) ?? [];
  const [option = "", text = ""] = args;
  if (option === "-l") return { output: listing(all, active) };
  if (option !== "-a" && option !== "-d") return { complaint: "Invalid argument." };
  const [verb, id] = [option === "-a" ? "activate" : "deactivate", Number(text)];
  const wanted = all[id];
  const code = wanted === undefined ? BAD_PARAMETER : judge(option, { id, all, active });
  if (code !== 0) return { complaint: `Failed to ${verb} partition. fmReturn: ${code}` };
  const rest = active.filter((other) => other !== id);
  writeJson(partitionsPath(machine), option === "-a" ? [...rest, id] : rest);
  return { output: "" };
}

interface Call {
  readonly id: number;
  readonly all: readonly (readonly number[])[];
  readonly active: readonly number[];
}

// What is active already, or shares a GPU with what is, cannot be activated.
function judge(option: "-a" | "-d", { id, all, active }: Call): number {
  if (option === "-d") return active.includes(id) ? 0 : UNINITIALIZED;
  const overlaps = (other: number) => all[other]?.some((gpu) => all[id]?.includes(gpu));
  return active.some(overlaps) ? IN_USE : 0;
}

/** Indexes of GPUs, by partition id: all of them first. */
function partitionsIn(machine: Machine): readonly (readonly number[])[] {
  const identity = readIdentity(machine);
  const model = identity && findModel(identity.model);
  const count = model ? model.sockets * model.switchesPerSocket : 0;
  const whole = Array.from({ length: count }, (_, module) => module);
  const shares = count === NVSWITCH_MODULES ? NVSWITCH_PARTITIONS : whole.map((only) => [only]);
  return [whole, ...shares];
}

function listing(all: readonly (readonly number[])[], active: readonly number[]): string {
  const boarded = all[0]?.length === BOARD.length;
  const gpuInfo = (module: number) => ({
    physicalId: module + 1,
    uuid: "",
    pciBusId: `0000${gpuAddress(boarded ? (BOARD[module] ?? 0) : module).toUpperCase()}`,
    numNvLinksAvailable: NVLINKS,
    maxNumNvLinks: NVLINKS,
    nvlinkLineRateMBps: LINE_RATE_MBPS,
  });
  const partitionInfo = all.map((modules, partitionId) => ({
    partitionId,
    isActive: Number(active.includes(partitionId)),
    numGpus: modules.length,
    gpuInfo: modules.map(gpuInfo),
  }));
  const count = { numPartitions: all.length, maxNumPartitions: all.length };
  return JSON.stringify({ version: 1, ...count, partitionInfo }, undefined, 3);
}
