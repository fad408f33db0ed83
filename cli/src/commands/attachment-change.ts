// railctl attachment create, update, move, delete: changes of an instance's ordered attachments.
import { invalidField } from "@railyard/lib/errors";
import {
  InstanceClusterNetworkAttachment,
  InstanceClusterNetworkAttachmentServiceService as service,
} from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import type { Command } from "commander";
import { present } from "../answer.js";
import { deleteObject } from "../delete-object.js";
import {
  type ChangeFlags,
  type CreateFlags,
  change,
  changing,
  collect,
  creating,
  creation,
  updates,
} from "../flags.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { ATTACHMENT_VIEW, attachmentId, INSTANCE, readAttachment } from "./attachment-view.js";
import { namesIn } from "./instance-create.js";
import { instanceId, readInstance } from "./instance-lookup.js";
import { attachesOf, prototypesOf } from "./instance-request.js";

const BEFORE = [
  "--before <attachment>",
  "immediately ahead of this one (last when absent)",
] as const;

/** Adds the verbs. */
export function addAttachmentChanges(noun: Command, run: Run): void {
  creating(noun.command("create").description("add attachments to a stopped instance, all or none"))
    .requiredOption(...INSTANCE)
    .requiredOption(
      "--attach <subnet=S|interface=I|reserved-ip=R[,name=N][,address=A]>",
      "what it is bound to; repeat to add several in order",
      collect,
    )
    .option("--network <network>", "where they are named (the instance's own when absent)")
    .option(...BEFORE)
    .action(run(create));
  changing(noun.command("update <attachment>").description("rename an attachment"))
    .requiredOption(...INSTANCE)
    .option("--name <name>", "its new name")
    .action(run(update));
  changing(noun.command("move <attachment>").description("move an attachment in the order"))
    .requiredOption(...INSTANCE)
    .option(...BEFORE)
    .option("--request-id <uuid>", "makes repeating safe (made up when absent)")
    .action(run(move));
  changing(noun.command("delete <attachment>").description("remove an attachment"))
    .requiredOption(...INSTANCE)
    .option("--wait", "wait until it is gone")
    .action(run(remove));
}

interface OfInstance {
  readonly instance: string;
}

interface Placed extends OfInstance {
  readonly before?: string;
}

interface Create extends CreateFlags, Placed {
  readonly attach: readonly string[];
  readonly network?: string;
}

async function create(session: Session, flags: Create): Promise<void> {
  const attaches = attachesOf({ attach: flags.attach });
  const id = await instanceId(session, flags.instance);
  const own = flags.network ?? (await readInstance(session, id)).instance?.clusterNetwork?.id;
  const attachments = await prototypesOf(attaches, await namesIn(session, own));
  const place = { instanceId: id, beforeId: await beforeId(session, id, flags) };
  const request = { ...place, ...creation(session, flags) };
  const [attachment] = attachments;
  if (!attachment) throw invalidField("--attach", "must be given");
  if (attachments.length === 1) {
    const method = service.createInstanceClusterNetworkAttachment;
    const made = await session.tenant.call(method, { ...request, attachment });
    session.output.one(ATTACHMENT_VIEW, present(made.instanceClusterNetworkAttachment));
    return;
  }
  const method = service.batchCreateInstanceClusterNetworkAttachments;
  const made = await session.tenant.call(method, { ...request, attachments });
  session.output.many(ATTACHMENT_VIEW, made.instanceClusterNetworkAttachments);
}

async function beforeId(session: Session, instance: string, { before }: Placed): Promise<string> {
  return before === undefined ? "" : attachmentId(session, instance, before);
}

async function placeOf(session: Session, flags: OfInstance, text: string) {
  const instance = await instanceId(session, flags.instance);
  return { instanceId: instance, id: await attachmentId(session, instance, text) };
}

type Update = ChangeFlags & OfInstance & { readonly name?: string };

async function update(session: Session, flags: Update, [text = ""]: readonly string[]) {
  const { values, updateMask } = updates<Pick<InstanceClusterNetworkAttachment, "name">>({
    name: flags.name,
  });
  const answer = await session.tenant.call(service.updateInstanceClusterNetworkAttachment, {
    ...(await placeOf(session, flags, text)),
    instanceClusterNetworkAttachment: InstanceClusterNetworkAttachment.fromPartial(values),
    updateMask,
    ...change(session, flags),
  });
  session.output.one(ATTACHMENT_VIEW, present(answer.instanceClusterNetworkAttachment));
}

type Move = ChangeFlags & Placed & { readonly requestId?: string };

async function move(session: Session, flags: Move, [text = ""]: readonly string[]) {
  const place = await placeOf(session, flags, text);
  const answer = await session.tenant.call(service.moveInstanceClusterNetworkAttachment, {
    ...place,
    beforeId: await beforeId(session, place.instanceId, flags),
    requestId: session.requestId(flags.requestId),
    ...change(session, flags),
  });
  session.output.one(ATTACHMENT_VIEW, present(answer.instanceClusterNetworkAttachment));
}

type Remove = ChangeFlags & OfInstance & { readonly wait?: boolean };

async function remove(session: Session, flags: Remove, [text = ""]: readonly string[]) {
  const place = await placeOf(session, flags, text);
  const request = { ...place, ...change(session, flags) };
  await deleteObject(session, flags, {
    view: ATTACHMENT_VIEW,
    what: `attachment ${text}`,
    about: { kind: "instanceClusterNetworkAttachment", id: place.id },
    remove: async (repeat) =>
      (await session.tenant.call(service.deleteInstanceClusterNetworkAttachment, request, repeat))
        .instanceClusterNetworkAttachment,
    read: async () =>
      (await readAttachment(session, place.instanceId, place.id)).instanceClusterNetworkAttachment,
  });
}
