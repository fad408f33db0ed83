// Which instance uses which volume, of whatever account: one at a time. The database itself refuses
// a second one.
import type { AccountId, InstanceId } from "@railyard/lib/ids";
import type { VolumeRows, VolumeUser } from "../contract.js";
import type { Work } from "../work.js";

export class VolumeUsers implements VolumeRows {
  constructor(private readonly work: Work) {}

  async userOf(volumeId: string): Promise<VolumeUser | undefined> {
    const row = await this.work.sql.get(
      "SELECT account, instance_id FROM volume_users WHERE volume_id = ?",
      [volumeId],
    );
    if (!row) return undefined;
    return { account: row.account as AccountId, instanceId: row.instance_id as InstanceId };
  }

  async claim(volumeId: string, { account, instanceId }: VolumeUser): Promise<void> {
    await this.work.sql.run(
      "INSERT INTO volume_users (volume_id, account, instance_id) VALUES (?, ?, ?)",
      [volumeId, account, instanceId],
    );
  }

  async release(instance: InstanceId): Promise<void> {
    await this.work.sql.run("DELETE FROM volume_users WHERE instance_id = ?", [instance]);
  }
}
