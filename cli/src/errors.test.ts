// What people read when something is refused, and the exit status they get.
import { status } from "@grpc/grpc-js";
import { type ErrorCode, refuse } from "@railyard/lib/errors";
import { expect, test } from "vitest";
import { errorLines } from "./errors.js";
import { exitCodeOf } from "./exit-code.js";
import { fromServiceError } from "./status.js";

test("every kind of error has its exit status", () => {
  const codes: Record<ErrorCode, number> = {
    bug: 1,
    unimplemented: 1,
    invalid: 2,
    notFound: 3,
    exists: 4,
    conflict: 4,
    precondition: 4,
    expired: 4,
    exhausted: 5,
    unauthenticated: 6,
    forbidden: 6,
    unavailable: 7,
    deadline: 7,
  };
  for (const [code, exit] of Object.entries(codes)) {
    expect(exitCodeOf(refuse(code as ErrorCode, "x")), code).toBe(exit);
  }
});

test("fields, holders, quota and retry have a line each", () => {
  const error = refuse("invalid", "too long to read", {
    reason: "FIELD_INVALID",
    fields: [
      { field: "name", description: "is taken" },
      { field: "zone", description: "is unknown" },
    ],
    holders: [{ type: "instance", id: "ins-1" }],
    quota: { subject: "instances", limit: 64, used: 64 },
    retryAfterMs: 1_500,
    metadata: { holders: "3" },
  });
  expect(errorLines(error)).toEqual([
    "railctl: FIELD_INVALID: 2 problems",
    "  name: is taken",
    "  zone: is unknown",
    "  held by instance ins-1",
    "  … and 2 more holders",
    "  quota instances: 64 of 64 used",
    "  trying again can help in 1.5 s",
  ]);
});

test("a command that sent a file says where in it a field stands", () => {
  const fields = [{ field: "zones[0]", description: "lacks a name" }];
  const lines = errorLines(refuse("invalid", "", { fields }), ({ field }) => `f:1:1: ${field}`);
  expect(lines[1]).toBe("f:1:1: zones[0]");
});

test("a failure of the program itself names its cause", () => {
  const lines = errorLines(refuse("bug", "unexpected error", { cause: new Error("boom") }));
  expect(lines).toEqual(["railctl: unexpected: unexpected error: boom"]);
});

test("a server that cannot be reached is named", () => {
  const details = "No connection established. Last error: Error: connect ECONNREFUSED 1.2.3.4:5.";
  const thrown = Object.assign(new Error(), { code: status.UNAVAILABLE, details, metadata: {} });
  const metadata = { get: () => [] };
  const error = fromServiceError(Object.assign(thrown, { metadata }), "1.2.3.4:5");
  expect(error.message).toBe("1.2.3.4:5 cannot be reached: connect ECONNREFUSED 1.2.3.4:5");
  expect(error.code).toBe("unavailable");
});
