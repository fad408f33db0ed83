// What other services own, as declared: images, keys, VPCs, VPC subnets, volumes, by kind and id.
import type { AccountId } from "@railyard/lib/ids";
import type { Soon } from "@railyard/lib/soon";
import type { CatalogItem, CatalogKind } from "../../domain/catalog-item.js";
import type { WriteTx } from "../contract.js";
import { fromJson, type Work } from "../work.js";

export class CatalogItems {
  constructor(private readonly work: Work) {}

  get(kind: CatalogKind, id: string, account: AccountId): Soon<CatalogItem | undefined> {
    const { sql } = this.work;
    return this.work.declared(`${account}/${kind}/${id}`, async () => {
      const row = await sql.get(
        `SELECT body FROM catalog_items WHERE kind = ? AND id = ?
         AND (account IS NULL OR account = ?)`,
        [kind, id, account],
      );
      return row && fromJson<CatalogItem>(row, "body");
    });
  }

  /** By kind, then id. */
  async all(): Promise<readonly CatalogItem[]> {
    const rows = await this.work.sql.all("SELECT body FROM catalog_items ORDER BY kind, id");
    return rows.map((row) => fromJson<CatalogItem>(row, "body"));
  }

  async put(item: CatalogItem): Promise<void> {
    const changed = await this.work.sql.run(
      `INSERT INTO catalog_items (kind, id, account, body) VALUES (?, ?, ?, ?)
       ON CONFLICT (kind, id) DO UPDATE SET account = excluded.account, body = excluded.body
       WHERE catalog_items.body <> excluded.body`,
      [item.kind, item.id, item.account ?? null, JSON.stringify(item)],
    );
    if (changed > 0) this.note(item.kind, item.id, "updated");
  }

  async remove(kind: CatalogKind, id: string): Promise<void> {
    const gone = await this.work.sql.run("DELETE FROM catalog_items WHERE kind = ? AND id = ?", [
      kind,
      id,
    ]);
    if (gone > 0) this.note(kind, id, "deleted");
  }

  private note(kind: CatalogKind, id: string, op: "updated" | "deleted"): void {
    this.work.note({ kind: "catalogItem", id: `${kind}/${id}`, account: undefined, op });
  }
}

/** Holds the class to the contract. */
export function catalogItems(work: Work): WriteTx["catalog"] {
  return new CatalogItems(work);
}
