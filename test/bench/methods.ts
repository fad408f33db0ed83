// The calls that the bench makes, by their path. Knows the contract's generated code only.
import type { MethodDefinition } from "@grpc/grpc-js";
import { ClusterNetworkSubnetServiceService } from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";

const METHODS = [
  InstanceServiceService.getInstance,
  InstanceServiceService.listInstances,
  InstanceServiceService.createInstance,
  ClusterNetworkSubnetServiceService.createClusterNetworkSubnet,
] as unknown as readonly MethodDefinition<object, object>[];

export const TENANT_METHODS: ReadonlyMap<string, MethodDefinition<object, object>> = new Map(
  METHODS.map((method) => [method.path, method]),
);
