// Converts what every tenant noun shares: times, life, references, enum words. Knows no handler
// and no rule.

import { formatIpv4 } from "@railyard/lib/address";
import { canonicalJson } from "@railyard/lib/canonical";
import {
  type LifecycleReason,
  LifecycleReasonCode,
  LifecycleState,
  type ProfileReference,
  type Reference,
  type ReservedIpReference,
} from "@railyard/proto/gen/railyard/v1/resource";
import type { Owned } from "../domain/lifecycle.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import { RESOURCE_TYPE, type ResourceType } from "../domain/resource-type.js";

/** The value of a generated enum for a word such as `rail_mismatch`; 0 when it has none. */
export function enumOf<Table extends Record<string, string | number>>(
  table: Table,
  prefix: string,
  word: string,
): Table[keyof Table] {
  const words = wordsOf(table);
  const known = words.get(word);
  if (known !== undefined) return known as Table[keyof Table];
  const key = `${prefix}_${word.replaceAll("-", "_").toUpperCase()}`;
  const value = table[key] ?? 0;
  words.set(word, value);
  return value as Table[keyof Table];
}

/** Values of each table by the words that were asked for: a handful, all of them the domain's. */
const valuesByWord = new WeakMap<object, Map<string, string | number>>();

function wordsOf(table: object): Map<string, string | number> {
  const known = valuesByWord.get(table);
  if (known) return known;
  const made = new Map<string, string | number>();
  valuesByWord.set(table, made);
  return made;
}

/** The word of an enum value, such as `running`; undefined for 0 and for values not known here. */
export function wordOf(
  table: Readonly<Record<string, string | number>>,
  prefix: string,
  value: number,
): string | undefined {
  const key = value > 0 ? table[value] : undefined;
  return typeof key === "string" ? key.slice(prefix.length + 1).toLowerCase() : undefined;
}

/** The members that every noun has beside its id and name. */
export function headOf(row: Owned, type: ResourceType) {
  return {
    createdAt: new Date(row.createdAt),
    etag: row.etag,
    resourceType: type,
    lifecycleState: enumOf(LifecycleState, "LIFECYCLE_STATE", row.lifecycleState),
    lifecycleReasons: row.lifecycleReasons.map(
      ({ code, message }): LifecycleReason => ({
        code: enumOf(LifecycleReasonCode, "LIFECYCLE_REASON_CODE", code),
        message,
      }),
    ),
  };
}

export function reference(
  type: ResourceType,
  to: { readonly id: string; readonly name: string; readonly deleted?: boolean },
): Reference {
  return { id: to.id, name: to.name, resourceType: type, deleted: to.deleted ?? false };
}

export function profileReference(type: ResourceType, name: string): ProfileReference {
  return { name, resourceType: type };
}

export function reservedIpReference(row: ReservedIp): ReservedIpReference {
  return {
    address: formatIpv4(row.address),
    ...reference(RESOURCE_TYPE.reservedIp, row),
  };
}

/**
 * A reference to a resource group, which is known by its id alone; undefined when there is none.
 */
export function resourceGroup(id: string): Reference | undefined {
  return id === "" ? undefined : reference(RESOURCE_TYPE.resourceGroup, { id, name: "" });
}

/** Cloud resource name: identifies an object across the whole cloud. */
export function crnOf(
  type: ResourceType,
  row: Pick<Owned, "account"> & { readonly id: string; readonly zone: string },
): string {
  const noun = type.replaceAll("_", "-");
  return `crn:v1:railyard:public:is:${row.zone}:a/${row.account}::${noun}:${row.id}`;
}

/** Filters and order of a list as text, to bind a page token to. */
export function boundOf(filter: Readonly<Record<string, string | number | undefined>>): string {
  return canonicalJson(filter);
}

/** The values that were given: empty strings are dropped. */
export function filled<Key extends string>(
  values: Readonly<Record<Key, string>>,
): Partial<Record<Key, string>> {
  const entries = Object.entries<string>(values).filter(([, value]) => value !== "");
  return Object.fromEntries(entries) as Partial<Record<Key, string>>;
}
