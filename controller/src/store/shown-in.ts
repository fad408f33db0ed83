// Which tenant objects show something of another one: its name, its place in an order. When that
// changes they change for their owner too, although their own rows do not. Keys of the schema only;
// what exactly is shown, the encoder knows: naming one object too many costs time, nothing else.
import type { AccountId } from "@railyard/lib/ids";
import type { ChangeEntry } from "./contract.js";
import { groupBy } from "./group.js";
import { type Sql, type SqlRow, type SqlValue, toText } from "./sql.js";

/** A changed row: its key columns, and which columns an update changed. */
export interface ChangedRow {
  readonly columns: SqlRow;
  /** Undefined when the whole row came or went. */
  readonly changed?: readonly string[];
  /** The row as it is now, where it is at hand. */
  readonly now?: object | undefined;
}

/** One indexed search for objects that show something of a changed one. */
export interface Search {
  readonly kind: string;
  readonly text: string;
  readonly value: SqlValue;
  /** The kind of the object whose id `value` is, where it is one. */
  readonly whose?: string | undefined;
}

interface Rule {
  /** What changed. */
  readonly of: string;
  /** The columns that others show, or that decide on what they show; undefined = the whole row. */
  readonly on: readonly string[] | undefined;
  /** The column whose value the search is for. */
  readonly by: string;
  /** The kind of what is found. */
  readonly kind: string;
  readonly text: string;
  /** The kind of the object whose id that column holds. */
  readonly whose: string | undefined;
}

/** What a column refers to. */
const REFERS: Readonly<Record<string, string>> = {
  cluster_network_id: "clusterNetwork",
  instance_id: "instance",
  interface_id: "interface",
  primary_ip_id: "reservedIp",
};

const NAME = ["name"];
const PLACING = ["status", "placement", "profile", "cluster_network_id"];

/** Those whose rails are what others have fixed. */
const UNPLACED = `instances i JOIN attachments x ON x.instance_id = i.id
  WHERE i.cluster_network_id = ? AND i.placement IS NULL`;

const RULES: readonly Rule[] = [
  rule("clusterNetwork", NAME, ["id", "instance", "instances x WHERE x.cluster_network_id = ?"]),
  rule("clusterNetwork", NAME, ["id", "hold", "holds x WHERE x.cluster_network_id = ?"]),
  rule("subnet", NAME, ["id", "interface", "interfaces x WHERE x.subnet_id = ?"]),
  rule("subnet", NAME, ["id", "attachment", attachmentsWhere("subnet_id")]),
  rule("reservedIp", NAME, ["id", "interface", "interfaces x WHERE x.primary_ip_id = ?"]),
  rule("reservedIp", NAME, ["id", "attachment", attachmentsWhere("primary_ip_id")]),
  rule("interface", NAME, ["primary_ip_id", "reservedIp", "reserved_ips x WHERE x.id = ?"]),
  rule("interface", NAME, ["id", "attachment", "attachments x WHERE x.interface_id = ?"]),
  rule("attachment", NAME, ["interface_id", "interface", "interfaces x WHERE x.id = ?"]),
  rule("attachment", undefined, ["instance_id", "instance", "instances x WHERE x.id = ?"]),
  rule("attachment", undefined, [
    "instance_id",
    "attachment",
    "attachments x WHERE x.instance_id = ?",
  ]),
  rule("instance", PLACING, ["id", "attachment", "attachments x WHERE x.instance_id = ?"]),
  rule("railSet", undefined, ["cluster_network_id", "attachment", UNPLACED]),
  rule("hold", undefined, ["cluster_network_id", "attachment", UNPLACED]),
];

/** `found`: the column that the search is for, the kind of what is found, where. */
function rule(of: string, on: Rule["on"], found: readonly [string, string, string]): Rule {
  const [by, kind, from] = found;
  const whose = by === "id" ? of : REFERS[by];
  return { of, on, by, kind, text: `SELECT x.id, x.account FROM ${from}`, whose };
}

const RULES_OF = groupBy(RULES, ({ of }) => of);
const NO_RULES: readonly Rule[] = [];

function attachmentsWhere(column: string): string {
  return `interfaces i JOIN attachments x ON x.interface_id = i.id WHERE i.${column} = ?`;
}

/** The searches that a change of one object calls for; most changes need none. */
export function searchesFor(entry: ChangeEntry, row: ChangedRow | undefined): readonly Search[] {
  if (entry.kind === "catalogItem") return catalogSearches(entry.id);
  if (entry.kind === "instanceProfile") return INSTANCE_PROFILE.map(withValue(entry.id));
  if (entry.kind === "clusterNetworkProfile") {
    return [withValue(`%"profile":${JSON.stringify(entry.id)}%`)(NETWORK_PROFILE)];
  }
  if (!row) return [];
  const rules = (RULES_OF.get(entry.kind) ?? NO_RULES).filter(({ on }) => {
    // What is new or gone is shown by nothing that stays, unless it stands in an order.
    return on === undefined || (row.changed?.some((column) => on.includes(column)) ?? false);
  });
  return rules.map(({ kind, text, by, whose }) => {
    return { kind, text, whose, value: row.columns[by] ?? null };
  });
}

function withValue(value: string) {
  return (search: Omit<Search, "value">): Search => ({ ...search, value });
}

const INSTANCE_PROFILE = [
  { kind: "instance", text: "SELECT x.id, x.account FROM instances x WHERE x.profile = ?" },
  {
    kind: "attachment",
    text: `SELECT x.id, x.account FROM instances i JOIN attachments x ON x.instance_id = i.id
      WHERE i.profile = ?`,
  },
];
const NETWORK_PROFILE = {
  kind: "attachment",
  text: `SELECT x.id, x.account FROM cluster_networks n
    JOIN instances i ON i.cluster_network_id = n.id
    JOIN attachments x ON x.instance_id = i.id WHERE n.body LIKE ?`,
};

/** Searches without an index: what other services own changes by an operator's word only. */
function catalogSearches(key: string): readonly Search[] {
  const [item, id = ""] = key.split("/");
  const find = (kind: string, from: string, value = id) => {
    return { kind, text: `SELECT x.id, x.account FROM ${from}`, value };
  };
  if (item !== "vpc") return [find("instance", "instances x WHERE x.body LIKE ?", `%"${id}"%`)];
  return [
    find("clusterNetwork", "cluster_networks x WHERE x.vpc_id = ?"),
    find("instance", "instances x WHERE x.vpc_id = ?"),
    find(
      "interface",
      `cluster_networks n JOIN interfaces x ON x.cluster_network_id = n.id WHERE n.vpc_id = ?`,
    ),
  ];
}

/** What the searches find, as updated; each object once. */
export async function shownIn(
  sql: Sql,
  searches: Iterable<Search>,
): Promise<readonly ChangeEntry[]> {
  const found: ChangeEntry[] = [];
  for (const { kind, text, value } of searches) {
    for (const row of await sql.all(text, [value])) {
      const account = toText<AccountId>(row.account);
      found.push({ kind, id: toText(row.id), account, op: "updated" });
    }
  }
  return found;
}
