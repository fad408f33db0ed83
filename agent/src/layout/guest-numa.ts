// How a guest's CPUs and memory are divided among its NUMA nodes. Arithmetic only.
import type { Layout } from "../model.js";

export interface GuestNode {
  /** NUMA node of the guest, from 0. */
  readonly node: number;
  /** The host's, that its memory and CPUs are to come from; -1 when unknown. */
  readonly hostNuma: number;
  readonly firstCpu: number;
  readonly cpuCount: number;
  readonly memoryMib: number;
}

/**
 * One node for each NUMA node of the host that a device of the guest sits on, at least one; what
 * cannot be divided evenly goes to the first ones.
 */
export function guestNodes(
  { expanders }: Layout,
  { vcpu, memoryMib }: { readonly vcpu: number; readonly memoryMib: number },
): readonly GuestNode[] {
  const known = expanders.filter((e) => e.guestNuma >= 0).map((e) => e.numa);
  const hosts = known.length === 0 ? [-1] : known;
  let firstCpu = 0;
  return hosts.map((hostNuma, node) => {
    const cpuCount = share(vcpu, hosts.length, node);
    const memory = share(memoryMib, hosts.length, node);
    const mine = { node, hostNuma, firstCpu, cpuCount, memoryMib: memory };
    firstCpu += cpuCount;
    return mine;
  });
}

function share(total: number, parts: number, index: number): number {
  return Math.floor(total / parts) + (index < total % parts ? 1 : 0);
}
