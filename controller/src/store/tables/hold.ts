// Holds in the database, and how those ended that are gone. Whether a hold's time is over is asked
// with the time; the rows of such holds stay until they are swept.
import type { AccountId, ClusterNetworkId, HoldId } from "@railyard/lib/ids";
import { HOLD_END_KEPT_MS, type Hold, type HoldEnd } from "../../domain/hold.js";
import { type Codec, int, optional, type Table, text } from "../codec.js";
import type { HoldFilter, HoldRows, Page, PageKey } from "../contract.js";
import { NounRows } from "../rows.js";
import { type SqlValue, toNumber, toText } from "../sql.js";
import type { Work } from "../work.js";
import { noteRailSet, RailSets } from "./rail-set.js";

const RAILS: Codec<readonly number[]> = {
  to: (rails) => JSON.stringify(rails),
  from: (value) => JSON.parse(toText(value)) as readonly number[],
};

const TABLE: Table<Hold> = {
  name: "holds",
  kind: "hold",
  owned: true,
  columns: {
    id: text(),
    account: text(),
    createdAt: int(),
    name: text(),
    clusterNetworkId: text(),
    profile: text(),
    expiresAt: int(),
    rails: optional(RAILS),
  },
};

export class Holds extends NounRows<Hold, HoldId, HoldFilter> implements HoldRows {
  constructor(work: Work, account?: AccountId) {
    super(work, TABLE, account);
  }

  /** Notes what a hold does to the rails of its network and profile, as instances do. */
  override async insertAll(rows: readonly Hold[]): Promise<void> {
    const fixing: Hold[] = [];
    for (const row of rows) if (row.rails && !(await this.areRailsFixed(row))) fixing.push(row);
    await super.insertAll(rows);
    for (const row of fixing) noteRailSet(this.work, "created", row);
  }

  override async delete(id: HoldId): Promise<void> {
    const row = await this.get(id);
    await super.delete(id);
    if (!row?.rails || (await this.areRailsFixed(row))) return;
    noteRailSet(this.work, "deleted", row);
  }

  private async areRailsFixed({ clusterNetworkId, profile }: Hold): Promise<boolean> {
    return (await new RailSets(this.work).of(clusterNetworkId, profile)) !== undefined;
  }

  async living(
    at: number,
    { after, limit }: { readonly after?: PageKey; readonly limit: number },
  ): Promise<Page<Hold>> {
    const seek = after ? "AND created_at <= ? AND (created_at < ? OR (name, id) > (?, ?))" : "";
    const from = after ? [after.createdAt, after.createdAt, after.name, after.id] : [];
    const rows = await this.where(
      `expires_at > ? ${seek} ORDER BY created_at DESC, name, id LIMIT ?`,
      [at, ...from, limit + 1],
    );
    return { rows: rows.slice(0, limit), total: await this.count(at), more: rows.length > limit };
  }

  inNetwork(network: ClusterNetworkId, at: number): Promise<readonly Hold[]> {
    return this.where("cluster_network_id = ? AND expires_at > ? ORDER BY id", [network, at]);
  }

  over(at: number, limit: number): Promise<readonly Hold[]> {
    return this.where("expires_at <= ? ORDER BY expires_at, id LIMIT ?", [at, limit]);
  }

  async endOf(id: HoldId): Promise<HoldEnd | undefined> {
    const row = await this.work.sql.get(
      `SELECT how FROM ended_holds WHERE id = ?${this.account ? " AND account = ?" : ""}`,
      this.account ? [id, this.account] : [id],
    );
    return row && toText<HoldEnd>(row.how);
  }

  async end({ id, account }: Hold, how: HoldEnd, at: number): Promise<void> {
    await this.delete(id);
    await this.work.sql.run("INSERT INTO ended_holds (id, account, how, at) VALUES (?, ?, ?, ?)", [
      id,
      account,
      how,
      at,
    ]);
  }

  private async count(at: number): Promise<number> {
    const mine = this.account ? " AND account = ?" : "";
    const params: SqlValue[] = this.account ? [at, this.account] : [at];
    const row = await this.work.sql.get(
      `SELECT count(*) AS total FROM holds WHERE expires_at > ?${mine}`,
      params,
    );
    return toNumber(row?.total);
  }
}

/** Forgets how holds ended that have been gone for long; answers how many. */
export function forgetEndedHolds({ sql }: Work, at: number): Promise<number> {
  return sql.run("DELETE FROM ended_holds WHERE at < ?", [at - HOLD_END_KEPT_MS]);
}
