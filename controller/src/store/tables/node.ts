// Nodes in the database. `generation` and `acceptedGeneration` are kept by the outbox alone.
import type { NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import type { Node } from "../../domain/node.js";
import { big, type Table, text } from "../codec.js";
import type { NodeReads } from "../contract.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

const TABLE: Table<Node> = {
  name: "nodes",
  kind: "node",
  owned: false,
  columns: {
    id: text(),
    name: text(),
    serial: text(),
    physicalClusterId: text(),
    generation: big(),
    acceptedGeneration: big(),
    appliedGeneration: big(),
  },
  derived: ({ role }) => ({ role: role ?? "hypervisor" }),
  keptElsewhere: ["generation", "accepted_generation"],
};

export class Nodes extends NounRows<Node, NodeId, object> implements NodeReads {
  constructor(work: Work) {
    super(work, TABLE);
  }

  /** By name. */
  all(): Promise<readonly Node[]> {
    return this.where("TRUE ORDER BY name", []);
  }

  byName(name: string): Promise<Node | undefined> {
    return this.first("name = ?", [name]);
  }

  fabricOf(cluster: PhysicalClusterId): Promise<Node | undefined> {
    return this.first("physical_cluster_id = ? AND role = 'fabric'", [cluster]);
  }
}

/** Puts the node into the transaction's changes: something about it changed outside its own row. */
export function noteNode(work: Work, node: NodeId): void {
  work.known.forget(TABLE.kind, node);
  work.note({ kind: "node", id: node, account: undefined, op: "updated" });
}
