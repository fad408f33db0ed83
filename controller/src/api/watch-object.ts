// Encodes the objects that are watched as their tenants see them: the bytes that the store keeps
// beside each object, and those of objects that follow from others. What the tenant's own reads
// show, and nothing else.
import { parseCidr } from "@railyard/lib/address";
import { bug } from "@railyard/lib/errors";
import type { ClusterNetworkId, SubnetId } from "@railyard/lib/ids";
import { ClusterNetwork } from "@railyard/proto/gen/railyard/v1/cluster_network";
import { ClusterNetworkInterface } from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import { ClusterNetworkSubnet } from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { ClusterNetworkSubnetReservedIp } from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { InstanceClusterNetworkAttachment } from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { Hold } from "@railyard/proto/gen/railyard/v1/placement";
import { completer, type WatchedObject } from "../service/watch/objects.js";
import { attachmentMessage } from "./attachment.js";
import { networkMessage } from "./cluster-network.js";
import { encode } from "./encode.js";
import { instanceBytes } from "./instance-message.js";
import { interfaceMessage } from "./interface.js";
import { holdMessage } from "./placement.js";
import { reservedIpMessage } from "./reserved-ip.js";
import { subnetBytes } from "./subnet.js";

/** What a watcher is told of a change: also of what follows from it without being stored. */
export const complete = completer(encodeObject, (object) => {
  const { id, clusterNetworkId, createdAt, ipv4CidrBlock } = ClusterNetworkSubnet.decode(object);
  const cidr = parseCidr(ipv4CidrBlock);
  if (!cidr || !createdAt) throw bug(`subnet ${id} was kept without its block or its time`);
  return {
    id: id as SubnetId,
    clusterNetworkId: clusterNetworkId as ClusterNetworkId,
    createdAt: createdAt.getTime(),
    cidr,
  };
});

/** The object's message, encoded. */
export function encodeObject({ kind, view }: WatchedObject): Uint8Array {
  switch (kind) {
    case "clusterNetwork":
      return encode(ClusterNetwork, networkMessage(view));
    case "subnet":
      return subnetBytes(view);
    case "reservedIp":
      return encode(ClusterNetworkSubnetReservedIp, reservedIpMessage(view));
    case "interface":
      return encode(ClusterNetworkInterface, interfaceMessage(view));
    case "instance":
      return instanceBytes(view);
    case "attachment":
      return encode(InstanceClusterNetworkAttachment, attachmentMessage(view));
    case "hold":
      return encode(Hold, holdMessage(view));
  }
}
