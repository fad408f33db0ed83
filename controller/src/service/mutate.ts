// The shape of every mutation: one transaction that checks the request id, does the work, records
// the answer; validate_only runs all of it and writes nothing. Knows nothing of any noun.
import { RailyardError, refuse } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import { type Rng, repeating, seededRng } from "@railyard/lib/rng";
import type { Cause, Unique, WriteTx } from "../store/contract.js";
import type { Mutation, ServiceContext } from "./context.js";
import { noNameLeft } from "./naming.js";
import { refuseReadOnly } from "./read-only.js";

/** What `fn` may use beside `tx`; a second run draws the same. */
export interface Given {
  /** Wall time of the call, milliseconds. */
  readonly at: number;
  readonly rng: Rng;
}

/** What a mutation is given beside `tx`. */
export interface MutationGiven extends Given {
  /** Logs a change of state once it is committed, with the caller; not for a dry run or repeat. */
  tell(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Runs of one mutation whose random names turn out to be taken. */
const DRAWS_MAX = 16;

type Head = Pick<Mutation<unknown, unknown>, "principal" | "method" | "requestId">;

/** Carries a value out of a transaction that must not be kept. */
class Unwritten<Answer> extends Error {
  constructor(readonly answer: Answer) {
    super("validate_only");
  }
}

/**
 * Runs `fn` in one transaction and resolves with the caller's answer after the durable commit, then
 * nudges the relay. A repeated request id with the same content gets the first answer again; when a
 * random name turns out to be taken, all of it runs again with others.
 * Errors: whatever `fn` throws; `exists` REQUEST_ID_REUSED; `unavailable` STORE_READ_ONLY.
 */
export async function mutate<Value, Answer>(
  ctx: ServiceContext,
  call: Mutation<Value, Answer>,
  fn: (tx: WriteTx, given: MutationGiven) => Promise<Value>,
): Promise<Answer> {
  for (let draws = 1; ; draws++) {
    try {
      return await runOnce(ctx, call, fn);
    } catch (err) {
      if (!isDrawnTwice(err)) throw err;
      if (draws === DRAWS_MAX) throw noNameLeft();
    }
  }
}

/** Names that nobody has to give. */
const DRAWN: ReadonlySet<string> = new Set<Unique>([
  ...(["network-name", "subnet-name", "interface-name", "reserved-ip-name"] as const),
  ...(["instance-name", "attachment-name", "hold-name"] as const),
]);

/** Names that were asked for were looked up before: what is found taken here was drawn. */
function isDrawnTwice(err: unknown): boolean {
  if (!(err instanceof RailyardError) || err.code !== "exists") return false;
  return DRAWN.has(err.parts.metadata?.unique ?? "");
}

async function runOnce<Value, Answer>(
  ctx: ServiceContext,
  call: Mutation<Value, Answer>,
  fn: (tx: WriteTx, given: MutationGiven) => Promise<Value>,
): Promise<Answer> {
  const at = ctx.clock.now();
  const chance = repeating(streamOf(ctx.rng, scopeOf(call.principal.account)));
  const { principal, method: rpc, requestId } = call;
  let told: (() => void)[] = [];
  const tell: MutationGiven["tell"] = (fields, message) =>
    void told.push(() =>
      ctx.log.info({ principal: principal.id, rpc, requestId, ...fields }, message),
    );
  try {
    const answer = await ctx.store.write(causeOf(call, at), async (tx) => {
      told = [];
      const first = requestId && (await firstAnswer(tx, call, requestId));
      if (first) return first;
      await refuseReadOnly(tx);
      const made = call.answer(await fn(tx, { at, rng: chance(), tell }));
      if (call.validateOnly) throw new Unwritten(made);
      tx.acknowledge();
      if (requestId) await record(tx, call, { requestId, made, at });
      return made;
    });
    for (const say of told) say();
    ctx.nudgeRelay();
    return answer;
  } catch (err) {
    if (err instanceof Unwritten) return err.answer as Answer;
    throw err;
  }
}

const streams = new WeakMap<Rng, Map<string, Rng>>();

/**
 * One stream of chance per account: what one account does never changes what another draws. Kept,
 * since a fresh fork of a repeatable generator would draw the same again.
 */
export function streamOf(rng: Rng, scope: string): Rng {
  const known = streams.get(rng) ?? new Map<string, Rng>();
  streams.set(rng, known);
  const stream = known.get(scope) ?? rng.fork(scope);
  known.set(scope, stream);
  return stream;
}

/**
 * Chance for what befalls an object without its owner's asking: drawn from the object as it is, so
 * that no other account's objects decide on it. Other chance after every change of its etag.
 */
export function chanceOf({ id, etag }: { readonly id: string; readonly etag: string }): Rng {
  return seededRng(`${id}\0${etag}`);
}

function causeOf(call: Head, at: number): Cause {
  const { principal, method, requestId } = call;
  return {
    by: principal.id,
    method,
    at,
    ...(requestId && { requestId }),
    ...(principal.account && { account: principal.account }),
  };
}

function scopeOf(account: AccountId | undefined): string {
  return account ?? "operator";
}

async function firstAnswer<A>(
  tx: WriteTx,
  call: Mutation<never, A>,
  requestId: string,
): Promise<A | undefined> {
  const scope = scopeOf(call.principal.account);
  const before = await tx.requests.get(scope, call.method, requestId);
  if (!before) return undefined;
  if (before.hash === call.requestHash) return call.decode(before.answer);
  throw refuse("exists", "request_id was used before with another request", {
    reason: "REQUEST_ID_REUSED",
    fields: [{ field: "request_id", description: "was used before with another request" }],
  });
}

async function record<A>(
  tx: WriteTx,
  call: Mutation<never, A>,
  { requestId, made, at }: { readonly requestId: string; readonly made: A; readonly at: number },
): Promise<void> {
  const scope = scopeOf(call.principal.account);
  const { method, requestHash: hash } = call;
  const answer = call.encode(made);
  await tx.requests.insert({ scope, method, requestId, hash, answer, at });
}
