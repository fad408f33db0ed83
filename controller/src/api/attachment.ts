// gRPC door of an instance's cluster network attachments: reads, and the layout made of them. Only
// logical and guest-side terms leave here.
import { formatIpv4 } from "@railyard/lib/address";
import { type InstanceId, parseId } from "@railyard/lib/ids";
import {
  AttachmentObserved,
  type InstanceClusterNetworkAttachment,
  type InstanceClusterNetworkAttachmentServiceServer,
} from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import type {
  InstanceLayout,
  InstanceLayoutRow,
} from "@railyard/proto/gen/railyard/v1/instance_layout";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { type AttachmentView, getAttachment, listAttachments } from "../service/attachment.js";
import type { ServiceContext } from "../service/context.js";
import type { Handlers } from "./handler.js";
import { pageToken, readPage } from "./paging.js";
import { boundOf, enumOf, headOf, reference, reservedIpReference } from "./resource.js";

export function attachmentHandlers(
  ctx: ServiceContext,
): Handlers<InstanceClusterNetworkAttachmentServiceServer> {
  return {
    getInstanceClusterNetworkAttachment: async (request, rpc) => {
      const path = { instanceId: instanceOf(request), id: parseId("attachment", request.id, "id") };
      const view = await getAttachment(ctx, rpc.tenant(), path);
      return { instanceClusterNetworkAttachment: attachmentMessage(view) };
    },
    listInstanceClusterNetworkAttachments: async (request, rpc) => {
      const filter = { instanceId: instanceOf(request) };
      const bound = boundOf(filter);
      const wish = { ...filter, ...readPage(rpc, request, bound) };
      const page = await listAttachments(ctx, rpc.tenant(), wish);
      const rows = page.rows.map((view) => view.attachment);
      return {
        instanceClusterNetworkAttachments: page.rows.map(attachmentMessage),
        nextPageToken: pageToken(rpc, bound, { ...page, rows }),
        totalSize: BigInt(page.total),
      };
    },
  };
}

/**
 * The layout of one instance as its tenant may see it: where each attachment lies. The texts for
 * the guest are left empty, which means that there are none.
 */
export function layoutMessage(id: InstanceId, views: readonly AttachmentView[]): InstanceLayout {
  return {
    instanceId: id,
    rows: views.map(layoutRow),
    ncclTopologyXml: "",
    ncclEnvironment: "",
    networkSettings: "",
    kernelSettings: "",
  };
}

function instanceOf({ instanceId }: { readonly instanceId: string }) {
  return parseId("instance", instanceId, "instance_id");
}

function placeOf({ attachment, place }: AttachmentView) {
  return {
    position: attachment.position,
    rail: place?.rail,
    gpuIndex: place?.gpuIndex,
    nicIndex: place?.nicIndex,
    speedGbps: place?.speedGbps,
    guestPciAddress: attachment.guestPciAddress,
    observed: enumOf(AttachmentObserved, "ATTACHMENT_OBSERVED", attachment.observed),
  };
}

function layoutRow(view: AttachmentView): InstanceLayoutRow {
  return {
    ...placeOf(view),
    attachmentId: view.attachment.id,
    name: view.attachment.name,
    subnet: reference(RESOURCE_TYPE.subnet, view.subnet),
    address: formatIpv4(view.primaryIp.address),
    macAddress: view.interface.mac,
  };
}

function attachmentMessage(view: AttachmentView): InstanceClusterNetworkAttachment {
  const { attachment, interface: row, primaryIp, subnet, next } = view;
  const type = RESOURCE_TYPE.attachment;
  return {
    ...headOf(attachment, type),
    ...placeOf(view),
    id: attachment.id,
    name: attachment.name,
    interface: {
      ...reference(RESOURCE_TYPE.interface, row),
      primaryIp: reservedIpReference(primaryIp),
      subnet: reference(RESOURCE_TYPE.subnet, subnet),
    },
    before: next && reference(type, next),
    instanceId: attachment.instanceId,
  };
}
