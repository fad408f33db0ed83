// The generations of nodes' desired states, and with them which nodes have not yet accepted their
// newest one.
import { bug } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import type { OutboxEntry, OutboxRows } from "../contract.js";
import { toBigint, toText } from "../sql.js";
import type { Work } from "../work.js";
import { knownNode, noteGeneration } from "./node.js";

export class NodeOutbox implements OutboxRows {
  constructor(private readonly work: Work) {}

  async pending(): Promise<readonly OutboxEntry[]> {
    const rows = await this.work.sql.all(
      `SELECT node_id, generation FROM node_generations WHERE accepted_generation < generation
       ORDER BY since, node_id`,
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
    if (generation > (await this.generationOf(node))) {
      throw bug(`node ${node} accepted a generation that it was never given`);
    }
    const changed = await this.work.sql.run(
      `UPDATE node_generations SET accepted_generation = ?
       WHERE node_id = ? AND accepted_generation < ?`,
      [generation, node, generation],
    );
    if (changed > 0) noteGeneration(this.work, node, { acceptedGeneration: generation });
  }

  private async raiseNow(node: NodeId): Promise<bigint> {
    const { sql, revision } = this.work;
    const generation = (await this.generationOf(node)) + 1n;
    // Who waits already waits since then.
    await sql.run(
      `UPDATE node_generations SET generation = ?,
         since = CASE WHEN accepted_generation < generation THEN since ELSE ? END
       WHERE node_id = ?`,
      [generation, revision, node],
    );
    noteGeneration(this.work, node, { generation });
    return generation;
  }

  private async generationOf(node: NodeId): Promise<bigint> {
    const known = knownNode(this.work, node);
    if (known) return known.generation;
    const row = await this.work.sql.get(
      "SELECT generation FROM node_generations WHERE node_id = ?",
      [node],
    );
    if (!row) throw bug(`node ${node} is not there`);
    return toBigint(row.generation);
  }
}
