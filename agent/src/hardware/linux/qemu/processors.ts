// On which processors of the host a guest runs: those of the NUMA nodes that its devices sit on,
// where its memory is, too. Reads what the kernel tells of them; it starts nothing.
import { join } from "node:path";
import type { Layout } from "../../../model.js";
import { readText } from "../attributes.js";

const NODES = "/sys/devices/system/node";
/** Processors that units, or all in a container, may have: cpuset(7), the kernel's cgroup-v2. */
const CPUSETS = [
  "/sys/fs/cgroup/system.slice/cpuset.cpus.effective",
  "/sys/fs/cgroup/cpuset.cpus.effective",
  "/sys/fs/cgroup/cpuset/cpuset.effective_cpus",
];
/** The kernel's list format, cpuset(7): numbers and ranges. */
const LIST = /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/;

/**
 * A list of processors in the kernel's format; undefined where the guest may run on any: no device
 * of it has a known NUMA node, the kernel does not tell a node's processors, or those of them that
 * guests may have at all are fewer than the guest's.
 */
export function processorsFor(
  root: string,
  { layout, vcpu }: { readonly layout?: Layout | undefined; readonly vcpu: number },
): string | undefined {
  const numbers = (layout?.expanders ?? []).map(({ numa }) => numa).filter((numa) => numa >= 0);
  const lists = [...new Set(numbers)]
    .sort((a, b) => a - b)
    .map((numa) => {
      return readText(join(root, NODES, `node${numa}`, "cpulist")) ?? "";
    });
  if (lists.length === 0 || !lists.every(isList)) return undefined;
  const all = lists.join(",");
  const allowed = CPUSETS.map((path) => readText(join(root, path)) ?? "").find(isList);
  const within = new Set(numbersIn(allowed ?? all));
  const usable = numbersIn(all).filter((number) => within.has(number));
  return usable.length < vcpu ? undefined : all;
}

function isList(text: string): boolean {
  return LIST.test(text);
}

function numbersIn(list: string): readonly number[] {
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  });
}
