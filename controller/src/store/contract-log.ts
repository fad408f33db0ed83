// The part of the store contract that remembers: request ids, change logs, the audit log, tokens,
// small values of the whole database.
import type { AccountId, TokenId } from "@railyard/lib/ids";
import type { Token } from "../domain/token.js";
import type { Cause, Lookup, ReadTx } from "./contract.js";

export interface RequestRecord {
  /** Account id, or `operator`. */
  readonly scope: string;
  readonly method: string;
  readonly requestId: string;
  /** SHA-256 of the canonical request. */
  readonly hash: string;
  /** The encoded answer. */
  readonly answer: Uint8Array;
  readonly at: number;
}

export interface Requests {
  get(scope: string, method: string, requestId: string): Promise<RequestRecord | undefined>;
}

export interface ChangeEntry {
  readonly kind: string;
  readonly id: string;
  readonly account: AccountId | undefined;
  readonly op: "created" | "updated" | "deleted";
}

export interface ChangeRow {
  readonly revision: bigint;
  readonly at: number;
  readonly entries: readonly ChangeEntry[];
}

/** A change of an account's object, with the object itself where the store was given `encode`. */
export interface AccountEntry extends ChangeEntry {
  /** Its public bytes as of this revision; of a deleted one, as they were last. */
  readonly object?: Uint8Array;
}

export interface AccountChangeRow {
  /** 1, 2, 3 … without gaps within the account. */
  readonly accountRevision: bigint;
  readonly revision: bigint;
  readonly at: number;
  readonly entries: readonly AccountEntry[];
}

/** What one page of an account's log may hold: one row at least, however large that is. */
export interface LogPage {
  readonly rows: number;
  /** Of the objects and entries as stored; default: without bound. */
  readonly bytes?: number;
}

/** How far an account's log reaches: it holds the revisions after `droppedTo` up to `newest`. */
export interface AccountLog {
  readonly newest: bigint;
  readonly droppedTo: bigint;
}

/**
 * Makes the public bytes of objects as they stand in `tx`, in the entries' order; undefined for
 * what tenants are never shown. Awaits nothing but `tx`. The same object gives the same bytes.
 */
export type Encode = (
  tx: ReadTx,
  entries: readonly ChangeEntry[],
) => Promise<readonly (Uint8Array | undefined)[]>;

export interface AuditRow extends Cause {
  readonly revision: bigint;
  readonly targets: readonly string[];
}

export interface Logs {
  changesAfter(revision: bigint, limit: number): Promise<readonly ChangeRow[]>;
  accountChangesAfter(
    account: AccountId,
    revision: bigint,
    page: LogPage,
  ): Promise<readonly AccountChangeRow[]>;
  accountLog(account: AccountId): Promise<AccountLog>;
  audit(after: bigint, limit: number): Promise<readonly AuditRow[]>;
}

/** How many rows of each sort had had their time. */
export interface Expired {
  readonly requests: number;
  readonly quarantines: number;
  readonly changes: number;
}

export interface TokenReads extends Lookup<Token, TokenId> {
  byHash(secretHash: string): Promise<Token | undefined>;
  all(): Promise<readonly Token[]>;
}

/** Small values of the whole database, such as the epoch and the signing key's fingerprint. */
export interface MetaReads {
  get(key: string): Promise<string | undefined>;
}
