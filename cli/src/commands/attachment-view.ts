// How an attachment is shown, and how the one that is typed is found.
import {
  AttachmentObserved,
  InstanceClusterNetworkAttachment,
  InstanceClusterNetworkAttachmentServiceService as service,
} from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { LifecycleReasonCode, LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import type { View } from "../output.js";
import { listAll } from "../pages.js";
import { type Lookup, resolveId, whetherFound } from "../resolve.js";
import type { Session } from "../session.js";
import { countOf, nameOf, reasonsOf, wordOf } from "../words.js";

/** How an attachment is shown. */
export const ATTACHMENT_VIEW: View<InstanceClusterNetworkAttachment> = {
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
  details: [
    { title: "REASONS", cell: (it) => reasonsOf(LifecycleReasonCode, it.lifecycleReasons) },
    { title: "ETAG", cell: ({ etag }) => etag },
  ],
  json: InstanceClusterNetworkAttachment.toJSON,
};

/** What the machine reported about an attachment, in one word. */
export function observedWord(observed: AttachmentObserved): string {
  return wordOf(AttachmentObserved, observed);
}

/** Says on every verb which instance is meant. */
export const INSTANCE = ["--instance <instance>", "the instance, by name or id"] as const;

/** Every attachment of the instance, in order. */
export function listAttachments(session: Session, instanceId: string) {
  return listAll(session.tenant, {
    method: service.listInstanceClusterNetworkAttachments,
    filters: { instanceId },
    items: (answer) => answer.instanceClusterNetworkAttachments,
  });
}

/** Reads one attachment. */
export function readAttachment(session: Session, instanceId: string, id: string) {
  return session.tenant.call(service.getInstanceClusterNetworkAttachment, { instanceId, id });
}

/** The id of the instance's attachment with this name or id; throws `notFound`. */
export function attachmentId(session: Session, instanceId: string, text: string): Promise<string> {
  const lookup: Lookup = {
    kind: "attachment",
    named: async (name) => {
      const all = await listAttachments(session, instanceId);
      return all.filter((one) => one.name === name).map(({ id }) => id);
    },
    exists: (id) => whetherFound(readAttachment(session, instanceId, id)),
  };
  return resolveId(lookup, text);
}
