// Keyset paging: a page starts after a row, not at a count, so that rows which come and go never
// shift it. Knows orders and filters, not nouns.
import { bug } from "@railyard/lib/errors";
import { columnOf } from "./codec.js";
import type { ListOrder, ListQuery, PageKey } from "./contract.js";
import type { SqlValue } from "./sql.js";

interface Clause {
  readonly text: string;
  readonly params: readonly SqlValue[];
}

const ORDER_BY: Readonly<Record<ListOrder, string>> = {
  "created_at desc": "created_at DESC, name, id",
  created_at: "created_at, name, id",
  name: "name, id",
  "name desc": "name DESC, id",
};

export interface PageStatements {
  readonly rows: Clause;
  readonly count: Clause;
}

/** The two queries of one page; `limit + 1` rows are asked for, to learn whether there are more. */
export function pageStatements(
  table: string,
  scope: Readonly<Record<string, SqlValue>>,
  query: ListQuery<object> & { readonly columns?: string },
): PageStatements {
  if (!Number.isSafeInteger(query.limit) || query.limit < 1) throw bug("a page limit is below 1");
  const order = query.order ?? "created_at desc";
  const matching = conditions({ ...scope, ...columnsOf(query.filter) });
  const after = query.after ? afterClause(order, query.after) : undefined;
  const where = after ? both(matching, after) : matching;
  return {
    rows: {
      text: `SELECT ${query.columns ?? "*"} FROM ${table}
        WHERE ${where.text} ORDER BY ${ORDER_BY[order]} LIMIT ?`,
      params: [...where.params, query.limit + 1],
    },
    count: {
      text: `SELECT count(*) AS total FROM ${table} WHERE ${matching.text}`,
      params: matching.params,
    },
  };
}

/** Finds one row that matches, in no order: an order could choose a worse index. */
export function anyStatement(
  table: string,
  scope: Readonly<Record<string, SqlValue>>,
  filter: object,
): Clause {
  const { text, params } = conditions({ ...scope, ...columnsOf(filter) });
  return { text: `SELECT 1 AS found FROM ${table} WHERE ${text} LIMIT 1`, params };
}

function columnsOf(filter: object): Record<string, SqlValue> {
  const out: Record<string, SqlValue> = {};
  for (const [member, value] of Object.entries(filter)) {
    if (value !== undefined) out[columnOf(member)] = value as SqlValue;
  }
  return out;
}

function conditions(equal: Readonly<Record<string, SqlValue>>): Clause {
  const columns = Object.keys(equal);
  if (columns.length === 0) return { text: "TRUE", params: [] };
  return {
    text: columns.map((column) => `${column} = ?`).join(" AND "),
    params: Object.values(equal),
  };
}

function both(a: Clause, b: Clause): Clause {
  return { text: `${a.text} AND ${b.text}`, params: [...a.params, ...b.params] };
}

// The outer comparison lets the index seek; the inner one settles ties.
function afterClause(order: ListOrder, key: PageKey): Clause {
  const { createdAt, name, id } = key;
  if (order === "name" || order === "name desc") {
    const [loose, strict] = order === "name" ? [">=", ">"] : ["<=", "<"];
    return { text: `name ${loose} ? AND (name ${strict} ? OR id > ?)`, params: [name, name, id] };
  }
  const [loose, strict] = order === "created_at" ? [">=", ">"] : ["<=", "<"];
  return {
    text: `created_at ${loose} ? AND (created_at ${strict} ? OR (name, id) > (?, ?))`,
    params: [createdAt, createdAt, name, id],
  };
}
