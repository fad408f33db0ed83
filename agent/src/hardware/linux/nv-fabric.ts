// Tells whether NVIDIA's Fabric Manager runs on the host and divides the NVSwitches among guests.
// It must not know which partitions there are.
import { join } from "node:path";
import { readText } from "./attributes.js";

const CONFIG = "/usr/share/nvidia/nvswitch/fabricmanager.cfg";
const PID = "/run/nvidia-fabricmanager/nv-fabricmanager.pid";
/** The kernel keeps fifteen characters of a process's name. */
const PROCESS = "nv-fabricmanager".slice(0, 15);
/** `FABRIC_MODE` 1: shared NVSwitch, where guests have GPUs only (Fabric Manager guide, 2.11). */
const SHARED = /^\s*FABRIC_MODE\s*=\s*1\s*$/m;

/** True when it is set up for partitions and its process lives. */
export function readFabricManager(root: string): boolean {
  const pid = readText(join(root, PID)) ?? "";
  if (!/^\d{1,10}$/.test(pid)) return false;
  if (readText(join(root, "/proc", pid, "comm")) !== PROCESS) return false;
  return SHARED.test(readText(join(root, CONFIG)) ?? "");
}
