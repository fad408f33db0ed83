// The tenant's services under one letter each, for files that go through all nouns in tables of
// calls. Others name the methods that they use.
import { ClusterNetworkServiceService } from "@railyard/proto/gen/railyard/v1/cluster_network";
import { ClusterNetworkInterfaceServiceService } from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import { ClusterNetworkSubnetServiceService } from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { ClusterNetworkSubnetReservedIpServiceService } from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceClusterNetworkAttachmentServiceService } from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";

/** Cluster networks. */
export const N = ClusterNetworkServiceService;
/** Their subnets. */
export const S = ClusterNetworkSubnetServiceService;
/** Reserved IPs. */
export const R = ClusterNetworkSubnetReservedIpServiceService;
/** Interfaces. */
export const I = ClusterNetworkInterfaceServiceService;
/** Instances. */
export const V = InstanceServiceService;
/** Their attachments. */
export const A = InstanceClusterNetworkAttachmentServiceService;
