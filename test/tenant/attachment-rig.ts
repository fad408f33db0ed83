// Short calls on the attachments of one stopped instance, for tests of their rules.
import { type AttachmentView, getLayout } from "@railyard/controller/service/attachment";
import {
  type CreateAttachments,
  createAttachments,
} from "@railyard/controller/service/attachment-create";
import {
  deleteAttachment,
  moveAttachment,
  updateAttachment,
} from "@railyard/controller/service/attachment-edit";
import { stopInstance } from "@railyard/controller/service/instance";
import { type AttachmentWish, listPaths } from "@railyard/controller/service/instance-attachments";
import type { AttachmentId, InstanceId, SubnetId } from "@railyard/lib/ids";
import { type CallOptions, instance, instanceWish, type Rig, rig, seenGone } from "./rig.js";

export const PATHS = listPaths("attachments", "attachments");

/** A prototype in the subnet. */
export function fresh(subnetId: SubnetId, name = ""): AttachmentWish {
  const primaryIp = { kind: "new", address: "", name: "", autoDelete: true } as const;
  const wish = { subnetId, primaryIp, name: "", autoDelete: true, allowIpSpoofing: false };
  return { name, bound: { kind: "new", wish } };
}

export class Attachments {
  constructor(
    readonly made: Rig,
    readonly instanceId: InstanceId,
    readonly subnetId: SubnetId,
  ) {}

  create(over: Partial<CreateAttachments> = {}, options: CallOptions = {}) {
    const wishes = [fresh(this.subnetId)];
    const base = { instanceId: this.instanceId, wishes, before: undefined, paths: PATHS };
    const call = this.made.call<readonly AttachmentView[]>(options);
    return createAttachments(this.made.ctx, call, { ...base, ...over });
  }

  move(
    id: AttachmentId,
    before: AttachmentId | undefined,
    { etag = "", ...options }: CallOptions & { readonly etag?: string } = {},
  ) {
    const { instanceId, made } = this;
    const call = made.call<AttachmentView>(options);
    return moveAttachment(made.ctx, call, { instanceId, id, before, etag });
  }

  remove(id: AttachmentId, etag = "", options: CallOptions = {}) {
    const { instanceId, made } = this;
    const call = made.call<AttachmentView>(options);
    return deleteAttachment(made.ctx, call, { instanceId, id, etag });
  }

  rename(id: AttachmentId, name: string, etag = "") {
    const { instanceId, made } = this;
    const input = { instanceId, id, mask: ["name"], name, etag };
    return updateAttachment(made.ctx, made.call<AttachmentView>(), input);
  }

  async views(): Promise<readonly AttachmentView[]> {
    return (await getLayout(this.made.ctx, this.made.read(), this.instanceId)).attachments;
  }

  async ids(): Promise<AttachmentId[]> {
    return (await this.views()).map(({ attachment }) => attachment.id);
  }
}

/** A stopped instance with `count` attachments, which ran before. */
export async function stoppedWith(
  count: number,
  over: Parameters<typeof rig>[0] & { readonly leaving?: boolean } = {},
): Promise<Attachments> {
  const made = await rig(over);
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId, { count }));
  await stopInstance(made.ctx, made.call(), { id, etag: "" });
  if (!over.leaving) await seenGone(made, id);
  return new Attachments(made, id, subnetId);
}
