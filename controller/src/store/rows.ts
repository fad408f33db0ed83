// Rows of one noun, over one table: get, list, insert, update, delete, each within one account or
// over all of them, each noted in the transaction's changes. Knows no noun by name.
import { bug } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import { decodeRow, encodeRow, type Table } from "./codec.js";
import type { ChangeEntry, ListQuery, Page, Rows } from "./contract.js";
import { pageStatements } from "./page.js";
import { type SqlRow, type SqlValue, toNumber } from "./sql.js";
import type { Work } from "./work.js";

export class NounRows<Row extends { readonly id: Id }, Id extends string, Filter extends object>
  implements Rows<Row, Id>
{
  constructor(
    protected readonly work: Work,
    protected readonly table: Table<Row>,
    /** Only this account's rows exist; undefined = everybody's. */
    protected readonly account?: AccountId,
  ) {}

  async get(id: Id): Promise<Row | undefined> {
    return this.first("id = ?", [id]);
  }

  async list(query: ListQuery<Filter>): Promise<Page<Row>> {
    const scope = this.account ? { account: this.account } : {};
    const { rows, count } = pageStatements(this.table.name, scope, query);
    const found = await this.work.sql.all(rows.text, rows.params);
    const total = await this.work.sql.get(count.text, count.params);
    return {
      rows: found.slice(0, query.limit).map((row) => decodeRow(this.table, row)),
      total: toNumber(total?.total),
      more: found.length > query.limit,
    };
  }

  async insert(row: Row): Promise<void> {
    const columns = encodeRow(this.table, row);
    if (this.account && columns.account !== this.account) {
      throw bug(`${this.table.kind} ${row.id} belongs to another account`);
    }
    const names = Object.keys(columns);
    await this.work.sql.run(
      `INSERT INTO ${this.table.name} (${names.join(", ")})
       VALUES (${names.map(() => "?").join(", ")})`,
      Object.values(columns),
    );
    this.note("created", row.id, columns);
  }

  /** Writing what is stored already changes nothing and is not logged. */
  async update(row: Row): Promise<void> {
    const stored = await this.columnsOf(row.id);
    const columns = encodeRow(this.table, row);
    const changed = Object.keys(columns).filter((name) => this.differs(name, columns, stored));
    if (changed.length === 0) return;
    if (changed.includes("account")) throw bug(`${this.table.kind} ${row.id} changed its account`);
    await this.work.sql.run(
      `UPDATE ${this.table.name} SET ${changed.map((name) => `${name} = ?`).join(", ")}
       WHERE id = ?`,
      [...changed.map((name) => columns[name] ?? null), row.id],
    );
    this.note("updated", row.id, stored);
  }

  async delete(id: Id): Promise<void> {
    const stored = await this.columnsOf(id);
    await this.work.sql.run(`DELETE FROM ${this.table.name} WHERE id = ?`, [id]);
    this.note("deleted", id, stored);
  }

  /** The first row of the account for which `condition` holds. */
  protected async first(condition: string, params: readonly SqlValue[]): Promise<Row | undefined> {
    return (await this.where(condition, params))[0];
  }

  /** Rows of the account for which `condition` (which may end in an ORDER BY) holds. */
  protected async where(condition: string, params: readonly SqlValue[]): Promise<readonly Row[]> {
    const found = await this.select(condition, params);
    return found.map((row) => decodeRow(this.table, row));
  }

  protected note(op: ChangeEntry["op"], id: string, columns: SqlRow): void {
    const account = this.table.owned ? (columns.account as AccountId) : undefined;
    this.work.note({ kind: this.table.kind, id, account, op });
  }

  /** The stored columns; a missing row, or another account's, is a bug of the caller. */
  protected async columnsOf(id: Id): Promise<SqlRow> {
    const [row] = await this.select("id = ?", [id]);
    if (!row) throw bug(`${this.table.kind} ${id} is not there to be changed`);
    return row;
  }

  private select(condition: string, params: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    const mine = this.account ? "account = ? AND " : "";
    return this.work.sql.all(
      `SELECT * FROM ${this.table.name} WHERE ${mine}${condition}`,
      this.account ? [this.account, ...params] : params,
    );
  }

  private differs(name: string, columns: SqlRow, stored: SqlRow): boolean {
    if (this.table.keptElsewhere?.includes(name)) return false;
    const [now, before] = [columns[name], stored[name]];
    return typeof now === "number" ? BigInt(now) !== before : now !== before;
  }
}
