// railctl attachment: an instance's cluster network attachments in order.
import type { Command } from "commander";
import { present } from "../answer.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { printChanges, printChangesOf, WATCH, type WatchFlags } from "../watch.js";
import { addAttachmentChanges } from "./attachment-change.js";
import {
  ATTACHMENT_VIEW,
  attachmentId,
  INSTANCE,
  listAttachments,
  readAttachment,
} from "./attachment-view.js";
import { instanceId } from "./instance-lookup.js";

/** Adds the noun. */
export function addAttachment(program: Command, run: Run): void {
  const noun = program
    .command("attachment")
    .description("an instance's cluster network attachments");
  noun
    .command("list")
    .description("list the attachments of an instance in order")
    .requiredOption(...INSTANCE)
    .option(...WATCH)
    .action(run(list));
  noun
    .command("get <attachment>")
    .description("show an attachment")
    .requiredOption(...INSTANCE)
    .option(...WATCH)
    .action(run(get));
  addAttachmentChanges(noun, run);
}

const KIND = "instanceClusterNetworkAttachment";

interface Flags extends WatchFlags {
  readonly instance: string;
}

async function list(session: Session, flags: Flags): Promise<void> {
  const id = await instanceId(session, flags.instance);
  const now = () => listAttachments(session, id);
  if (!flags.watch) return session.output.many(ATTACHMENT_VIEW, await now());
  const matches = (it: { readonly instanceId: string }) => it.instanceId === id;
  await printChanges(session, { kind: KIND, view: ATTACHMENT_VIEW, now, matches });
}

async function get(session: Session, flags: Flags, [text = ""]: readonly string[]): Promise<void> {
  const instance = await instanceId(session, flags.instance);
  const id = await attachmentId(session, instance, text);
  const now = async () =>
    present((await readAttachment(session, instance, id)).instanceClusterNetworkAttachment);
  if (!flags.watch) return session.output.one(ATTACHMENT_VIEW, await now());
  await printChangesOf(session, { kind: KIND, view: ATTACHMENT_VIEW, id, now });
}
