// On which processors of the host a guest runs: those of the NUMA nodes that its devices sit on,
// where its memory is, too. Reads what the kernel tells of them; it starts nothing.
import { join } from "node:path";
import type { Layout } from "../../../model.js";
import { readText } from "../attributes.js";

const NODES = "/sys/devices/system/node";
/** The kernel's list format, cpuset(7): numbers and ranges. */
const LIST = /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/;

/**
 * A list of processors in the kernel's format; undefined where the guest may run on any: no device
 * of it has a known NUMA node, the kernel does not tell a node's processors, or they are fewer than
 * the guest's.
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
  if (lists.length === 0 || !lists.every((list) => LIST.test(list))) return undefined;
  const all = lists.join(",");
  return countOf(all) < vcpu ? undefined : all;
}

function countOf(list: string): number {
  return list.split(",").reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}
