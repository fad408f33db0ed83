// A database as a program of an earlier schema kept it, made from one of this program: the same
// rows in the tables of then. What earlier tables had and today's have not stays empty.
import { STEPS } from "@railyard/controller/store/migrations";
import Database from "better-sqlite3";

/** Tables that a later version no longer has. */
export const GONE: readonly string[] = ["address_pools", "outbox"];
/** Where today's rows have the columns that they had then. */
const VIEWS: Readonly<Record<string, string>> = { nodes: "whole_nodes" };

/** Writes `path` with the rows of the closed database `newer` and the schema of that version. */
export function writeOlder(path: string, newer: string, version: number): void {
  const db = new Database(path);
  db.pragma("foreign_keys = OFF");
  for (const statement of STEPS.slice(0, version).flat()) db.exec(statement);
  db.exec("CREATE TABLE schema_version (version INTEGER NOT NULL)");
  db.prepare("ATTACH ? AS newer").run(newer);
  for (const table of tablesOf(db)) {
    db.exec(`DELETE FROM ${table}`);
    if (GONE.includes(table)) continue;
    const columns = columnsOf(db, table).join(", ");
    const source = VIEWS[table] ?? table;
    db.exec(`INSERT INTO main.${table} (${columns}) SELECT ${columns} FROM newer.${source}`);
  }
  db.prepare("UPDATE schema_version SET version = ?").run(version);
  db.close();
}

export function tablesOf(db: Database.Database): readonly string[] {
  const tables = db.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'").pluck();
  return tables.all() as string[];
}

function columnsOf(db: Database.Database, table: string): readonly string[] {
  return db.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(table) as string[];
}
