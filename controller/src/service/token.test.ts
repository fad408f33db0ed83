// Tests of tokens: what may be made, who is let in, and that the first one survives a crash.
import { ManualClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqlite } from "../store/sqlite.js";
import type { Mutation, ServiceContext } from "./context.js";
import {
  authenticate,
  type CreateToken,
  createToken,
  ensureOperatorToken,
  listTokens,
  type NewToken,
  revokeToken,
  tokenEtag,
} from "./token.js";

const clock = new ManualClock();
let ctx: ServiceContext;

beforeEach(async () => {
  const log = silentLog();
  const fail = (err: unknown) => expect.unreachable(String(err));
  const store = await openSqlite({ path: ":memory:", clock, log, onFatal: fail });
  const rng = seededRng("tokens");
  ctx = { store, clock, rng, log, nudgeRelay: () => undefined } as unknown as ServiceContext;
});

afterEach(() => ctx.store.close());

function callOf<Value>(over: Partial<Mutation<Value, Value>> = {}): Mutation<Value, Value> {
  return {
    principal: { id: "tok-root", account: undefined, roles: ["operator"] },
    method: "CreateToken",
    requestId: undefined,
    requestHash: "",
    validateOnly: false,
    answer: (value) => value,
    encode: () => new Uint8Array(),
    decode: () => expect.unreachable(),
    ...over,
  };
}

function make(over: Partial<CreateToken> = {}): Promise<NewToken> {
  const account = "acme" as AccountId;
  const input: CreateToken = { account, roles: ["tenant-editor"], name: "", ttlMs: undefined };
  return createToken(ctx, callOf<NewToken>(), { ...input, ...over });
}

test("the bearer of a secret is the principal of its token; only its hash is kept", async () => {
  const { token, secret } = await make();
  expect(secret).toMatch(/^ry_[-\w]{43}$/);
  expect(await authenticate(ctx, secret)).toEqual({
    id: token.id,
    account: "acme",
    roles: ["tenant-editor"],
  });
  expect(JSON.stringify(await ctx.store.read((tx) => tx.tokens.all()))).not.toContain(secret);
  await expect(authenticate(ctx, `${secret}x`)).rejects.toMatchObject({ code: "unauthenticated" });
});

test("a revoked and an expired token say so to their bearers", async () => {
  const ended = await make();
  await revokeToken(ctx, callOf(), { id: ended.token.id, etag: tokenEtag(ended.token) });
  await expect(authenticate(ctx, ended.secret)).rejects.toMatchObject({ reason: "TOKEN_REVOKED" });
  const short = await make({ ttlMs: 60_000 });
  await clock.advance(60_000);
  await expect(authenticate(ctx, short.secret)).rejects.toMatchObject({ reason: "TOKEN_EXPIRED" });
});

test("an etag guards the end of a token, which can be asked for twice", async () => {
  const { token } = await make();
  const end = (etag: string) => revokeToken(ctx, callOf(), { id: token.id, etag });
  await expect(end("0000")).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
  const first = await end("");
  await clock.advance(1_000);
  expect(await end("")).toEqual(first);
});

test("roles and account go together", async () => {
  const field = (name: string) => ({ parts: { fields: [{ field: name }] } });
  await expect(async () => make({ account: undefined })).rejects.toMatchObject(field("account"));
  await expect(async () => make({ roles: ["operator"] })).rejects.toMatchObject(field("account"));
  await expect(async () => make({ roles: [] })).rejects.toMatchObject(field("roles"));
  const mixed = { roles: ["operator", "tenant-viewer"] as const };
  await expect(async () => make(mixed)).rejects.toMatchObject(field("roles"));
  expect((await make({ account: undefined, roles: ["auditor"] })).token.roles).toEqual(["auditor"]);
});

test("lists go newest first, page by page, of one account or of all", async () => {
  for (const account of ["a", "b", "a"] as AccountId[]) {
    await make({ account });
    await clock.advance(1);
  }
  const account = "a" as AccountId;
  const first = await listTokens(ctx, { limit: 1, account });
  expect([first.rows.length, first.total, first.more]).toEqual([1, 2, true]);
  const second = await listTokens(ctx, { limit: 1, account, after: first.rows[0]! });
  expect([second.rows.length, second.more]).toEqual([1, false]);
  expect(second.rows[0]!.createdAt).toBeLessThan(first.rows[0]!.createdAt);
  expect((await listTokens(ctx, { limit: 9, account: undefined })).total).toBe(3);
});

function secretFile() {
  const file = {
    kept: undefined as string | undefined,
    read: () => file.kept,
    write(secret: string) {
      file.kept = secret;
    },
  };
  return file;
}

test("the first start makes one operator's token, and later starts no other", async () => {
  const file = secretFile();
  await ensureOperatorToken(ctx, file);
  const { roles, account } = await authenticate(ctx, file.kept!);
  expect([roles, account]).toEqual([["operator", "release-engineer", "auditor"], undefined]);
  const before = file.kept;
  await ensureOperatorToken(ctx, file);
  file.kept = undefined;
  await ensureOperatorToken(ctx, file);
  expect(before).toBeDefined();
  expect(file.kept).toBeUndefined();
  expect(await ctx.store.read((tx) => tx.tokens.all())).toHaveLength(1);
});

test("a crash between the file and the row is made good at the next start", async () => {
  const file = secretFile();
  file.write("ry_from-before-the-crash");
  await ensureOperatorToken(ctx, file);
  expect(file.kept).toBe("ry_from-before-the-crash");
  expect((await authenticate(ctx, "ry_from-before-the-crash")).roles).toContain("operator");
});
