// gRPC door of subnets: converts requests and answers.
import { cidrSize, formatCidr } from "@railyard/lib/address";
import {
  ClusterNetworkSubnet,
  type ClusterNetworkSubnetServiceServer,
  type CreateClusterNetworkSubnetRequest,
  IpVersion,
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
import { encode } from "./encode.js";
import { inField } from "./encoded-field.js";
import { EncodedOnce } from "./encoded-once.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { pageToken, readPage } from "./paging.js";
import { boundOf, headOf } from "./resource.js";

export function subnetHandlers(ctx: ServiceContext): Handlers<ClusterNetworkSubnetServiceServer> {
  return {
    createClusterNetworkSubnet: (request, rpc) => {
      const call = rpc.encodedMutation(request, answer, made);
      const { name, rail } = request;
      const range = rangeOf(request);
      return createSubnet(ctx, call, { clusterNetworkId: networkOf(request), name, range, rail });
    },
    getClusterNetworkSubnet: async (request, rpc) =>
      answer(await getSubnet(ctx, rpc.tenant(), pathOf(request))),
    listClusterNetworkSubnets: async (request, rpc) => {
      const filter = { clusterNetworkId: networkOf(request) };
      const bound = boundOf({ ...filter, orderBy: request.orderBy });
      const query = { filter, ...readPage(rpc, request, bound) };
      const page = await listSubnets(ctx, rpc.tenant(), query);
      return {
        clusterNetworkSubnets: page.rows.map(subnetMessage),
        nextPageToken: pageToken(rpc, bound, page),
        totalSize: BigInt(page.total),
      };
    },
    updateClusterNetworkSubnet: (request, rpc) => {
      const call = rpc.encodedMutation(request, answer, made);
      const { etag, updateMask: mask = [], clusterNetworkSubnet } = request;
      const name = clusterNetworkSubnet?.name ?? "";
      return updateSubnet(ctx, call, { ...pathOf(request), etag, mask, name });
    },
    deleteClusterNetworkSubnet: (request, rpc) => {
      const call = rpc.encodedMutation(request, answer, made);
      return deleteSubnet(ctx, call, { ...pathOf(request), etag: request.etag });
    },
  };
}

function networkOf({ clusterNetworkId }: { readonly clusterNetworkId: string }) {
  return idFrom("clusterNetwork", clusterNetworkId);
}

function pathOf(request: { readonly clusterNetworkId: string; readonly id: string }) {
  return { clusterNetworkId: networkOf(request), id: idFrom("subnet", request.id) };
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

/** Every answer with one subnet has it as its only field, the first. */
function made(subnet: Subnet) {
  return { subnet };
}

function answer(subnet: Subnet): Uint8Array {
  return inField(1, [subnetBytes(subnet)]);
}

const encoded = new EncodedOnce<Subnet>((subnet) =>
  encode(ClusterNetworkSubnet, subnetMessage(subnet)),
);

/** The message, encoded once for each state of the subnet. */
export function subnetBytes(subnet: Subnet): Uint8Array {
  return encoded.of(subnet);
}

/** As its tenant sees it. */
export function subnetMessage(subnet: Subnet): ClusterNetworkSubnet {
  return {
    id: subnet.id,
    ...headOf(subnet, RESOURCE_TYPE.subnet),
    name: subnet.name,
    ipVersion: IpVersion.IP_VERSION_IPV4,
    ipv4CidrBlock: formatCidr(subnet.cidr),
    totalIpv4AddressCount: BigInt(cidrSize(subnet.cidr)),
    availableIpv4AddressCount: BigInt(subnet.availableCount),
    rail: subnet.rail,
    clusterNetworkId: subnet.clusterNetworkId,
  };
}
