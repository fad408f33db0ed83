// gRPC door of cluster networks: converts requests and answers. The physical side of a network
// stays behind.
import { formatCidr } from "@railyard/lib/address";
import {
  AllocationPolicy,
  type ClusterNetwork,
  type ClusterNetworkServiceServer,
  CreateClusterNetworkResponse,
  DeleteClusterNetworkResponse,
  UpdateClusterNetworkResponse,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import {
  createNetwork,
  deleteNetwork,
  getNetwork,
  listNetworks,
  type NetworkView,
  updateNetwork,
} from "../service/cluster-network.js";
import type { ServiceContext } from "../service/context.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { pageToken, readPage } from "./paging.js";
import {
  boundOf,
  crnOf,
  filled,
  headOf,
  profileReference,
  reference,
  resourceGroup,
} from "./resource.js";

export function clusterNetworkHandlers(ctx: ServiceContext): Handlers<ClusterNetworkServiceServer> {
  return {
    createClusterNetwork: (request, rpc) => {
      const { profile, vpcId, zone, name, resourceGroupId, subnetPrefixes } = request;
      const input = {
        profile,
        vpcId,
        zone,
        name,
        resourceGroupId,
        prefix: subnetPrefixes[0]?.cidr,
      };
      return createNetwork(ctx, rpc.mutation(request, CreateClusterNetworkResponse, answer), input);
    },
    getClusterNetwork: async (request, rpc) =>
      answer(await getNetwork(ctx, rpc.tenant(), idOf(request))),
    listClusterNetworks: async (request, rpc) => {
      const { name, resourceGroupId, vpcId, orderBy } = request;
      const filter = filled({ name, resourceGroupId, vpcId });
      const bound = boundOf({ ...filter, orderBy });
      const query = { filter, ...readPage(rpc, request, bound) };
      const page = await listNetworks(ctx, rpc.tenant(), query);
      const rows = page.rows.map((view) => view.network);
      return {
        clusterNetworks: page.rows.map(networkMessage),
        nextPageToken: pageToken(rpc, bound, { ...page, rows }),
        totalSize: BigInt(page.total),
      };
    },
    updateClusterNetwork: (request, rpc) => {
      const call = rpc.mutation(request, UpdateClusterNetworkResponse, answer);
      const { etag, updateMask: mask = [], clusterNetwork } = request;
      const name = clusterNetwork?.name ?? "";
      return updateNetwork(ctx, call, { id: idOf(request), etag, mask, name });
    },
    deleteClusterNetwork: (request, rpc) => {
      const call = rpc.mutation(request, DeleteClusterNetworkResponse, answer);
      const { etag, cascade } = request;
      return deleteNetwork(ctx, call, { id: idOf(request), etag, cascade });
    },
  };
}

function idOf({ id }: { readonly id: string }) {
  return idFrom("clusterNetwork", id);
}

function answer(view: NetworkView): { clusterNetwork: ClusterNetwork } {
  return { clusterNetwork: networkMessage(view) };
}

/** As its tenant sees it. */
export function networkMessage({ network, vpc }: NetworkView): ClusterNetwork {
  const type = RESOURCE_TYPE.clusterNetwork;
  return {
    id: network.id,
    ...headOf(network, type),
    name: network.name,
    crn: crnOf(type, network),
    profile: profileReference(RESOURCE_TYPE.clusterNetworkProfile, network.profile),
    vpc: reference(RESOURCE_TYPE.vpc, vpc),
    zone: network.zone,
    resourceGroup: resourceGroup(network.resourceGroupId),
    subnetPrefixes: [
      {
        cidr: formatCidr(network.prefix),
        allocationPolicy: AllocationPolicy.ALLOCATION_POLICY_AUTO,
      },
    ],
  };
}
