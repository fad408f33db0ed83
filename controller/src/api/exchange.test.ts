// Tests of what a malformed request costs: whether its use case is asked what else is wrong.
import type { MethodDefinition } from "@grpc/grpc-js";
import { ManualClock } from "@railyard/lib/clock";
import { asRailyardError, invalid, invalidField } from "@railyard/lib/errors";
import { expect, test } from "vitest";
import { exchange } from "./exchange.js";
import type { Rpc } from "./handler.js";
import { TooManyItems } from "./limits.js";

const FAULT = invalidField("names", "must have at most 2 items");

/** The fields that are named, and the requests that reached the use case. */
async function refused(request: object, fault: Error) {
  const asked: object[] = [];
  const codec = { requestDeserialize: () => request } as unknown as MethodDefinition<
    object,
    object
  >;
  const handler = async (taken: object) => {
    asked.push(taken);
    throw invalid([{ field: "zone", description: "is not there" }]);
  };
  const call = {
    ...{ handler, codec, by: {} as Rpc, requests: [Buffer.alloc(0)] as const },
    taken: () => {
      throw fault;
    },
    write: () => undefined,
  };
  const exchanged = (async () => exchange(new ManualClock(), call))();
  const thrown = asRailyardError(await exchanged.catch((err) => err));
  return { fields: (thrown.parts.fields ?? []).map(({ field }) => field), asked };
}

test("a malformed mutation names what its use case finds, which changes nothing", async () => {
  const { fields, asked } = await refused({ validateOnly: false }, FAULT);
  expect([fields, asked]).toEqual([["names", "zone"], [{ validateOnly: true }]]);
});

test("a malformed list names what its use case finds", async () => {
  const { fields, asked } = await refused({ pageToken: "x" }, FAULT);
  expect([fields, asked]).toEqual([["names", "zone"], [{ pageToken: "x" }]]);
});

test("a request with too many items never reaches its use case, nor does any other", async () => {
  const tooMany = new TooManyItems(FAULT.code, FAULT.message, FAULT.parts);
  const outcomes = [
    await refused({ validateOnly: false }, tooMany),
    await refused({ pageToken: "x" }, tooMany),
    await refused({ id: "x" }, FAULT),
  ];
  for (const outcome of outcomes) expect(outcome).toEqual({ fields: ["names"], asked: [] });
});
