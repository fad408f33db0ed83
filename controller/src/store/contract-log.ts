// The part of the store contract that remembers: request ids, change logs, the audit log, tokens,
// small values of the whole database.
import type { AccountId, TokenId } from "@railyard/lib/ids";
import type { Token } from "../domain/token.js";
import type { Cause, Lookup } from "./contract.js";

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

export interface AccountChangeRow {
  /** 1, 2, 3 … without gaps within the account. */
  readonly accountRevision: bigint;
  readonly revision: bigint;
  readonly at: number;
  readonly entries: readonly ChangeEntry[];
}

export interface AuditRow extends Cause {
  readonly revision: bigint;
  readonly targets: readonly string[];
}

export interface Logs {
  changesAfter(revision: bigint, limit: number): Promise<readonly ChangeRow[]>;
  accountChangesAfter(
    account: AccountId,
    revision: bigint,
    limit: number,
  ): Promise<readonly AccountChangeRow[]>;
  audit(after: bigint, limit: number): Promise<readonly AuditRow[]>;
}

export interface TokenReads extends Lookup<Token, TokenId> {
  byHash(secretHash: string): Promise<Token | undefined>;
  all(): Promise<readonly Token[]>;
}

/** Small values of the whole database, such as the epoch and the signing key's fingerprint. */
export interface MetaReads {
  get(key: string): Promise<string | undefined>;
}
