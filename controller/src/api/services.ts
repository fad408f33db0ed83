// Every service of the contract, per listener. A generated service that is missing here is found by
// a test. Knows no handler.
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import * as audit from "@railyard/proto/gen/railyard/admin/v1/audit";
import * as doctor from "@railyard/proto/gen/railyard/admin/v1/doctor";
import * as mzone from "@railyard/proto/gen/railyard/admin/v1/mzone";
import * as node from "@railyard/proto/gen/railyard/admin/v1/node";
import * as physicalCluster from "@railyard/proto/gen/railyard/admin/v1/physical_cluster";
import * as placementAdmin from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import * as quota from "@railyard/proto/gen/railyard/admin/v1/quota";
import * as store from "@railyard/proto/gen/railyard/admin/v1/store";
import * as token from "@railyard/proto/gen/railyard/admin/v1/token";
import * as clusterNetwork from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as netInterface from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as networkProfile from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import * as subnet from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as reservedIp from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import * as instance from "@railyard/proto/gen/railyard/v1/instance";
import * as attachment from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import * as instanceProfile from "@railyard/proto/gen/railyard/v1/instance_profile";
import * as placement from "@railyard/proto/gen/railyard/v1/placement";
import * as watch from "@railyard/proto/gen/railyard/v1/watch";

/** What tenants may call. */
export const TENANT_SERVICES: readonly ServiceDefinition[] = [
  networkProfile.ClusterNetworkProfileServiceService,
  clusterNetwork.ClusterNetworkServiceService,
  subnet.ClusterNetworkSubnetServiceService,
  reservedIp.ClusterNetworkSubnetReservedIpServiceService,
  netInterface.ClusterNetworkInterfaceServiceService,
  instanceProfile.InstanceProfileServiceService,
  instance.InstanceServiceService,
  attachment.InstanceClusterNetworkAttachmentServiceService,
  placement.PlacementServiceService,
  watch.WatchServiceService,
];

/** What operators may call, on their own listener. */
export const ADMIN_SERVICES: readonly ServiceDefinition[] = [
  mzone.MzoneServiceService,
  physicalCluster.PhysicalClusterServiceService,
  node.NodeServiceService,
  placementAdmin.PlacementAdminServiceService,
  token.TokenServiceService,
  quota.QuotaServiceService,
  store.StoreServiceService,
  audit.AuditServiceService,
  doctor.DoctorServiceService,
];

/** One RPC of a service. */
export interface RpcDefinition {
  /** Property in the service definition and in handlers, such as `createToken`. */
  readonly key: string;
  /** `railyard.admin.v1.TokenService`. */
  readonly service: string;
  /** `CreateToken`. */
  readonly method: string;
  readonly definition: MethodDefinition<object, object>;
}

/** The RPCs of a service definition. */
export function rpcsOf(service: ServiceDefinition): RpcDefinition[] {
  return Object.entries(service).map(([key, definition]) => {
    const [, name = "", method = ""] = definition.path.split("/");
    return { key, service: name, method, definition };
  });
}

/** The full name of a service definition, such as `railyard.v1.InstanceService`. */
export function serviceName(service: ServiceDefinition): string {
  return rpcsOf(service)[0]?.service ?? "";
}
