// Tests of calls that wait for their account's turn, without a socket.
import { Metadata } from "@grpc/grpc-js";
import { ManualClock, settle } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { contractImage } from "@railyard/proto/image";
import { expect, test } from "vitest";
import { ACCOUNT_CALLS_MAX, AccountCalls } from "./account-calls.js";
import { AT_WORK_MAX } from "./account-turns.js";
import { bindRpc, type Gate, runCall } from "./call.js";
import { LateSignal } from "./late-signal.js";
import { Limits } from "./limits.js";
import { rpcsOf } from "./services.js";

const limits = new Limits(contractImage());
const LIST = rpcsOf(InstanceServiceService).find(({ key }) => key === "listInstances");
const LONG_MS = 10_000;

/** Lists of one account whose answers come when they are let go. */
function listing(clock: ManualClock) {
  if (!LIST) throw new Error("the contract lists no instances");
  const by = { id: "tok", account: "acme" as AccountId, roles: ["tenant-viewer"] as const };
  const gate: Gate = {
    ...{ limits, clock, log: silentLog(), signPage: () => Buffer.alloc(0) },
    ...{ authenticate: () => by, onTokenTouch: () => () => undefined },
    accountCalls: new AccountCalls(ACCOUNT_CALLS_MAX),
  };
  const begun: (() => void)[] = [];
  const listInstances = () =>
    new Promise<Uint8Array>((resolve) => begun.push(() => resolve(Buffer.alloc(0))));
  const rpc = bindRpc(LIST, limits, { listInstances });
  const metadata = new Metadata();
  metadata.set("authorization", "Bearer any");
  const call = async (remainingMs: number, gone = new LateSignal()) =>
    runCall(gate, rpc, {
      ...{ metadata, remainingMs, gone, requests: [Buffer.alloc(0)] },
      write: () => undefined,
    });
  return { begun, call };
}

test("a list whose client no longer waits when its turn comes is not begun", async () => {
  const clock = new ManualClock();
  const { begun, call } = listing(clock);
  const first = Array.from({ length: AT_WORK_MAX }, () => call(LONG_MS));
  const gone = new LateSignal();
  const refused = [call(LONG_MS, gone), call(LONG_MS / 10)].map((one) =>
    one.catch((err: unknown) => err),
  );
  const last = call(LONG_MS);
  gone.end(refuse("unavailable", "the client is gone"));
  await clock.advance(LONG_MS / 2);
  expect(begun).toHaveLength(AT_WORK_MAX);
  begun[0]?.();
  await settle();
  // That one place went past both to the one who still waits.
  expect(begun).toHaveLength(AT_WORK_MAX + 1);
  expect(await Promise.all(refused)).toMatchObject([{ code: "unavailable" }, { code: "deadline" }]);
  for (const end of begun) end();
  expect(await Promise.all([...first, last])).toHaveLength(AT_WORK_MAX + 1);
});
