// Reads what the machine is and how much of it there is: DMI serial, boot id, CPUs, memory, local
// disks. It decides nothing: a placeholder serial is passed on as it stands.
import { join } from "node:path";
import { readLink, readNames, readNumber, readText } from "./attributes.js";

const SECTOR_BYTES = 512;
const GIB = 1024 ** 3;

export interface HostFacts {
  readonly serial: string;
  readonly bootId: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

export function readHost(root: string): HostFacts {
  return {
    serial: readText(join(root, "/sys/class/dmi/id/product_serial")) ?? "",
    bootId: readText(join(root, "/proc/sys/kernel/random/boot_id")) ?? "",
    cpus: countCpus(readText(join(root, "/proc/cpuinfo")) ?? ""),
    memoryMib: memoryMib(readText(join(root, "/proc/meminfo")) ?? ""),
    diskGib: diskGib(root),
  };
}

function countCpus(cpuinfo: string): number {
  return cpuinfo.match(/^processor\s*:/gm)?.length ?? 0;
}

function memoryMib(meminfo: string): number {
  return Math.floor(Number(/^MemTotal:\s*(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) / 1024);
}

// Only whole disks that belong to a device: loop, RAM and mapped devices have no `device` link.
function diskGib(root: string): number {
  const block = join(root, "/sys/block");
  const sectors = readNames(block)
    .filter((name) => readLink(join(block, name, "device")) !== undefined)
    .filter((name) => readText(join(block, name, "removable")) !== "1")
    .reduce((sum, name) => sum + readNumber(join(block, name, "size"), 0), 0);
  return Math.floor((sectors * SECTOR_BYTES) / GIB);
}
