// gRPC door of interfaces: converts requests and answers, and the prototypes that instances share.
import type { AttachmentId } from "@railyard/lib/ids";
import {
  type ClusterNetworkInterface,
  type ClusterNetworkInterfacePrimaryIpPrototype,
  type ClusterNetworkInterfaceServiceServer,
  CreateClusterNetworkInterfaceResponse,
  DeleteClusterNetworkInterfaceResponse,
  type ListClusterNetworkInterfacesRequest,
  UpdateClusterNetworkInterfaceResponse,
} from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { ServiceContext } from "../service/context.js";
import {
  createInterface,
  deleteInterface,
  getInterface,
  type InterfaceView,
  listInterfaces,
  updateInterface,
} from "../service/interface.js";
import type { AddressWish } from "../service/interface-plan.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { pageToken, readPage } from "./paging.js";
import { boundOf, headOf, reference, reservedIpReference } from "./resource.js";

export function interfaceHandlers(
  ctx: ServiceContext,
): Handlers<ClusterNetworkInterfaceServiceServer> {
  return {
    createClusterNetworkInterface: (request, rpc) => {
      const { name, allowIpSpoofing } = request;
      const input = {
        clusterNetworkId: networkOf(request),
        subnetId: subnetOf(request.subnetId),
        primaryIp: addressWish(request.primaryIp),
        name,
        allowIpSpoofing,
      };
      const call = rpc.mutation(request, CreateClusterNetworkInterfaceResponse, answer);
      return createInterface(ctx, call, input);
    },
    getClusterNetworkInterface: async (request, rpc) =>
      answer(await getInterface(ctx, rpc.tenant(), pathOf(request))),
    listClusterNetworkInterfaces: async (request, rpc) => {
      const filter = filterOf(request);
      const bound = boundOf({ ...filter, orderBy: request.orderBy });
      const query = { filter, ...readPage(rpc, request, bound) };
      const page = await listInterfaces(ctx, rpc.tenant(), query);
      return {
        clusterNetworkInterfaces: page.rows.map(interfaceMessage),
        nextPageToken: pageToken(rpc, bound, { ...page, rows: page.rows.map((v) => v.row) }),
        totalSize: BigInt(page.total),
      };
    },
    updateClusterNetworkInterface: (request, rpc) => {
      const call = rpc.mutation(request, UpdateClusterNetworkInterfaceResponse, answer);
      const { etag, updateMask: mask = [], clusterNetworkInterface: values } = request;
      const { name = "", autoDelete = false, allowIpSpoofing = false } = values ?? {};
      const input = { ...pathOf(request), etag, mask, name, autoDelete, allowIpSpoofing };
      return updateInterface(ctx, call, input);
    },
    deleteClusterNetworkInterface: (request, rpc) => {
      const call = rpc.mutation(request, DeleteClusterNetworkInterfaceResponse, answer);
      return deleteInterface(ctx, call, { ...pathOf(request), etag: request.etag });
    },
  };
}

/** The subnet that `text` names; undefined when it is empty. */
export function subnetOf(text: string) {
  return text === "" ? undefined : idFrom("subnet", text);
}

/** The primary address that a prototype asks for. */
export function addressWish(
  prototype: ClusterNetworkInterfacePrimaryIpPrototype | undefined,
): AddressWish {
  const source = prototype?.source;
  if (source?.$case === "reservedIpId") {
    const id = idFrom("reservedIp", source.value);
    return { kind: "existing", id };
  }
  const { address = "", name = "", autoDelete = true } = source?.value ?? {};
  return { kind: "new", address, name, autoDelete };
}

function networkOf({ clusterNetworkId }: { readonly clusterNetworkId: string }) {
  return idFrom("clusterNetwork", clusterNetworkId);
}

function pathOf(request: { readonly clusterNetworkId: string; readonly id: string }) {
  return { clusterNetworkId: networkOf(request), id: idFrom("interface", request.id) };
}

function filterOf(request: ListClusterNetworkInterfacesRequest) {
  const { name, targetId } = request;
  const subnetId = subnetOf(request.subnetId);
  const target: AttachmentId | undefined =
    targetId === "" ? undefined : idFrom("attachment", targetId);
  return {
    clusterNetworkId: networkOf(request),
    ...(name !== "" && { name }),
    ...(subnetId && { subnetId }),
    ...(target && { targetId: target }),
  };
}

function answer(view: InterfaceView) {
  return { clusterNetworkInterface: interfaceMessage(view) };
}

/** As its tenant sees it. */
export function interfaceMessage(view: InterfaceView): ClusterNetworkInterface {
  const { row, primaryIp, subnet, network, vpc, targetName: name = "" } = view;
  return {
    id: row.id,
    ...headOf(row, RESOURCE_TYPE.interface),
    name: row.name,
    macAddress: row.mac,
    primaryIp: reservedIpReference(primaryIp),
    subnet: reference(RESOURCE_TYPE.subnet, subnet),
    autoDelete: row.autoDelete,
    allowIpSpoofing: row.allowIpSpoofing,
    // Nothing is translated: traffic never leaves the network.
    enableInfrastructureNat: false,
    target: row.targetId && reference(RESOURCE_TYPE.attachment, { id: row.targetId, name }),
    vpc: reference(RESOURCE_TYPE.vpc, vpc),
    zone: network.zone,
    clusterNetworkId: row.clusterNetworkId,
  };
}
