// Instances in the database. The node of a placement, in whatever phase, has an indexed column.
import type { AccountId, InstanceId, NodeId } from "@railyard/lib/ids";
import type { Instance, InstancePlacement } from "../../domain/instance.js";
import { type Codec, int, optional, type Table, text } from "../codec.js";
import type { InstanceFilter, InstanceReads, NodeLoad } from "../contract.js";
import { NounRows } from "../rows.js";
import { toNumber, toText } from "../sql.js";
import type { Work } from "../work.js";

// JSON has no 64-bit integers: the generation travels as text.
const PLACEMENT: Codec<InstancePlacement> = {
  to: (placement) =>
    JSON.stringify({ ...placement, sinceGeneration: String(placement.sinceGeneration) }),
  from: (value) => {
    const placement = JSON.parse(toText(value)) as InstancePlacement;
    return { ...placement, sinceGeneration: BigInt(placement.sinceGeneration) };
  },
};

const TABLE: Table<Instance> = {
  name: "instances",
  kind: "instance",
  owned: true,
  columns: {
    id: text(),
    account: text(),
    createdAt: int(),
    name: text(),
    profile: text(),
    vpcId: text(),
    clusterNetworkId: optional(text()),
    status: text(),
    placement: optional(PLACEMENT),
  },
  derived: (row) => ({ placed_on: row.placement?.nodeId ?? null }),
};

export class Instances
  extends NounRows<Instance, InstanceId, InstanceFilter>
  implements InstanceReads
{
  constructor(work: Work, account?: AccountId) {
    super(work, TABLE, account);
  }

  /** Placed on the node, in whatever phase, by id. */
  async onNode(node: NodeId): Promise<readonly Instance[]> {
    const there = "placed_on = ? ORDER BY id";
    // The index has the ids: rows that this transaction knows are not read again.
    const ids = (await this.select(there, [node], "id")).map(({ id }) => toText(id));
    const known = ids.flatMap((id) => this.work.recall(TABLE.kind, id)?.row ?? []);
    return known.length === ids.length ? (known as Instance[]) : this.where(there, [node]);
  }

  /** The size of a text stands apart from it: the engine reads no user data for this. */
  async loadOfNode(node: NodeId): Promise<NodeLoad> {
    const found = await this.work.sql.get(
      `SELECT COUNT(*) AS instances, COALESCE(SUM(OCTET_LENGTH(body)), 0) AS bytes
       FROM instances WHERE placed_on = ?`,
      [node],
    );
    return { instances: toNumber(found?.instances), bytes: toNumber(found?.bytes) };
  }
}
