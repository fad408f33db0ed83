// Declared things that live under their name and have no life of their own: zones, profiles,
// hardware kinds, applied mzone documents. One table each, all of one shape.
import type { Soon } from "@railyard/lib/soon";
import type { Put } from "../contract.js";
import { fromJson, type Work } from "../work.js";

export interface DeclaredTable {
  readonly name: string;
  /** What the change log calls such a thing. */
  readonly kind: string;
}

export const ZONES: DeclaredTable = { name: "zones", kind: "zone" };
export const NETWORK_PROFILES: DeclaredTable = {
  name: "cluster_network_profiles",
  kind: "clusterNetworkProfile",
};
export const INSTANCE_PROFILES: DeclaredTable = {
  name: "instance_profiles",
  kind: "instanceProfile",
};
export const HARDWARE_KINDS: DeclaredTable = { name: "hardware_kinds", kind: "hardwareKind" };
export const MZONES: DeclaredTable = { name: "mzones", kind: "mzone" };

export class Declared<Row extends { readonly name: string }> implements Put<Row> {
  constructor(
    private readonly work: Work,
    private readonly table: DeclaredTable,
  ) {}

  get(name: string): Soon<Row | undefined> {
    const { sql } = this.work;
    return this.work.declared(`${this.table.name}/${name}`, async () => {
      const row = await sql.get(`SELECT body FROM ${this.table.name} WHERE name = ?`, [name]);
      return row && fromJson<Row>(row, "body");
    });
  }

  /** By name. */
  all(): Soon<readonly Row[]> {
    const { sql } = this.work;
    return this.work.declared(`all ${this.table.name}`, async () => {
      const rows = await sql.all(`SELECT body FROM ${this.table.name} ORDER BY name`);
      return rows.map((row) => fromJson<Row>(row, "body"));
    });
  }

  /** Putting what is stored already changes nothing and is not logged. */
  async put(row: Row): Promise<void> {
    const before = await this.get(row.name);
    const changed = await this.work.sql.run(
      `INSERT INTO ${this.table.name} (name, body) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET body = excluded.body
       WHERE ${this.table.name}.body <> excluded.body`,
      [row.name, JSON.stringify(row)],
    );
    if (changed > 0) this.note(row.name, before ? "updated" : "created");
  }

  async remove(name: string): Promise<void> {
    const gone = await this.work.sql.run(`DELETE FROM ${this.table.name} WHERE name = ?`, [name]);
    if (gone > 0) this.note(name, "deleted");
  }

  private note(id: string, op: "created" | "updated" | "deleted"): void {
    this.work.note({ kind: this.table.kind, id, account: undefined, op });
  }
}
