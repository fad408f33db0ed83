// How members of a noun become columns and back. Members without a column of their own go into
// `body` as JSON. Knows the shapes of values, not the nouns.
import { type SqlValue, toBigint, toNumber, toText } from "./sql.js";

export interface Codec<T> {
  to(value: T): SqlValue;
  from(value: SqlValue | undefined): T;
}

export function text<T extends string>(): Codec<T> {
  return { to: (value) => value, from: (value) => toText<T>(value) };
}

/** Whole numbers up to 2^53. */
export function int(): Codec<number> {
  return { to: BigInt, from: toNumber };
}

/** Generations and the like: 64 bits. */
export function big(): Codec<bigint> {
  return { to: (value) => value, from: toBigint };
}

/** NULL for undefined. */
export function optional<T>(codec: Codec<T>): Codec<T | undefined> {
  return {
    to: (value) => (value === undefined ? null : codec.to(value)),
    from: (value) => (value === null ? undefined : codec.from(value)),
  };
}

export interface Table<Row> {
  readonly name: string;
  /** What the change log calls such an object. */
  readonly kind: string;
  /** Whether rows have an `account` column. */
  readonly owned: boolean;
  readonly columns: { readonly [K in keyof Row]?: Codec<Row[K]> };
  /** Columns computed from the row, for indexes only. */
  readonly derived?: (row: Row) => Readonly<Record<string, SqlValue>>;
  /** Columns that `update` leaves alone: something else keeps them. */
  readonly keptElsewhere?: readonly string[];
  /** Where rows are read from, if not from the table alone: columns of another one, kept there. */
  readonly view?: { readonly name: string; readonly lends: readonly string[] };
}

/** `clusterNetworkId` → `cluster_network_id`. */
export function columnOf(member: string): string {
  return member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The row as columns by name, as the engine reads them back. */
export function encodeRow<Row extends object>(
  table: Table<Row>,
  row: Row,
): Readonly<Record<string, SqlValue>> {
  const out: Record<string, SqlValue> = {};
  const { columns, members } = shapeOf(table);
  for (const { member, column, codec } of columns) {
    out[column] = codec.to((row as Record<string, unknown>)[member]);
  }
  const derived = table.derived?.(row) ?? NOTHING;
  for (const name in derived) out[name] = wide(derived[name] ?? null);
  const body: Record<string, unknown> = {};
  for (const name in row) if (!members.has(name)) body[name] = row[name];
  out.body = JSON.stringify(body);
  return out;
}

/** Whole numbers are read as 64 bits wide. */
function wide(value: SqlValue): SqlValue {
  return typeof value === "number" ? BigInt(value) : value;
}

const NOTHING: Readonly<Record<string, SqlValue>> = {};

/** The row back from its columns; derived ones are ignored. */
export function decodeRow<Row extends object>(
  table: Table<Row>,
  columns: Readonly<Record<string, SqlValue>>,
): Row {
  const out = JSON.parse(toText(columns.body)) as Record<string, unknown>;
  for (const { member, column, codec } of shapeOf(table).columns) {
    out[member] = codec.from(columns[column]);
  }
  return out as Row;
}

interface Column {
  readonly member: string;
  readonly column: string;
  readonly codec: Codec<unknown>;
}

interface Shape {
  readonly columns: readonly Column[];
  /** Every member that has a column. */
  readonly members: ReadonlySet<string>;
}

const shapes = new WeakMap<object, Shape>();

/** Looked up for every row that is read or written, so worked out once per table. */
function shapeOf<Row>(table: Table<Row>): Shape {
  const known = shapes.get(table);
  if (known) return known;
  const codecs = Object.entries<Codec<unknown>>(table.columns as never);
  const columns = codecs.map(([member, codec]) => ({ member, column: columnOf(member), codec }));
  const made = { columns, members: new Set(columns.map(({ member }) => member)) };
  shapes.set(table, made);
  return made;
}
