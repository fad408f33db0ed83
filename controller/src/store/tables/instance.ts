// Instances in the database. The node of a placement, in whatever phase, has an indexed column.
import type { AccountId, InstanceId, NodeId } from "@railyard/lib/ids";
import type { Instance, InstancePlacement } from "../../domain/instance.js";
import { type Codec, int, optional, type Table, text } from "../codec.js";
import type { InstanceFilter, InstanceReads } from "../contract.js";
import { NounRows } from "../rows.js";
import { toText } from "../sql.js";
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
}
