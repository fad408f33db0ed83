// The uniqueness rules as data: the schema's indexes are made from this list, and a violation is
// named by it. Knows no engine's messages beyond table and column names.
import { type RailyardError, refuse } from "@railyard/lib/errors";
import type { Unique } from "./contract.js";

export interface UniqueRule {
  readonly unique: Unique;
  readonly table: string;
  readonly columns: readonly string[];
}

function rule(unique: Unique, table: string, ...columns: string[]): UniqueRule {
  return { unique, table, columns };
}

/** Kept by a unique index each. */
export const UNIQUE_INDEXES: readonly UniqueRule[] = [
  rule("network-name", "cluster_networks", "account", "name"),
  rule("subnet-name", "subnets", "cluster_network_id", "name"),
  rule("interface-name", "interfaces", "cluster_network_id", "name"),
  rule("reserved-ip-name", "reserved_ips", "subnet_id", "name"),
  rule("attachment-name", "attachments", "instance_id", "name"),
  rule("instance-name", "instances", "account", "name"),
  rule("subnet-address", "reserved_ips", "subnet_id", "address"),
  rule("network-mac", "interfaces", "cluster_network_id", "mac"),
  rule("interface-target", "attachments", "interface_id"),
  rule("interface-target", "interfaces", "target_id"),
  rule("instance-position", "attachments", "instance_id", "slot"),
  rule("node-name", "nodes", "name"),
  rule("node-serial", "nodes", "serial"),
  rule("physical-cluster-name", "physical_clusters", "name"),
  rule("token-hash", "tokens", "secret_hash"),
];

/** Kept by primary keys, or by indexes that later steps of the schema made. */
const UNIQUE_KEYS: readonly UniqueRule[] = [
  rule("cluster-isolation-id", "isolation_ids", "physical_cluster_id", "isolation_id"),
  rule("node-gpu", "gpu_claims", "node_id", "device_id"),
  rule("node-vf", "vf_claims", "node_id", "nic", "vf"),
  rule("hold-name", "holds", "account", "name"),
  rule("volume-user", "volume_users", "volume_id"),
  rule("request-id", "request_records", "scope", "method", "request_id"),
];

/** The index's name in the schema. */
export function indexName({ table, columns }: UniqueRule): string {
  return `unique_${table}_${columns.join("_")}`;
}

/** Which rule a violation of these columns broke; any other key is an id. */
export function violatedRule(table: string, columns: readonly string[]): Unique {
  const wanted = columns.join();
  const found = [...UNIQUE_INDEXES, ...UNIQUE_KEYS].find(
    (one) => one.table === table && one.columns.join() === wanted,
  );
  return found?.unique ?? "id";
}

/** `exists`, with the violated rule in `metadata.unique`. */
export function notUnique(unique: Unique, cause?: unknown): RailyardError {
  return refuse("exists", `${unique} is taken`, { metadata: { unique }, cause });
}
