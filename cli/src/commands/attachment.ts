// railctl attachment: an instance's cluster network attachments in order.
import {
  AttachmentObserved,
  InstanceClusterNetworkAttachment,
  InstanceClusterNetworkAttachmentServiceService as service,
} from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import type { Command } from "commander";
import type { View } from "../output.js";
import { listAll } from "../pages.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, nameOf, wordOf } from "../words.js";
import { instanceId } from "./instance-lookup.js";

const VIEW: View<InstanceClusterNetworkAttachment> = {
  columns: [
    { title: "POS", cell: ({ position }) => countOf(position) },
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "INTERFACE", cell: (it) => it.interface?.name ?? "" },
    { title: "SUBNET", cell: (it) => nameOf(it.interface?.subnet) },
    { title: "ADDRESS", cell: (it) => it.interface?.primaryIp?.address ?? "" },
    { title: "RAIL", cell: ({ rail }) => countOf(rail) },
    { title: "BEFORE", cell: ({ before }) => nameOf(before) },
    { title: "OBSERVED", cell: (it) => observedWord(it.observed), state: true },
    { title: "STATE", cell: (it) => wordOf(LifecycleState, it.lifecycleState), state: true },
  ],
  json: InstanceClusterNetworkAttachment.toJSON,
};

/** What the machine reported about an attachment, in one word. */
export function observedWord(observed: AttachmentObserved): string {
  return wordOf(AttachmentObserved, observed);
}

/** Adds the noun. */
export function addAttachment(program: Command, run: Run): void {
  program
    .command("attachment")
    .description("an instance's cluster network attachments")
    .command("list")
    .description("list the attachments of an instance in order")
    .requiredOption("--instance <instance>", "the instance, by name or id")
    .action(run(list));
}

async function list(session: Session, flags: { readonly instance: string }): Promise<void> {
  const attachments = await listAll(session.tenant, {
    method: service.listInstanceClusterNetworkAttachments,
    filters: { instanceId: await instanceId(session, flags.instance) },
    items: (answer) => answer.instanceClusterNetworkAttachments,
  });
  session.output.many(VIEW, attachments);
}
