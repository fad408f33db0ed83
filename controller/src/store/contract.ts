// The store contract: what truth is, whichever engine keeps it. Rows are the domain's nouns. One
// write is one transaction: rows, change log, account logs and one audit row together, or nothing.
// Nothing but `tx` may be awaited inside `write(fn)`; `fn` may run again, so ids, times and chance
// come in from outside. This file must not know any engine, SQL or wire format.
import type {
  AccountId,
  FaultId,
  InstanceId,
  NodeId,
  PhysicalClusterId,
  TokenId,
} from "@railyard/lib/ids";
import type { Soon } from "@railyard/lib/soon";
import type { CatalogItem, CatalogKind } from "../domain/catalog-item.js";
import type { Instance } from "../domain/instance.js";
import type { Node } from "../domain/node.js";
import type { NodeFault } from "../domain/node-fault.js";
import type { HardwareKind, PhysicalCluster } from "../domain/physical-cluster.js";
import type { ClusterNetworkProfile, InstanceProfile, Offered } from "../domain/profile.js";
import type { Token } from "../domain/token.js";
import type { AccountReads, AccountRows } from "./contract-account.js";
import type {
  CatalogReads,
  ClaimReads,
  ClaimRows,
  FabricReads,
  FabricRows,
  IsolationRows,
  MzoneRecord,
  NodeFaultReads,
  NodeReads,
  Outbox,
  OutboxRows,
  PhysicalClusterReads,
  ProfileReads,
  RailSetReads,
  RailSetRows,
  VolumeReads,
  VolumeRows,
  Zone,
} from "./contract-fleet.js";
import type {
  Expired,
  Logs,
  MetaReads,
  RequestRecord,
  Requests,
  TokenReads,
} from "./contract-log.js";
import type { Touch } from "./touches.js";

export type * from "./contract-account.js";
export type * from "./contract-fleet.js";
export type * from "./contract-log.js";

/** Why a write happens: becomes its audit row and the head of its change-log row. */
export interface Cause {
  /** Token id, or `system:<loop or agent>`. */
  readonly by: string;
  /** RPC or internal use case, e.g. `CreateSubnet`, `node.report`. */
  readonly method: string;
  readonly requestId?: string;
  readonly account?: AccountId;
  /** Wall time, milliseconds. */
  readonly at: number;
}

/** What a touch calls the log of one account. */
export const ACCOUNT_LOG = "accountLog";

export interface Store {
  /** A consistent snapshot of committed data; never sees an open batch. */
  read<T>(fn: (tx: ReadTx) => Promise<T>): Promise<T>;
  /**
   * One transaction; resolves after its durable commit. A throw inside `fn` rolls back exactly this
   * `fn` and rejects with the same error. When `fn` changed nothing, and neither acknowledged nor
   * audited anything, nothing is logged. Errors
   * beside `fn`'s own: `exists` or `conflict` from uniqueness (see Rows.insert), `unavailable` when
   * the store is read-only, closing or overloaded, `bug` when `fn` awaited anything but `tx`.
   */
  write<T>(cause: Cause, fn: (tx: WriteTx) => Promise<T>): Promise<T>;
  /** What `read` finds as the account's `instances.shown(id)`, at once when it was read lately. */
  shownInstance(account: AccountId, id: InstanceId): Soon<Uint8Array | undefined>;
  /** Newest committed store revision. */
  revision(): Promise<bigint>;
  /** Called after each commit with the revision reached; a nudge, without data. */
  onCommit(fn: (revision: bigint) => void): void;
  /**
   * Called for each object that a write touches, at once, and again when the write is undone; what
   * was derived from the object must be read again, in the next transaction or in the same one.
   * Between these calls a derived view that re-reads what was touched equals what a transaction
   * sees. `fn` must be quick and must not throw. A row of an account's log counts as a change of
   * the ACCOUNT_LOG whose id is the account's. Where the touch has a row, that is what would be
   * read.
   */
  onTouch(fn: (touch: Touch) => void): void;
  close(): Promise<void>;
}

/** Where a page of a list starts: after this row, in the list's order. */
export interface PageKey {
  readonly createdAt: number;
  readonly name: string;
  readonly id: string;
}

export type ListOrder = "created_at desc" | "created_at" | "name" | "name desc";

export interface ListQuery<Filter> {
  /** Equality filters; an absent member does not filter. */
  readonly filter: Filter;
  readonly after?: PageKey;
  readonly limit: number;
  /** Default `created_at desc`; ties by name, then id. */
  readonly order?: ListOrder;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Rows that match the filter, on all pages. */
  readonly total: number;
  readonly more: boolean;
}

export interface Lookup<Row, Id extends string> {
  get(id: Id): Promise<Row | undefined>;
}

export interface Listed<Row, Filter> {
  list(query: ListQuery<Filter>): Promise<Page<Row>>;
  /** Whether any row matches. */
  any(filter: Filter): Promise<boolean>;
}

/** A row as its tenant sees it: the encoded object that is kept beside it, and its page key. */
export interface ShownRow extends PageKey {
  readonly object: Uint8Array;
}

/** Undefined where bytes are not kept: the store was opened without an encoder. */
export interface Shown<Id extends string, Filter> {
  /** Undefined when there is no such row, too. */
  shown(id: Id): Promise<Uint8Array | undefined>;
  listShown(query: ListQuery<Filter>): Promise<Page<ShownRow> | undefined>;
}

/**
 * Writing rows appends to the transaction's change entry by itself. `insert` and `update` throw
 * RailyardError `exists` with `parts.metadata.unique` naming the violated uniqueness, one of
 * UNIQUE; `instance-position` alone is checked when `fn` is done, so that positions may be swapped
 * row by row. `update` and `delete` of a missing row throw `bug`, and so does a write that leaves a
 * reference to nothing: parents are inserted before their children (a reserved IP, then its
 * interface, then the attachment) and deleted after them. Updating a row to what it is already
 * changes nothing.
 */
export interface Rows<Row, Id extends string> extends Lookup<Row, Id> {
  insert(row: Row): Promise<void>;
  /** Inserts all, in order; a throw can leave some of them behind, so it must end the write. */
  insertAll(rows: readonly Row[]): Promise<void>;
  update(row: Row): Promise<void>;
  delete(id: Id): Promise<void>;
}

/** Names of the uniqueness rules that live in the schema. */
export const UNIQUE = [
  "network-name",
  "subnet-name",
  "interface-name",
  "reserved-ip-name",
  "attachment-name",
  "instance-name",
  "hold-name",
  "subnet-address",
  "network-mac",
  "interface-target",
  "instance-position",
  "cluster-isolation-id",
  "node-gpu",
  "node-vf",
  "volume-user",
  "node-name",
  "node-serial",
  "physical-cluster-name",
  "token-hash",
  "request-id",
  "id",
] as const;
export type Unique = (typeof UNIQUE)[number];

/** What is placed on a node, in whatever phase. */
export interface NodeLoad {
  readonly instances: number;
  /** Of what the instances' rows say beside their names and states, such as user data. */
  readonly bytes: number;
}

export interface ReadTx {
  /** Objects of one account. */
  account(account: AccountId): AccountReads;
  /** Objects of all accounts, for loops, dispatch and operators. Never for tenant calls. */
  readonly everyone: AccountReads;
  /** Instances with a placement on the node, in whatever phase, by instance id. */
  instancesOnNode(node: NodeId): Promise<readonly Instance[]>;
  /** How many these are, and the bytes that is stored of them; without reading them. */
  loadOfNode(node: NodeId): Promise<NodeLoad>;
  readonly zones: { all(): Soon<readonly Zone[]> };
  readonly profiles: ProfileReads;
  readonly hardware: { get(name: string): Soon<HardwareKind | undefined> };
  readonly catalog: CatalogReads;
  readonly mzones: { get(name: string): Soon<MzoneRecord | undefined> };
  readonly physicalClusters: PhysicalClusterReads;
  readonly nodes: NodeReads;
  readonly nodeFaults: NodeFaultReads;
  readonly claims: ClaimReads;
  readonly isolation: Pick<IsolationRows, "free">;
  readonly railSets: RailSetReads;
  readonly fabric: FabricReads;
  readonly volumes: VolumeReads;
  readonly outbox: Outbox;
  readonly requests: Requests;
  readonly tokens: TokenReads;
  /**
   * In a write, as committed before: without what it or another write of the same commit adds. So
   * are the bytes that `shown` and `listShown` answer with.
   */
  readonly logs: Logs;
  readonly meta: MetaReads;
}

/** Declared things that have no life of their own: put replaces or inserts. */
export interface Put<Row> {
  put(row: Row): Promise<void>;
  remove(key: string): Promise<void>;
}

export interface WriteTx extends ReadTx {
  account(account: AccountId): AccountRows;
  /** Updates of any account's objects by loops and agents' reports. */
  readonly everyone: AccountRows;
  readonly zones: ReadTx["zones"] & Put<Zone>;
  readonly profiles: ProfileReads & {
    readonly putClusterNetwork: Put<Offered<ClusterNetworkProfile>>["put"];
    readonly putInstance: Put<Offered<InstanceProfile>>["put"];
    readonly removeClusterNetwork: Put<unknown>["remove"];
    readonly removeInstance: Put<unknown>["remove"];
  };
  readonly hardware: ReadTx["hardware"] & Put<HardwareKind>;
  readonly catalog: CatalogReads & {
    put(item: CatalogItem): Promise<void>;
    remove(kind: CatalogKind, id: string): Promise<void>;
  };
  readonly mzones: ReadTx["mzones"] & Put<MzoneRecord>;
  readonly physicalClusters: Rows<PhysicalCluster, PhysicalClusterId> & PhysicalClusterReads;
  readonly nodes: Rows<Node, NodeId> & NodeReads;
  readonly nodeFaults: Rows<NodeFault, FaultId> & NodeFaultReads;
  readonly claims: ClaimRows;
  readonly isolation: IsolationRows;
  readonly railSets: RailSetRows;
  readonly fabric: FabricRows;
  readonly volumes: VolumeRows;
  readonly outbox: OutboxRows;
  readonly requests: Requests & { insert(record: RequestRecord): Promise<void> };
  readonly tokens: Rows<Token, TokenId> & TokenReads;
  readonly meta: MetaReads & { set(key: string, value: string): Promise<void> };
  /**
   * Ends one change and begins the next: accounts are told of this write so far by a revision of
   * its own, as it stands now, and of the rest by the next one. It stays one transaction, with one
   * revision of the store and one audit row.
   */
  moment(): Promise<void>;
  /**
   * Says that this write answers a caller who was told that it is done: it leaves an audit row, and
   * so has a revision, also when it changes nothing.
   */
  acknowledge(): void;
  /**
   * Writes an audit row about an object (`type/id`) although no object changes, with a note that
   * becomes the row's target `note/…`.
   */
  audit(about: string, note: string): void;
  /**
   * Drops what has had its time: request records before `at - 24 h`, quarantines ended by `at`, and
   * of each account's log all but its newest rows. Answers how much went.
   */
  expire(at: number): Promise<Expired>;
}
