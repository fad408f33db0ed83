// Attachments in the database. Positions may be swapped one row at a time: whoever stands in the
// way loses its slot until the end of the transaction, when every row must find its position free.
import type { AccountId, AttachmentId, InstanceId } from "@railyard/lib/ids";
import type { Attachment } from "../../domain/attachment.js";
import { int, type Table, text } from "../codec.js";
import type { AttachmentReads } from "../contract.js";
import { groupBy } from "../group.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

const TABLE: Table<Attachment> = {
  name: "attachments",
  kind: "attachment",
  owned: true,
  columns: {
    id: text(),
    account: text(),
    createdAt: int(),
    name: text(),
    instanceId: text(),
    interfaceId: text(),
    position: int(),
  },
  derived: (row) => ({ slot: row.position }),
};

/** Where the order that was read last is known, among rows: no id is like this. */
const LAST_ORDER = "last order";

interface Order {
  readonly instance: InstanceId;
  /** Whose objects it was asked among; undefined: everybody's. */
  readonly account: AccountId | undefined;
  readonly rows: readonly Attachment[];
}

export class Attachments
  extends NounRows<Attachment, AttachmentId, object>
  implements AttachmentReads
{
  constructor(work: Work, account?: AccountId) {
    super(work, TABLE, account);
  }

  /** A transaction that asks again is told the same, until it changes any attachment. */
  async ofInstance(instance: InstanceId): Promise<readonly Attachment[]> {
    const last = this.work.recall(TABLE.kind, LAST_ORDER)?.row as Order | undefined;
    if (last?.instance === instance && last.account === this.account) return last.rows;
    const rows = await this.where("instance_id = ? ORDER BY position, id", [instance]);
    this.keepOrder(instance, rows);
    return rows;
  }

  private keepOrder(instance: InstanceId, rows: readonly Attachment[]): void {
    const row: Order = { instance, account: this.account, rows };
    this.work.known.keep(TABLE.kind, LAST_ORDER, { row, columns: {} });
  }

  override async insertAll(rows: readonly Attachment[]): Promise<void> {
    const all = groupBy(rows, (row) => row.instanceId);
    const alone: InstanceId[] = [];
    for (const [instance, own] of all) {
      const isFirst = this.work.isFirst(`attached/${instance}`);
      if (isFirst && this.work.hasMade({ kind: "instance", id: instance })) alone.push(instance);
      else await this.clearSlots(instance, { but: "", ...spanOf(own) });
    }
    await super.insertAll(rows);
    this.work.known.forget(TABLE.kind, LAST_ORDER);
    // The first attachments of an instance that is new as well are all that it has.
    const [instance] = alone;
    const order = instance && all.get(instance)?.toSorted((a, b) => a.position - b.position);
    if (order) this.keepOrder(instance, order);
  }

  override async update(row: Attachment): Promise<void> {
    const { id, instanceId, position } = row;
    await this.clearSlots(instanceId, { first: position, last: position, but: id });
    await super.update(row);
    this.work.known.forget(TABLE.kind, LAST_ORDER);
  }

  override async delete(id: AttachmentId): Promise<void> {
    await super.delete(id);
    this.work.known.forget(TABLE.kind, LAST_ORDER);
  }

  /** Whoever stands there loses its slot, and has its own position again at the end. */
  private async clearSlots(
    instanceId: InstanceId,
    slots: { readonly first: number; readonly last: number; readonly but: string },
  ): Promise<void> {
    const { sql } = this.work;
    const cleared = await sql.run(
      `UPDATE attachments SET slot = NULL
       WHERE instance_id = ? AND slot BETWEEN ? AND ? AND id <> ?`,
      [instanceId, slots.first, slots.last, slots.but],
    );
    if (cleared === 0) return;
    this.work.known.forgetAll();
    this.work.checkAtEnd(`slots/${instanceId}`, async () => {
      await sql.run(
        "UPDATE attachments SET slot = position WHERE instance_id = ? AND slot IS NULL",
        [instanceId],
      );
    });
  }
}

function spanOf(rows: readonly Attachment[]): { readonly first: number; readonly last: number } {
  const positions = rows.map(({ position }) => position);
  return { first: Math.min(...positions), last: Math.max(...positions) };
}
