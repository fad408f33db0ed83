// Nodes in the database. `generation` and `acceptedGeneration` are kept by the outbox alone.
import type { NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import type { Node } from "../../domain/node.js";
import { big, type Table, text } from "../codec.js";
import type { NodeReads } from "../contract.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

const LENT = ["generation", "accepted_generation"];

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
  keptElsewhere: LENT,
  view: { name: "whole_nodes", lends: LENT },
};

export class Nodes extends NounRows<Node, NodeId, object> implements NodeReads {
  constructor(work: Work) {
    super(work, TABLE);
  }

  override async insertAll(rows: readonly Node[]): Promise<void> {
    await super.insertAll(rows);
    await this.work.sql.runEach(
      `INSERT INTO node_generations (node_id, generation, accepted_generation, since)
       VALUES (?, ?, ?, ?)`,
      rows.map((row) => [row.id, row.generation, row.acceptedGeneration, this.work.revision]),
    );
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

/** The node, if this work has read or written it. */
export function knownNode(work: Work, node: NodeId): Node | undefined {
  return work.recall(TABLE.kind, node)?.row as Node | undefined;
}

/** Puts the node into the transaction's changes, with generations that were written elsewhere. */
export function noteGeneration(
  work: Work,
  node: NodeId,
  generations: Partial<Pick<Node, "generation" | "acceptedGeneration">>,
): void {
  const known = work.recall(TABLE.kind, node);
  if (known) {
    const row = { ...(known.row as Node), ...generations };
    const { generation, acceptedGeneration: accepted_generation } = row;
    const columns = { ...known.columns, generation, accepted_generation };
    work.known.keep(TABLE.kind, node, { row, columns });
  }
  noteNode(work, node);
}

/** Puts the node into the transaction's changes: something about it changed outside its own row. */
export function noteNode(work: Work, node: NodeId): void {
  work.note({ kind: "node", id: node, account: undefined, op: "updated" });
}
