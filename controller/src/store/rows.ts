// Rows of one noun, over one table: get, list, insert, update, delete, each within one account or
// over all of them, each noted in the transaction's changes. Knows no noun by name.
import { bug } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import { decodeRow, encodeRow, type Table } from "./codec.js";
import type { ChangeEntry, ListQuery, Page, Rows, ShownRow } from "./contract.js";
import type { KnownRow } from "./known-rows.js";
import { anyStatement, pageStatements } from "./page.js";
import type { ChangedRow } from "./shown-in.js";
import { type SqlRow, type SqlValue, toNumber, toText } from "./sql.js";
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

  get(id: Id): Promise<Row | undefined> {
    const known = this.work.recall(this.table.kind, id);
    if (known) return Promise.resolve(this.mine(known)?.row as Row | undefined);
    return this.read(id).then((found) => found?.row as Row | undefined);
  }

  async list(query: ListQuery<Filter>): Promise<Page<Row>> {
    const { found, ...page } = await this.page(query);
    return { rows: found.map((row) => decodeRow(this.table, row)), ...page };
  }

  private async page(query: ListQuery<Filter> & { readonly columns?: string }) {
    const scope = this.account ? { account: this.account } : {};
    const { rows, count } = pageStatements(this.source, scope, query);
    const found = await this.work.sql.all(rows.text, rows.params);
    const total = await this.work.sql.get(count.text, count.params);
    return {
      found: found.slice(0, query.limit),
      total: toNumber(total?.total),
      more: found.length > query.limit,
    };
  }

  async any(filter: Filter): Promise<boolean> {
    const scope = this.account ? { account: this.account } : {};
    const { text, params } = anyStatement(this.source, scope, filter);
    return (await this.work.sql.get(text, params)) !== undefined;
  }

  /** The row's public bytes, kept beside it. */
  async shown(id: Id): Promise<Uint8Array | undefined> {
    const [row] = await this.select("id = ?", [id], this.shownColumn);
    return row?.object instanceof Uint8Array ? row.object : undefined;
  }

  async listShown(query: ListQuery<Filter>): Promise<Page<ShownRow> | undefined> {
    const columns = `id, created_at, name, ${this.shownColumn}`;
    const { found, ...page } = await this.page({ ...query, columns });
    const rows: ShownRow[] = [];
    for (const { id, created_at, name, object } of found) {
      if (!(object instanceof Uint8Array)) return undefined;
      const key = { createdAt: toNumber(created_at), name: toText(name), id: toText(id) };
      rows.push({ ...key, object });
    }
    return { rows, ...page };
  }

  private get source(): string {
    return this.table.view?.name ?? this.table.name;
  }

  private get shownColumn(): string {
    return `(SELECT e.object FROM encoded_objects e
      WHERE e.id = ${this.source}.id AND e.kind = '${this.table.kind}') AS object`;
  }

  insert(row: Row): Promise<void> {
    return this.insertAll([row]);
  }

  async insertAll(rows: readonly Row[]): Promise<void> {
    const encoded = rows.map((row) => ({ row, columns: encodeRow(this.table, row) }));
    const [first] = encoded;
    if (!first) return;
    const foreign = encoded.find(({ columns }) => !this.isMine(columns));
    if (foreign) throw bug(`${this.table.kind} ${foreign.row.id} belongs to another account`);
    const own = this.ownColumns(first.columns);
    await this.work.sql.runEach(
      insertText(this.table.name, own),
      encoded.map(({ columns }) => own.map((name) => columns[name] ?? null)),
    );
    for (const { row, columns } of encoded) {
      this.keep(row, columns);
      this.note("created", row.id, { columns, now: row });
    }
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
    const isAll = !this.table.keptElsewhere;
    if (isAll) this.keep(row, columns);
    else this.work.known.forget(this.table.kind, row.id);
    this.note("updated", row.id, { columns: stored, changed, now: isAll ? row : undefined });
  }

  async delete(id: Id): Promise<void> {
    const stored = await this.columnsOf(id);
    await this.work.sql.run(`DELETE FROM ${this.table.name} WHERE id = ?`, [id]);
    this.work.known.forget(this.table.kind, id);
    this.note("deleted", id, { columns: stored });
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

  protected note(op: ChangeEntry["op"], id: string, row: ChangedRow): void {
    const account = this.table.owned ? (row.columns.account as AccountId) : undefined;
    this.work.note({ kind: this.table.kind, id, account, op }, row);
  }

  /** The stored columns; a missing row, or another account's, is a bug of the caller. */
  protected async columnsOf(id: Id): Promise<SqlRow> {
    const found = await this.find(id);
    if (!found) throw bug(`${this.table.kind} ${id} is not there to be changed`);
    return found.columns;
  }

  /** The row is this now, in the database too. */
  protected keep(row: Row, columns: SqlRow): void {
    this.work.known.keep(this.table.kind, row.id, { row, columns });
  }

  /** Those that the table has itself. */
  private ownColumns(columns: SqlRow): readonly string[] {
    const { view } = this.table;
    return Object.keys(columns).filter((name) => !view?.lends.includes(name));
  }

  private isMine(columns: SqlRow): boolean {
    return this.account === undefined || columns.account === this.account;
  }

  /** The row with its columns, from the database unless this transaction knows it. */
  private find(id: Id): Promise<KnownRow | undefined> {
    const known = this.work.recall(this.table.kind, id);
    return known ? Promise.resolve(this.mine(known)) : this.read(id);
  }

  private mine(known: KnownRow): KnownRow | undefined {
    return this.isMine(known.columns) ? known : undefined;
  }

  private async read(id: Id): Promise<KnownRow | undefined> {
    const [columns] = await this.select("id = ?", [id]);
    if (!columns) return undefined;
    const row = decodeRow(this.table, columns);
    this.keep(row, columns);
    return { row, columns };
  }

  /** Rows of the account, undecoded. */
  protected select(
    condition: string,
    params: readonly SqlValue[],
    columns = "*",
  ): Promise<readonly SqlRow[]> {
    const mine = this.account ? "account = ? AND " : "";
    return this.work.sql.all(
      `SELECT ${columns} FROM ${this.source} WHERE ${mine}${condition}`,
      this.account ? [this.account, ...params] : params,
    );
  }

  private differs(name: string, columns: SqlRow, stored: SqlRow): boolean {
    if (this.table.keptElsewhere?.includes(name)) return false;
    return columns[name] !== stored[name];
  }
}

const insertTexts = new Map<string, string>();

/** Worked out once for each table: its rows always have the same columns. */
function insertText(table: string, names: readonly string[]): string {
  const known = insertTexts.get(table);
  if (known) return known;
  const marks = names.map(() => "?").join(", ");
  const made = `INSERT INTO ${table} (${names.join(", ")}) VALUES (${marks})`;
  insertTexts.set(table, made);
  return made;
}
