// Bearer tokens: who may call. Only the hash of the secret is ever kept.
import type { AccountId, TokenId } from "@railyard/lib/ids";
import type { Role } from "./lifecycle.js";

export interface Token {
  readonly id: TokenId;
  readonly name: string;
  /** Undefined for operators' tokens. */
  readonly account: AccountId | undefined;
  readonly roles: readonly Role[];
  /** SHA-256 of the secret, lower-case hexadecimal. */
  readonly secretHash: string;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
}

/** Whether a role acts inside one account. */
export function isTenantRole(role: Role): boolean {
  return role.startsWith("tenant-");
}
