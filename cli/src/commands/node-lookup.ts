// Finds nodes for the verbs of railctl node.
import {
  type Node,
  NodeState,
  NodeServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import { listAll } from "../pages.js";
import { type Lookup, resolveId, whetherFound } from "../resolve.js";
import type { Session } from "../session.js";
import { enumValueOf } from "../words.js";

/** Which nodes to list; an absent filter leaves all in. */
export interface NodeFilters {
  readonly name?: string;
  readonly zone?: string;
  readonly physicalCluster?: string;
  readonly leafGroup?: string;
  readonly state?: string;
}

/** Every node that the filters leave in; throws `invalid` for an unknown state. */
export function listNodes(session: Session, only: NodeFilters): Promise<Node[]> {
  const { state } = only;
  return listAll(session.admin, {
    method: service.listNodes,
    filters: {
      name: only.name ?? "",
      zone: only.zone ?? "",
      physicalCluster: only.physicalCluster ?? "",
      leafGroup: only.leafGroup ?? "",
      state: state === undefined ? 0 : enumValueOf(NodeState, state, "--state"),
    },
    items: (answer) => answer.nodes,
  });
}

/** Reads one node. */
export function readNode(session: Session, id: string) {
  return session.admin.call(service.getNode, { id });
}

/** The id of the node with this name or id; throws `notFound`. */
export function nodeId(session: Session, text: string): Promise<string> {
  const lookup: Lookup = {
    kind: "node",
    named: async (name) => (await listNodes(session, { name })).map(({ id }) => id),
    exists: (id) => whetherFound(readNode(session, id)),
  };
  return resolveId(lookup, text);
}
