// Partitions of an InfiniBand fabric: who should be in which, and what the ports' own tables mean
// for the instances behind them. Pure; it must not know who reads the tables.
import { type Guid, guidOf } from "@railyard/lib/guid";

/** Who may speak in one partition. */
export interface DesiredPartition {
  readonly pkey: number;
  /** Ascending. */
  readonly members: readonly Guid[];
}

/** One partition as its fabric node read it back. */
export interface PartitionObservation {
  readonly pkey: number;
  /** Full members that are isolated otherwise. */
  readonly members: readonly Guid[];
  /** Ports that carry the key in any other way. */
  readonly others: readonly Guid[];
}

/** A partition that a port carried. */
export interface PortMembership {
  readonly guid: Guid;
  readonly pkey: number;
  /** Whether the port is a proper member, and nobody else's port is in the partition. */
  readonly isolated: boolean;
}

interface Port {
  readonly mac: string;
  readonly pkey: number;
  readonly phase: "present" | "leaving";
}

/** By key, from the ports of everything that is placed in the cluster. */
export function desiredPartitions(ports: readonly Port[]): readonly DesiredPartition[] {
  const members = new Map<number, Guid[]>();
  for (const port of ports) {
    if (port.phase !== "present") continue;
    members.set(port.pkey, [...(members.get(port.pkey) ?? []), guidOf(port)]);
  }
  return [...members]
    .sort(([a], [b]) => a - b)
    .map(([pkey, guids]) => ({ pkey, members: guids.sort() }));
}

/**
 * What was read back, port by port. Ports on their way out still belong to their network; anybody
 * else's, or one that is not a proper member, spoils the partition for all in it.
 */
export function portMemberships(
  seen: readonly PartitionObservation[],
  ports: readonly Port[],
): readonly PortMembership[] {
  const known = new Set(ports.map((port) => `${port.pkey} ${guidOf(port)}`));
  return seen.flatMap(({ pkey, members, others }) => {
    const strange = members.some((guid) => !known.has(`${pkey} ${guid}`));
    const isolated = !strange && others.length === 0;
    return [...members, ...others].map((guid) => ({ guid, pkey, isolated }));
  });
}

/** Whether each of these ports is in its own partition, alone with its network. */
export function areIsolated(
  ports: readonly Pick<Port, "mac" | "pkey">[],
  readBack: readonly PortMembership[],
): boolean {
  return ports.every((port) => {
    const carried = readBack.filter(({ guid }) => guid === guidOf(port));
    return carried.length === 1 && carried[0]?.pkey === port.pkey && carried[0].isolated;
  });
}
