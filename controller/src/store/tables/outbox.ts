// Which nodes have not yet accepted their newest desired state: one row per node, the generation
// only.
import { bug } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import type { OutboxEntry, OutboxRows } from "../contract.js";
import { toBigint, toText } from "../sql.js";
import type { Work } from "../work.js";
import { noteNode } from "./node.js";

export class NodeOutbox implements OutboxRows {
  constructor(private readonly work: Work) {}

  async pending(): Promise<readonly OutboxEntry[]> {
    const rows = await this.work.sql.all(
      "SELECT node_id, generation FROM outbox ORDER BY since, node_id",
    );
    return rows.map((row) => ({
      nodeId: toText<NodeId>(row.node_id),
      generation: toBigint(row.generation),
    }));
  }

  raise(node: NodeId): Promise<bigint> {
    return this.work.once(`raised/${node}`, () => this.raiseNow(node));
  }

  async accepted(node: NodeId, generation: bigint): Promise<void> {
    const { sql } = this.work;
    if (generation > (await this.generationOf(node))) {
      throw bug(`node ${node} accepted a generation that it was never given`);
    }
    const changed = await sql.run(
      "UPDATE nodes SET accepted_generation = ? WHERE id = ? AND accepted_generation < ?",
      [generation, node, generation],
    );
    const cleared = await sql.run("DELETE FROM outbox WHERE node_id = ? AND generation <= ?", [
      node,
      generation,
    ]);
    if (changed + cleared > 0) noteNode(this.work, node);
  }

  private async raiseNow(node: NodeId): Promise<bigint> {
    const { sql } = this.work;
    const generation = (await this.generationOf(node)) + 1n;
    await sql.run("UPDATE nodes SET generation = ? WHERE id = ?", [generation, node]);
    await sql.run(
      `INSERT INTO outbox (node_id, generation, since) VALUES (?, ?, ?)
       ON CONFLICT (node_id) DO UPDATE SET generation = excluded.generation`,
      [node, generation, this.work.revision],
    );
    noteNode(this.work, node);
    return generation;
  }

  private async generationOf(node: NodeId): Promise<bigint> {
    const row = await this.work.sql.get("SELECT generation FROM nodes WHERE id = ?", [node]);
    if (!row) throw bug(`node ${node} is not there`);
    return toBigint(row.generation);
  }
}
