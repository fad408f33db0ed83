// The InfiniBand side of a physical cluster: its fabric node's desired partitions follow from what
// is placed there, and what that node reads back decides which instances are isolated, and which
// have left. A lost fabric node changes nothing: what it read back last stands.
import { bug } from "@railyard/lib/errors";
import { guidOf } from "@railyard/lib/guid";
import type { NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import type { DesiredInstance } from "../domain/desired.js";
import {
  areIsolated,
  type DesiredPartition,
  desiredPartitions,
  type PartitionObservation,
  portMemberships,
} from "../domain/fabric.js";
import type { Instance } from "../domain/instance.js";
import type { Node } from "../domain/node.js";
import type { ReadTx, WriteTx } from "../store/contract.js";
import type { FleetTx } from "./tenant.js";

/**
 * Marks a change of the partitions that the node's cluster should have, in the same transaction as
 * the node's own change. Answers with the fabric node's generation; undefined where there is none.
 */
export async function raiseFabric(
  tx: Pick<FleetTx, "nodes" | "outbox">,
  nodeId: NodeId,
): Promise<bigint | undefined> {
  const node = await tx.nodes.get(nodeId);
  return node && raiseFabricOf(tx, node.physicalClusterId);
}

/** The same for whom knows the cluster. */
export async function raiseFabricOf(
  tx: Pick<FleetTx, "nodes" | "outbox">,
  cluster: PhysicalClusterId,
): Promise<bigint | undefined> {
  const fabric = await tx.nodes.fabricOf(cluster);
  return fabric && tx.outbox.raise(fabric.id);
}

/** Partitions that a fabric node should make. */
export async function fabricPartitions(
  tx: ReadTx,
  { physicalClusterId }: Node,
): Promise<readonly DesiredPartition[]> {
  return desiredPartitions(await tx.fabric.claimedPorts(physicalClusterId));
}

/** Keeps what a fabric node read back of all its ports. An incomplete reading says nothing. */
export async function takePartitions(
  tx: WriteTx,
  { role, physicalClusterId }: Node,
  seen: { readonly partitions: readonly PartitionObservation[]; readonly complete: boolean },
): Promise<void> {
  if (role !== "fabric" || !seen.complete) return;
  const ports = await tx.fabric.claimedPorts(physicalClusterId);
  await tx.fabric.putReadBack(physicalClusterId, portMemberships(seen.partitions, ports));
}

/** Whether all its ports were read back in their partitions; true for what has none. */
export async function isIsolated(
  tx: ReadTx,
  { physicalClusterId }: Node,
  { attachments }: DesiredInstance,
): Promise<boolean> {
  const ports = attachments.flatMap(({ mac, isolation }) =>
    isolation.kind === "pkey" ? [{ mac, pkey: isolation.id }] : [],
  );
  if (ports.length === 0) return true;
  return areIsolated(ports, await tx.fabric.readBack(physicalClusterId, ports.map(guidOf)));
}

/**
 * Whether no port of an instance that leaves the node is in any partition any more, as read back
 * after the fabric node was told of the leaving.
 */
export async function hasLeftFabric(
  tx: ReadTx,
  { physicalClusterId }: Node,
  { id, placement }: Instance,
): Promise<boolean> {
  const fabric = await tx.nodes.fabricOf(physicalClusterId);
  if (!fabric || placement?.fabricGeneration === undefined) return true;
  if (fabric.appliedGeneration < BigInt(placement.fabricGeneration)) return false;
  const { attachments, interfaces, clusterNetworks } = tx.everyone;
  const guids: string[] = [];
  for (const { interfaceId, clusterNetworkId } of await attachments.ofInstance(id)) {
    const iface = await interfaces.get(interfaceId);
    const network = await clusterNetworks.get(clusterNetworkId);
    if (!iface || !network) throw bug(`attachment of placed instance ${id} leads nowhere`);
    guids.push(guidOf({ mac: iface.mac, pkey: network.isolation.id }));
  }
  return (await tx.fabric.readBack(physicalClusterId, guids)).length === 0;
}
