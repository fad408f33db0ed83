// gRPC door of subnets: converts requests and answers.
import { cidrSize, formatCidr } from "@railyard/lib/address";
import { parseId } from "@railyard/lib/ids";
import {
  type ClusterNetworkSubnet,
  type ClusterNetworkSubnetServiceServer,
  type CreateClusterNetworkSubnetRequest,
  CreateClusterNetworkSubnetResponse,
  DeleteClusterNetworkSubnetResponse,
  IpVersion,
  UpdateClusterNetworkSubnetResponse,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Subnet } from "../domain/subnet.js";
import type { ServiceContext } from "../service/context.js";
import {
  createSubnet,
  deleteSubnet,
  getSubnet,
  listSubnets,
  type Range,
  updateSubnet,
} from "../service/subnet.js";
import type { Handlers } from "./handler.js";
import { pageToken, readPage } from "./paging.js";
import { boundOf, headOf } from "./resource.js";

export function subnetHandlers(ctx: ServiceContext): Handlers<ClusterNetworkSubnetServiceServer> {
  return {
    createClusterNetworkSubnet: (request, rpc) => {
      const call = rpc.mutation(request, CreateClusterNetworkSubnetResponse, answer);
      const { name, rail } = request;
      const range = rangeOf(request);
      return createSubnet(ctx, call, { clusterNetworkId: networkOf(request), name, range, rail });
    },
    getClusterNetworkSubnet: async (request, rpc) =>
      answer(await getSubnet(ctx, rpc.tenant(), pathOf(request))),
    listClusterNetworkSubnets: async (request, rpc) => {
      const filter = { clusterNetworkId: networkOf(request) };
      const bound = boundOf(filter);
      const query = { filter, ...readPage(rpc, request, bound) };
      const page = await listSubnets(ctx, rpc.tenant(), query);
      return {
        clusterNetworkSubnets: page.rows.map(subnetMessage),
        nextPageToken: pageToken(rpc, bound, page),
        totalSize: BigInt(page.total),
      };
    },
    updateClusterNetworkSubnet: (request, rpc) => {
      const call = rpc.mutation(request, UpdateClusterNetworkSubnetResponse, answer);
      const { etag, updateMask: mask = [], clusterNetworkSubnet } = request;
      const name = clusterNetworkSubnet?.name ?? "";
      return updateSubnet(ctx, call, { ...pathOf(request), etag, mask, name });
    },
    deleteClusterNetworkSubnet: (request, rpc) => {
      const call = rpc.mutation(request, DeleteClusterNetworkSubnetResponse, answer);
      return deleteSubnet(ctx, call, { ...pathOf(request), etag: request.etag });
    },
  };
}

function networkOf({ clusterNetworkId }: { readonly clusterNetworkId: string }) {
  return parseId("clusterNetwork", clusterNetworkId, "cluster_network_id");
}

function pathOf(request: { readonly clusterNetworkId: string; readonly id: string }) {
  return { clusterNetworkId: networkOf(request), id: parseId("subnet", request.id, "id") };
}

function rangeOf({ range }: CreateClusterNetworkSubnetRequest): Range | undefined {
  switch (range?.$case) {
    case "ipv4CidrBlock":
      return { kind: "block", cidr: range.value };
    case "totalIpv4AddressCount":
      return { kind: "count", count: Number(range.value) };
    case undefined:
      return undefined;
  }
}

function answer(subnet: Subnet): { clusterNetworkSubnet: ClusterNetworkSubnet } {
  return { clusterNetworkSubnet: subnetMessage(subnet) };
}

/** As its tenant sees it. */
export function subnetMessage(subnet: Subnet): ClusterNetworkSubnet {
  return {
    ...headOf(subnet, RESOURCE_TYPE.subnet),
    id: subnet.id,
    name: subnet.name,
    ipVersion: IpVersion.IP_VERSION_IPV4,
    ipv4CidrBlock: formatCidr(subnet.cidr),
    totalIpv4AddressCount: BigInt(cidrSize(subnet.cidr)),
    availableIpv4AddressCount: BigInt(subnet.availableCount),
    rail: subnet.rail,
    clusterNetworkId: subnet.clusterNetworkId,
  };
}
