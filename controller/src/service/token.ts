// Bearer tokens: made by operators, shown once, kept as hashes, checked at every call. Also the
// very first one, which has to come from somewhere.
import { hash } from "node:crypto";
import { notFound, refuse } from "@railyard/lib/errors";
import { type AccountId, newId, type TokenId } from "@railyard/lib/ids";
import type { Rng } from "@railyard/lib/rng";
import { andThen, type Soon } from "@railyard/lib/soon";
import { Faults } from "../domain/faults.js";
import type { Principal, Role } from "../domain/lifecycle.js";
import { checkName, randomName } from "../domain/names.js";
import { isTenantRole, type Token } from "../domain/token.js";
import type { Page } from "../store/contract.js";
import type { Mutation, ServiceContext } from "./context.js";
import type { Listing } from "./listing.js";
import { mutate } from "./mutate.js";
import { tokensOf } from "./token-cache.js";

export interface CreateToken {
  /** Required for tenant roles, forbidden for others. */
  readonly account: AccountId | undefined;
  /** Undefined: one that is not known here. */
  readonly roles: readonly (Role | undefined)[];
  /** Empty: four random words. */
  readonly name: string;
  /** Milliseconds; undefined: until it is revoked. */
  readonly ttlMs: number | undefined;
}

export interface NewToken {
  readonly token: Token;
  /** What the bearer sends; exists only here. */
  readonly secret: string;
}

/** Where the first operator's secret is kept for its owner. */
export interface SecretFile {
  /** Undefined when there is none. */
  read(): string | undefined;
  /** Durable when it returns. */
  write(secret: string): void;
}

const SECRET_PREFIX = "ry_";
const SECRET_BYTES = 32;
const OPERATOR_ROLES: readonly Role[] = ["operator", "release-engineer", "auditor"];

/**
 * Makes a token; its name may be another's, too. Errors: `invalid` for a name that is kept for the
 * provider, and when roles and account do not go together.
 */
export function createToken<A>(
  ctx: ServiceContext,
  call: Mutation<NewToken, A>,
  input: CreateToken,
): Promise<A> {
  const roles = checkWish(input);
  return mutate(ctx, call, async (tx, { at, rng }) => {
    const secret = newSecret(rng);
    const token: Token = {
      id: newId("token", { at, rng }),
      name: input.name || randomName(rng),
      account: input.account,
      roles,
      secretHash: hashOf(secret),
      createdAt: at,
      expiresAt: input.ttlMs === undefined ? undefined : at + input.ttlMs,
      revokedAt: undefined,
    };
    await tx.tokens.insert(token);
    return { token, secret };
  });
}

/** One page of tokens, of one account or of all. */
export async function listTokens(
  ctx: ServiceContext,
  wish: Listing & { readonly account: AccountId | undefined },
): Promise<Page<Token>> {
  const { account, after, limit } = wish;
  const all = await ctx.store.read((tx) => tx.tokens.all());
  const matching = all.filter((t) => !account || t.account === account).sort(newestFirst);
  const rest = after ? matching.filter((t) => newestFirst(t, after) > 0) : matching;
  return { rows: rest.slice(0, limit), total: matching.length, more: rest.length > limit };
}

/** Ends a token at once; one that has ended already stays as it is. */
export function revokeToken<A>(
  ctx: ServiceContext,
  call: Mutation<Token, A>,
  input: { readonly id: TokenId; readonly etag: string },
): Promise<A> {
  return mutate(ctx, call, async (tx, { at }) => {
    const token = await tx.tokens.get(input.id);
    if (!token) throw notFound("token", input.id);
    if (input.etag !== "" && input.etag !== tokenEtag(token)) {
      throw refuse("conflict", `token ${token.id} has changed since its etag was read`, {
        reason: "ETAG_MISMATCH",
      });
    }
    if (token.revokedAt !== undefined) return token;
    const revoked = { ...token, revokedAt: at };
    await tx.tokens.update(revoked);
    return revoked;
  });
}

/**
 * The caller behind a secret, at once when that token was asked for lately. Errors:
 * `unauthenticated`, saying when the token has ended.
 */
export function authenticate(ctx: ServiceContext, secret: string): Soon<Principal> {
  const token = tokensOf(ctx.store).byHash(hashOf(secret));
  return andThen(token, (found) => principalOf(ctx, found));
}

function principalOf(ctx: ServiceContext, token: Token | undefined): Principal {
  if (!token) throw refuse("unauthenticated", "the bearer token is not known");
  if (token.revokedAt !== undefined) {
    throw refuse("unauthenticated", "the token was revoked", { reason: "TOKEN_REVOKED" });
  }
  if (token.expiresAt !== undefined && token.expiresAt <= ctx.clock.now()) {
    throw refuse("unauthenticated", "the token's time is over", { reason: "TOKEN_EXPIRED" });
  }
  return { id: token.id, account: token.account, roles: token.roles };
}

/**
 * At the first start, makes the operator's token and leaves its secret in `file`. The file comes
 * first: a crash before the row is made good at the next start, from the file.
 */
export async function ensureOperatorToken(ctx: ServiceContext, file: SecretFile): Promise<void> {
  const tokens = await ctx.store.read((tx) => tx.tokens.all());
  let secret = file.read();
  if (secret === undefined) {
    if (tokens.length > 0) return;
    secret = newSecret(ctx.rng);
    file.write(secret);
  }
  const secretHash = hashOf(secret);
  if (tokens.some((token) => token.secretHash === secretHash)) return;
  const at = ctx.clock.now();
  const token: Token = {
    id: newId("token", { at, rng: ctx.rng }),
    name: "first-operator",
    account: undefined,
    roles: OPERATOR_ROLES,
    secretHash,
    createdAt: at,
    expiresAt: undefined,
    revokedAt: undefined,
  };
  await ctx.store.write({ by: "system:start", method: "token.first", at }, (tx) =>
    tx.tokens.insert(token),
  );
  ctx.log.info({ tokenId: token.id }, "operator token made");
}

/** Changes with every change of a token, which can only be its end. */
export function tokenEtag(token: Token): string {
  return hashOf(`${token.id}/${token.revokedAt ?? ""}`).slice(0, 16);
}

/** The token's roles, each once; throws every bad field at once. */
function checkWish({ roles, account, name }: CreateToken): readonly Role[] {
  const faults = new Faults();
  if (name !== "") checkName(faults, "name", name);
  for (const [i, role] of roles.entries()) {
    if (!role) faults.invalid(`roles[${i}]`, "is not a role that this server knows");
  }
  const known = [...new Set(roles)].filter((role) => role !== undefined);
  const tenants = known.filter(isTenantRole).length;
  if (roles.length === 0) {
    faults.invalid("roles", "must be set");
  } else if (tenants > 0 && tenants < known.length) {
    faults.invalid("roles", "must be all of tenants or all of operators");
  } else if (tenants > 0 && !account) {
    faults.invalid("account", "must be set for tenant roles");
  } else if (tenants < known.length && account) {
    faults.invalid("account", "must not be set for operators' roles");
  }
  faults.throwIfAny();
  return known;
}

function newSecret(rng: Rng): string {
  return SECRET_PREFIX + Buffer.from(rng.bytes(SECRET_BYTES)).toString("base64url");
}

function hashOf(text: string): string {
  return hash("sha256", text, "hex");
}

function newestFirst(a: Key, b: Key): number {
  return b.createdAt - a.createdAt || compare(a.name, b.name) || compare(a.id, b.id);
}

type Key = NonNullable<Listing["after"]>;

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
