// A reserved IP: one address of a subnet held by a user or by the provider, perhaps bound to an
// interface.
import type { ClusterNetworkId, InterfaceId, ReservedIpId, SubnetId } from "@railyard/lib/ids";
import type { Owned } from "./lifecycle.js";

export interface ReservedIp extends Owned {
  readonly id: ReservedIpId;
  readonly clusterNetworkId: ClusterNetworkId;
  readonly subnetId: SubnetId;
  readonly name: string;
  /** Unsigned 32-bit IPv4 address. */
  readonly address: number;
  readonly autoDelete: boolean;
  readonly owner: "user" | "provider";
  /** The interface it is bound to. */
  readonly targetId: InterfaceId | undefined;
}
