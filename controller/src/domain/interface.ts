// A cluster network interface: a MAC and a primary IP in one subnet, bound to at most one
// attachment.
import type {
  AttachmentId,
  ClusterNetworkId,
  InterfaceId,
  ReservedIpId,
  SubnetId,
} from "@railyard/lib/ids";
import type { Owned } from "./lifecycle.js";

export interface Interface extends Owned {
  readonly id: InterfaceId;
  readonly clusterNetworkId: ClusterNetworkId;
  readonly subnetId: SubnetId;
  readonly name: string;
  /** Lower case; unique in its network. */
  readonly mac: string;
  readonly primaryIpId: ReservedIpId;
  readonly autoDelete: boolean;
  readonly allowIpSpoofing: boolean;
  /** The attachment it is bound to. */
  readonly targetId: AttachmentId | undefined;
}
