// Faults of made-up machines in the database.
import type { FaultId, NodeId } from "@railyard/lib/ids";
import type { NodeFault } from "../../domain/node-fault.js";
import { int, optional, type Table, text } from "../codec.js";
import type { NodeFaultFilter, NodeFaultReads } from "../contract.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

const TABLE: Table<NodeFault> = {
  name: "node_faults",
  kind: "node-fault",
  owned: false,
  columns: { id: text(), nodeId: text(), createdAt: int(), expiresAt: optional(int()) },
  // Pages are in order of time, name and id, and faults have no name.
  derived: () => ({ name: "" }),
};

export class NodeFaults
  extends NounRows<NodeFault, FaultId, NodeFaultFilter>
  implements NodeFaultReads
{
  constructor(work: Work) {
    super(work, TABLE);
  }

  ofNode(node: NodeId): Promise<readonly NodeFault[]> {
    return this.where("node_id = ? ORDER BY id", [node]);
  }

  expired(at: number): Promise<readonly NodeFault[]> {
    return this.where("expires_at <= ? ORDER BY id", [at]);
  }
}
