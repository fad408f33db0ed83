// What a use case of one account may reach: that account's objects, and of the yard the tables that
// hold no tenant's objects. From such a handle there is no way to another account's rows: its type
// has none, and neither has the value. Knows no noun's rules.
import type { AccountId, NodeId } from "@railyard/lib/ids";
import type { AccountReads, AccountRows, NodeLoad, ReadTx, WriteTx } from "../store/contract.js";
import type { Mutation, ServiceContext, TenantCall } from "./context.js";
import { fitsMessage, messageRoom, type Newcomers } from "./desired.js";
import { accountOf } from "./find.js";
import { type MutationGiven, mutate } from "./mutate.js";

/** What leads to objects of any account, or to what only operators and loops may see. */
type AnyAccounts = "account" | "everyone" | "instancesOnNode" | "loadOfNode" | "fabric";
type OperatorsOwn = "mzones" | "requests" | "tokens" | "logs" | "expire";
type Unscoped = AnyAccounts | OperatorsOwn;

/** The yard without any tenant's objects: profiles, catalog, nodes, claims, isolation ids. */
export type FleetReads = Omit<ReadTx, Unscoped>;
export type FleetTx = Omit<WriteTx, Unscoped>;

/** What is asked of nodes' desired states, whoever is in them. */
export interface MessageReads {
  /** How many of so many alike the node's desired state still has room for. */
  messageRoom(ctx: Seen, wanted: Newcomers): Promise<number>;
  /** How much is placed on the node, which says about how full its desired state is. */
  messageLoad(node: NodeId): Promise<NodeLoad>;
}

/** One account's objects, to be read. */
export interface TenantReads extends FleetReads, MessageReads {
  readonly mine: AccountReads;
}

type Seen = Pick<ServiceContext, "store" | "catalog">;

/** One account's objects, to be changed. */
export interface TenantTx extends FleetTx, MessageReads {
  readonly mine: AccountRows;
  /** Whether all that the node should have, whoever owns it, still fits into one message. */
  fitsMessage(ctx: Seen, node: NodeId): Promise<boolean>;
}

/** The handle of `account` in the transaction; for loops and reports, which name the owner. */
export function tenantReads(tx: ReadTx, account: AccountId): TenantReads {
  return { mine: tx.account(account), ...messagesIn(tx), ...fleetOf(tx) };
}

/** The same, to be changed. */
export function tenantTx(tx: WriteTx, account: AccountId): TenantTx {
  return {
    mine: tx.account(account),
    ...messagesIn(tx),
    fitsMessage: (ctx, node) => fitsMessage(tx, ctx, node),
    audit: tx.audit,
    acknowledge: tx.acknowledge,
    moment: tx.moment,
    ...fleetOf(tx),
  };
}

/** The questions, asked in the transaction. */
export function messagesIn(tx: ReadTx): MessageReads {
  return {
    messageRoom: (ctx, wanted) => messageRoom(tx, ctx, wanted),
    messageLoad: (node) => tx.loadOfNode(node),
  };
}

/** Named one by one: whatever else a transaction has is out of a tenant's reach. */
function fleetOf<Tx extends ReadTx>(tx: Tx): Pick<Tx, keyof FleetReads> {
  const { zones, profiles, hardware, catalog, physicalClusters, nodes, nodeFaults } = tx;
  const { claims, isolation, railSets, volumes, outbox, meta } = tx;
  const declared = { zones, profiles, hardware, catalog, physicalClusters };
  return { nodes, nodeFaults, claims, isolation, railSets, volumes, outbox, meta, ...declared };
}

/** Reads in the caller's account. */
export function readMine<T>(
  ctx: ServiceContext,
  call: TenantCall,
  fn: (tx: TenantReads) => Promise<T>,
): Promise<T> {
  return ctx.store.read((tx) => fn(tenantReads(tx, call.account)));
}

/** `mutate` in the caller's account; throws `forbidden` for callers without one. */
export function mutateMine<Value, Answer>(
  ctx: ServiceContext,
  call: Mutation<Value, Answer>,
  fn: (tx: TenantTx, given: MutationGiven) => Promise<Value>,
): Promise<Answer> {
  const account = accountOf(call.principal);
  return mutate(ctx, call, (tx, given) => fn(tenantTx(tx, account), given));
}
