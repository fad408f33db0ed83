// Attachments in the database. Positions may be swapped one row at a time: whoever stands in the
// way loses its slot until the end of the transaction, when every row must find its position free.
import type { AccountId, AttachmentId, InstanceId } from "@railyard/lib/ids";
import type { Attachment } from "../../domain/attachment.js";
import { int, type Table, text } from "../codec.js";
import type { AttachmentReads } from "../contract.js";
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

export class Attachments
  extends NounRows<Attachment, AttachmentId, object>
  implements AttachmentReads
{
  constructor(work: Work, account?: AccountId) {
    super(work, TABLE, account);
  }

  ofInstance(instance: InstanceId): Promise<readonly Attachment[]> {
    return this.where("instance_id = ? ORDER BY position, id", [instance]);
  }

  override async insertAll(rows: readonly Attachment[]): Promise<void> {
    for (const row of rows) await this.clearSlot(row);
    await super.insertAll(rows);
  }

  override async update(row: Attachment): Promise<void> {
    await this.clearSlot(row);
    await super.update(row);
  }

  private async clearSlot({ id, instanceId, position }: Attachment): Promise<void> {
    const { sql } = this.work;
    const cleared = await sql.run(
      "UPDATE attachments SET slot = NULL WHERE instance_id = ? AND slot = ? AND id <> ?",
      [instanceId, position, id],
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
