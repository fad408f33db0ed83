// Layouts of guests, one for each instance that was seen running. They go with the instance's claim
// and are no objects of their own: no log speaks of them.
import type { AccountId, InstanceId } from "@railyard/lib/ids";
import type { GuestLayout } from "../../domain/guest-layout.js";
import type { GuestLayouts as Contract } from "../contract.js";
import type { SqlValue } from "../sql.js";
import type { Work } from "../work.js";

export class GuestLayouts implements Contract {
  constructor(
    private readonly work: Work,
    private readonly account: AccountId | undefined,
  ) {}

  async get(instance: InstanceId): Promise<GuestLayout | undefined> {
    const mine = this.account === undefined ? "" : " AND account = ?";
    const params: SqlValue[] = [instance, ...(this.account === undefined ? [] : [this.account])];
    const row = await this.work.sql.get(
      `SELECT layout FROM guest_layouts WHERE instance_id = ?${mine}`,
      params,
    );
    return row ? (JSON.parse(String(row.layout)) as GuestLayout) : undefined;
  }

  async put(owner: { readonly id: InstanceId; readonly account: AccountId }, layout: GuestLayout) {
    await this.work.sql.run(
      `INSERT INTO guest_layouts (instance_id, account, layout) VALUES (?, ?, ?)
       ON CONFLICT (instance_id) DO UPDATE SET layout = excluded.layout
       WHERE guest_layouts.layout <> excluded.layout`,
      [owner.id, owner.account, JSON.stringify(layout)],
    );
  }
}
