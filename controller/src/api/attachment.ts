// gRPC door of an instance's cluster network attachments. Only logical and guest-side terms leave
// here.
import { bug } from "@railyard/lib/errors";
import {
  AttachmentObserved,
  BatchCreateInstanceClusterNetworkAttachmentsResponse,
  CreateInstanceClusterNetworkAttachmentResponse,
  DeleteInstanceClusterNetworkAttachmentResponse,
  type InstanceClusterNetworkAttachment,
  type InstanceClusterNetworkAttachmentServiceServer,
  MoveInstanceClusterNetworkAttachmentResponse,
  UpdateInstanceClusterNetworkAttachmentResponse,
} from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { ClusterNetworkAttachmentPrototype } from "@railyard/proto/gen/railyard/v1/instance_template";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import {
  type AttachmentView,
  attachmentKeys,
  getAttachment,
  listAttachments,
} from "../service/attachment.js";
import { createAttachments } from "../service/attachment-create.js";
import { deleteAttachment, moveAttachment, updateAttachment } from "../service/attachment-edit.js";
import type { ServiceContext } from "../service/context.js";
import { listPaths } from "../service/instance-attachments.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { attachmentWish } from "./instance-template.js";
import { pageToken, readPage } from "./paging.js";
import { boundOf, enumOf, headOf, reference, reservedIpReference } from "./resource.js";

type AttachmentHandlers = Handlers<InstanceClusterNetworkAttachmentServiceServer>;

export function attachmentHandlers(ctx: ServiceContext): AttachmentHandlers {
  return { ...reads(ctx), ...creates(ctx), ...changes(ctx) };
}

function reads(ctx: ServiceContext): AttachmentHandlers {
  return {
    getInstanceClusterNetworkAttachment: async (request, rpc) => {
      return answer(await getAttachment(ctx, rpc.tenant(), pathOf(request)));
    },
    listInstanceClusterNetworkAttachments: async (request, rpc) => {
      const filter = { instanceId: instanceOf(request) };
      const bound = boundOf(filter);
      const wish = { ...filter, ...readPage(rpc, request, bound) };
      const page = await listAttachments(ctx, rpc.tenant(), wish);
      return {
        instanceClusterNetworkAttachments: page.rows.map(attachmentMessage),
        nextPageToken: pageToken(rpc, bound, { ...page, rows: attachmentKeys(wish, page) }),
        totalSize: BigInt(page.total),
      };
    },
  };
}

function creates(ctx: ServiceContext): AttachmentHandlers {
  return {
    createInstanceClusterNetworkAttachment: (request, rpc) => {
      const path = "attachment";
      const { attachment = ClusterNetworkAttachmentPrototype.create() } = request;
      const call = rpc.mutation(request, CreateInstanceClusterNetworkAttachmentResponse, answerOne);
      return createAttachments(ctx, call, {
        instanceId: instanceOf(request),
        wishes: [attachmentWish(attachment)],
        before: beforeOf(request),
        paths: { all: path, at: () => path, profile: path },
      });
    },
    batchCreateInstanceClusterNetworkAttachments: (request, rpc) => {
      const paths = listPaths("attachments", "attachments");
      const response = BatchCreateInstanceClusterNetworkAttachmentsResponse;
      const call = rpc.mutation(request, response, (made: readonly AttachmentView[]) => ({
        instanceClusterNetworkAttachments: made.map(attachmentMessage),
      }));
      return createAttachments(ctx, call, {
        instanceId: instanceOf(request),
        wishes: request.attachments.map(attachmentWish),
        before: beforeOf(request),
        paths,
      });
    },
  };
}

function changes(ctx: ServiceContext): AttachmentHandlers {
  return {
    updateInstanceClusterNetworkAttachment: (request, rpc) => {
      const { etag, updateMask: mask = [], instanceClusterNetworkAttachment: values } = request;
      const call = rpc.mutation(request, UpdateInstanceClusterNetworkAttachmentResponse, answer);
      const input = { ...pathOf(request), etag, mask, name: values?.name ?? "" };
      return updateAttachment(ctx, call, input);
    },
    moveInstanceClusterNetworkAttachment: (request, rpc) => {
      const { etag } = request;
      const call = rpc.mutation(request, MoveInstanceClusterNetworkAttachmentResponse, answer);
      return moveAttachment(ctx, call, { ...pathOf(request), etag, before: beforeOf(request) });
    },
    deleteInstanceClusterNetworkAttachment: (request, rpc) => {
      const call = rpc.mutation(request, DeleteInstanceClusterNetworkAttachmentResponse, answer);
      return deleteAttachment(ctx, call, { ...pathOf(request), etag: request.etag });
    },
  };
}

function instanceOf({ instanceId }: { readonly instanceId: string }) {
  return idFrom("instance", instanceId);
}

function pathOf(request: { readonly instanceId: string; readonly id: string }) {
  return { instanceId: instanceOf(request), id: idFrom("attachment", request.id) };
}

function beforeOf({ beforeId }: { readonly beforeId: string }) {
  return beforeId === "" ? undefined : idFrom("attachment", beforeId);
}

function answer(view: AttachmentView) {
  return { instanceClusterNetworkAttachment: attachmentMessage(view) };
}

function answerOne([view]: readonly AttachmentView[]) {
  if (!view) throw bug("a created attachment is not there");
  return answer(view);
}

/** Where it lies. */
export function placeOf({ attachment, place }: AttachmentView) {
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

/** As its tenant sees it. */
export function attachmentMessage(view: AttachmentView): InstanceClusterNetworkAttachment {
  const { attachment, interface: row, primaryIp, subnet, next } = view;
  const type = RESOURCE_TYPE.attachment;
  return {
    id: attachment.id,
    ...headOf(attachment, type),
    ...placeOf(view),
    name: attachment.name,
    interface: {
      primaryIp: reservedIpReference(primaryIp),
      ...reference(RESOURCE_TYPE.interface, row),
      subnet: reference(RESOURCE_TYPE.subnet, subnet),
    },
    before: next && reference(type, next),
    instanceId: attachment.instanceId,
  };
}
