// Tests of calls whose caller's token ends, or is slow to be checked, while they are under way.
import { Metadata } from "@grpc/grpc-js";
import { ManualClock, settle } from "@railyard/lib/clock";
import { asRailyardError, refuse } from "@railyard/lib/errors";
import { silentLog } from "@railyard/lib/log";
import { contractImage } from "@railyard/proto/image";
import { expect, test } from "vitest";
import { bindRpc, CALL_MS_MAX, runCall } from "./call.js";
import { LateSignal } from "./late-signal.js";
import { Limits } from "./limits.js";
import { rpcsOf, TENANT_SERVICES } from "./services.js";
import { ASK_AGAIN_MS } from "./still-allowed.js";

const limits = new Limits(contractImage());
const never = () => new Promise<never>(() => undefined);
const REVOKED = refuse("unauthenticated", "the token was revoked", { reason: "TOKEN_REVOKED" });

/** A call of the RPC under way, whose handler never ends by itself. */
function under(method: string) {
  const definition = TENANT_SERVICES.flatMap(rpcsOf).find((one) => one.method === method)!;
  const clock = new ManualClock();
  const touched = new Set<() => void>();
  const call = {
    ...{ clock, touched, state: "waits", handled: 0 },
    answer: async (): Promise<void> => undefined,
  };
  const metadata = new Metadata();
  metadata.set("authorization", "Bearer any");
  const gate = {
    ...{ limits, clock, log: silentLog(), signPage: () => Buffer.alloc(0) },
    authenticate: async () => {
      await call.answer();
      return { id: "tok", account: undefined, roles: ["tenant-viewer" as const] };
    },
    onTokenTouch: (id: string, fn: () => void) => {
      if (id === "tok") touched.add(fn);
      return () => touched.delete(fn);
    },
  };
  const handler = () => {
    call.handled += 1;
    return never();
  };
  const run = async () =>
    runCall(gate, bindRpc(definition, limits, { [definition.key]: handler }), {
      ...{ metadata, remainingMs: Number.POSITIVE_INFINITY, gone: new LateSignal() },
      ...{ requests: [Buffer.alloc(0)] as const, write: () => undefined },
    });
  const begin = () =>
    void run().catch((thrown) => {
      const { code, reason } = asRailyardError(thrown);
      call.state = `${code} ${reason}`;
    });
  return { call, begin };
}

test("a stream ends as soon as its token is revoked", async () => {
  const { call, begin } = under("WatchObjects");
  begin();
  await settle();
  for (const touch of call.touched) touch();
  await settle();
  expect([call.state, call.touched.size]).toEqual(["waits", 1]);
  call.answer = () => Promise.reject(REVOKED);
  for (const touch of call.touched) touch();
  await settle();
  expect([call.state, call.touched.size]).toEqual(["unauthenticated TOKEN_REVOKED", 0]);
});

test("a stream ends soon after its token expired, and not because nobody can tell", async () => {
  const { call, begin } = under("WatchObjects");
  begin();
  await settle();
  call.answer = () => Promise.reject(refuse("unavailable", "the store is overloaded"));
  await call.clock.advance(3 * ASK_AGAIN_MS);
  expect(call.state).toBe("waits");
  call.answer = () => Promise.reject(refuse("unauthenticated", "", { reason: "TOKEN_EXPIRED" }));
  await call.clock.advance(ASK_AGAIN_MS);
  expect(call.state).toBe("unauthenticated TOKEN_EXPIRED");
});

test("the time that it takes to know the caller counts, and nothing is done after it", async () => {
  const { call, begin } = under("ListClusterNetworks");
  let known = () => {};
  call.answer = () =>
    new Promise((resolve) => {
      known = resolve;
    });
  begin();
  await call.clock.advance(CALL_MS_MAX);
  expect(call.state).toBe("deadline DEADLINE_EXCEEDED");
  known();
  await settle();
  expect(call.handled).toBe(0);
});
