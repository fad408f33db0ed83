// railctl attachment: an instance's cluster network attachments in order.
import type { Command } from "commander";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { printChanges, WATCH, type WatchFlags } from "../watch.js";
import { addAttachmentChanges } from "./attachment-change.js";
import { ATTACHMENT_VIEW, INSTANCE, listAttachments } from "./attachment-view.js";
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
  addAttachmentChanges(noun, run);
}

async function list(
  session: Session,
  flags: WatchFlags & { readonly instance: string },
): Promise<void> {
  const id = await instanceId(session, flags.instance);
  const now = () => listAttachments(session, id);
  if (!flags.watch) return session.output.many(ATTACHMENT_VIEW, await now());
  const matches = (it: { readonly instanceId: string }) => it.instanceId === id;
  const kind = "instanceClusterNetworkAttachment";
  await printChanges(session, { kind, view: ATTACHMENT_VIEW, now, matches });
}
