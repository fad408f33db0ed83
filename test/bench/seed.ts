// Fills a database with very many resources: copies of one account's objects in accounts of their
// own, written by SQL because a million creates would take an hour. What a copy says of itself has
// the same length as in the original, so that its encoded object stays well formed.
import Database from "better-sqlite3";

/** What is copied, by id. */
export interface Originals {
  readonly account: string;
  readonly network: string;
  readonly subnet: string;
  readonly ip: string;
  readonly interface: string;
  readonly instance: string;
}

/** Of each account: a network, a subnet, and of the rest so many. */
const EACH = { ip: 1_000, interface: 500, instance: 500 };
/** Resources of one account. */
export const ACCOUNT_RESOURCES = 2 + EACH.ip + EACH.interface + EACH.instance;

/** The first account's name; it has the length of the original's. */
export function seededAccount(at: number): string {
  return `s${at.toString(36).padStart(4, "0")}`;
}

type Value = string | bigint | Buffer | null;
type Row = Record<string, Value>;
type Swap = ReadonlyMap<string, string>;
type Kind = Exclude<keyof Originals, "account">;

const TABLES: Readonly<Record<Kind, { readonly table: string; readonly kind: string }>> = {
  network: { table: "cluster_networks", kind: "clusterNetwork" },
  subnet: { table: "subnets", kind: "subnet" },
  ip: { table: "reserved_ips", kind: "reservedIp" },
  interface: { table: "interfaces", kind: "interface" },
  instance: { table: "instances", kind: "instance" },
};

/** Adds `accounts` of them to the closed database at `path`; answers how many resources. */
export function seed(path: string, originals: Originals, accounts: number): number {
  const db = new Database(path);
  try {
    db.defaultSafeIntegers(true);
    for (const pragma of ["synchronous = OFF", "foreign_keys = OFF", "cache_size = -2000000"]) {
      db.pragma(pragma);
    }
    const copies = Object.fromEntries(
      (Object.keys(TABLES) as Kind[]).map((kind) => [kind, copier(db, kind, originals[kind])]),
    ) as Record<Kind, Copy>;
    db.exec("BEGIN IMMEDIATE");
    for (let at = 0; at < accounts; at++) seedAccount(copies, originals, at);
    db.exec("COMMIT");
    db.pragma("wal_checkpoint(TRUNCATE)");
    return accounts * ACCOUNT_RESOURCES;
  } finally {
    db.close();
  }
}

type Copy = (swap: Swap, change?: Row) => void;

function seedAccount(copies: Readonly<Record<Kind, Copy>>, of: Originals, at: number): void {
  const one = [
    [of.account, seededAccount(at)],
    [of.network, idLike(of.network, at)],
    [of.subnet, idLike(of.subnet, at)],
  ] as const;
  copies.network(new Map(one));
  copies.subnet(new Map(one));
  const first = at * ACCOUNT_RESOURCES;
  for (let i = 0; i < EACH.ip; i++) {
    const ip = [of.ip, idLike(of.ip, first + i)] as const;
    copies.ip(new Map([...one, ip]), { name: `ip-${i}`, address: BigInt(i) });
    if (i >= EACH.interface) continue;
    const own = [of.interface, idLike(of.interface, first + i)] as const;
    const mac = `02:00:00:00:${byte(i >> 8)}:${byte(i)}`;
    copies.interface(new Map([...one, ip, own]), { name: `if-${i}`, mac, target_id: null });
  }
  for (let i = 0; i < EACH.instance; i++) {
    const own = [of.instance, idLike(of.instance, first + i)] as const;
    copies.instance(new Map([...one, own]), { name: `in-${i}` });
  }
}

/** An id of the same kind and length; in no order, as ids are. */
export function idLike(id: string, at: number): string {
  const prefix = id.slice(0, id.indexOf("-") + 1);
  const scattered = (Math.imul(at + 1, 2_654_435_761) >>> 0).toString(32).padStart(7, "0");
  return `${prefix}${scattered}${at.toString(32).padStart(id.length - prefix.length - 7, "0")}`;
}

function copier(db: Database.Database, kind: Kind, id: string): Copy {
  const { table, kind: logged } = TABLES[kind];
  const row = db.prepare(`SELECT * FROM ${table} WHERE id = ?`).get(id) as Row | undefined;
  const kept = "SELECT * FROM encoded_objects WHERE id = ? AND kind = ?";
  const shown = db.prepare(kept).get(id, logged) as Row | undefined;
  if (!row || !shown) throw new Error(`no ${kind} ${id} to copy`);
  const [insert, show] = [inserting(db, table, row), inserting(db, "encoded_objects", shown)];
  return (swap, change = {}) => {
    insert({ ...swapped(row, swap), ...change });
    show(swapped(shown, swap));
  };
}

function inserting(db: Database.Database, table: string, row: Row): (row: Row) => void {
  const names = Object.keys(row);
  const marks = names.map(() => "?").join(", ");
  const text = `INSERT INTO ${table} (${names.join(", ")}) VALUES (${marks})`;
  const statement = db.prepare(text);
  return (values) => void statement.run(...names.map((name) => values[name] ?? null));
}

function swapped(row: Row, swap: Swap): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, inOf(value, swap)]));
}

function inOf(value: Value, swap: Swap): Value {
  if (value === null || typeof value === "bigint") return value;
  let text = typeof value === "string" ? value : value.toString("latin1");
  for (const [from, to] of swap) text = text.replaceAll(from, to);
  return typeof value === "string" ? text : Buffer.from(text, "latin1");
}

function byte(value: number): string {
  return (value & 0xff).toString(16).padStart(2, "0");
}

/** Seconds in which SQLite reads every column of every row once, and hands on nothing but a sum. */
export function scanSeconds(path: string): number {
  const db = new Database(path, { readonly: true });
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
    const scans = (tables as string[]).map((table) => {
      const columns = db.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(table);
      const lengths = columns.map((name) => `sum(length(CAST(${name} AS BLOB)))`);
      return db.prepare(`SELECT ${lengths.join(", ")} FROM ${table}`);
    });
    const started = performance.now();
    for (const scan of scans) scan.all();
    return (performance.now() - started) / 1_000;
  } finally {
    db.close();
  }
}
