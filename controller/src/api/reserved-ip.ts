// gRPC door of reserved IPs: converts requests and answers.
import { formatIpv4, parseIpv4 } from "@railyard/lib/address";
import {
  type ClusterNetworkSubnetReservedIp,
  type ClusterNetworkSubnetReservedIpServiceServer,
  CreateClusterNetworkSubnetReservedIpResponse,
  DeleteClusterNetworkSubnetReservedIpResponse,
  type ListClusterNetworkSubnetReservedIpsRequest,
  ReservedIpOwner,
  UpdateClusterNetworkSubnetReservedIpResponse,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { ServiceContext } from "../service/context.js";
import {
  createReservedIp,
  deleteReservedIp,
  getReservedIp,
  listReservedIps,
  type ReservedIpView,
  updateReservedIp,
} from "../service/reserved-ip.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { pageToken, readPage } from "./paging.js";
import { boundOf, enumOf, headOf, reference } from "./resource.js";

export function reservedIpHandlers(
  ctx: ServiceContext,
): Handlers<ClusterNetworkSubnetReservedIpServiceServer> {
  return {
    createClusterNetworkSubnetReservedIp: (request, rpc) => {
      const call = rpc.mutation(request, CreateClusterNetworkSubnetReservedIpResponse, answer);
      const { address, name } = request;
      return createReservedIp(ctx, call, { ...parentOf(request), address, name });
    },
    getClusterNetworkSubnetReservedIp: async (request, rpc) =>
      answer(await getReservedIp(ctx, rpc.tenant(), pathOf(request))),
    listClusterNetworkSubnetReservedIps: async (request, rpc) => {
      const { clusterNetworkId, subnetId } = parentOf(request);
      const filter = { subnetId, ...filterOf(request) };
      const faults = addressFaults(request);
      const bound = boundOf({ clusterNetworkId, ...filter, orderBy: request.orderBy });
      const listing = readPage(rpc, { ...request, faults }, bound);
      const query = { clusterNetworkId, filter, ...listing };
      const page = await listReservedIps(ctx, rpc.tenant(), query);
      const rows = page.rows.map((view) => view.reservedIp);
      return {
        clusterNetworkSubnetReservedIps: page.rows.map(reservedIpMessage),
        nextPageToken: pageToken(rpc, bound, { ...page, rows }),
        totalSize: BigInt(page.total),
      };
    },
    updateClusterNetworkSubnetReservedIp: (request, rpc) => {
      const call = rpc.mutation(request, UpdateClusterNetworkSubnetReservedIpResponse, answer);
      const { etag, updateMask: mask = [], clusterNetworkSubnetReservedIp: values } = request;
      const { name = "", autoDelete = false } = values ?? {};
      return updateReservedIp(ctx, call, { ...pathOf(request), etag, mask, name, autoDelete });
    },
    deleteClusterNetworkSubnetReservedIp: (request, rpc) => {
      const call = rpc.mutation(request, DeleteClusterNetworkSubnetReservedIpResponse, answer);
      return deleteReservedIp(ctx, call, { ...pathOf(request), etag: request.etag });
    },
  };
}

interface Parent {
  readonly clusterNetworkId: string;
  readonly subnetId: string;
}

function parentOf({ clusterNetworkId, subnetId }: Parent) {
  return {
    clusterNetworkId: idFrom("clusterNetwork", clusterNetworkId),
    subnetId: idFrom("subnet", subnetId),
  };
}

function pathOf(request: Parent & { readonly id: string }) {
  return { ...parentOf(request), id: idFrom("reservedIp", request.id) };
}

function filterOf({ name, address: text }: ListClusterNetworkSubnetReservedIpsRequest) {
  const address = text === "" ? undefined : parseIpv4(text);
  return { ...(name !== "" && { name }), ...(address !== undefined && { address }) };
}

function addressFaults({ address }: ListClusterNetworkSubnetReservedIpsRequest) {
  if (address === "" || parseIpv4(address) !== undefined) return [];
  return [{ field: "address", description: "must be an IPv4 address such as 10.0.0.4" }];
}

function answer(view: ReservedIpView) {
  return { clusterNetworkSubnetReservedIp: reservedIpMessage(view) };
}

/** As its tenant sees it. */
export function reservedIpMessage({
  reservedIp: row,
  targetName: name = "",
}: ReservedIpView): ClusterNetworkSubnetReservedIp {
  return {
    id: row.id,
    ...headOf(row, RESOURCE_TYPE.reservedIp),
    name: row.name,
    address: formatIpv4(row.address),
    autoDelete: row.autoDelete,
    owner: enumOf(ReservedIpOwner, "RESERVED_IP_OWNER", row.owner),
    target: row.targetId && reference(RESOURCE_TYPE.interface, { id: row.targetId, name }),
    clusterNetworkId: row.clusterNetworkId,
    subnetId: row.subnetId,
  };
}
