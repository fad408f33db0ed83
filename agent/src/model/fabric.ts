// Words of an InfiniBand fabric: which partitions it should have, which ports were read and what
// they carry. Plain data; it must not know the wire format nor any subnet manager.
import type { PartitionFacts } from "@railyard/lib/attest";
import type { Guid } from "@railyard/lib/guid";

/** Who may speak in one partition; nobody else may be in it. */
export interface DesiredPartition {
  /** Without the membership bit. */
  readonly pkey: number;
  /** Ascending. */
  readonly members: readonly Guid[];
}

/** One port of a channel adapter, as the port itself tells it. */
export interface FabricPort {
  readonly guid: Guid;
  /** Partition keys in its table, with the membership bit; without empty entries. */
  readonly pkeys: readonly number[];
}

/** Everything read from a fabric in one look. */
export interface FabricReading {
  readonly ports: readonly FabricPort[];
  /** Ports that are there and could not be asked: nothing may be concluded about them. */
  readonly unread: readonly { readonly guid: Guid; readonly message: string }[];
}

/** One partition as read back. */
export interface PartitionReport extends PartitionFacts {
  /** Why it is not as desired yet; empty when it is. */
  readonly reason: string;
}

/** What a desired state says to an agent that drives a subnet manager, and to no other. */
export interface DesiredOfFabric {
  /** Of the whole fabric, by key. */
  readonly partitions?: readonly DesiredPartition[];
}

/** What a pass of such an agent found beside what every pass finds. */
export interface SeenOfFabric {
  /** By key. */
  readonly partitions?: readonly PartitionReport[];
}
