// Tests of the mapping from errors to gRPC statuses and google.rpc details.
import { status } from "@grpc/grpc-js";
import { bug, type ErrorCode, invalid, notFound, refuse } from "@railyard/lib/errors";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from "@railyard/proto/gen/google/rpc/error_details";
import { Status } from "@railyard/proto/gen/google/rpc/status";
import { expect, test } from "vitest";
import { DETAILS_KEY, toServiceError, wireName } from "./grpc-status.js";

const DECODERS = {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
};

function detailsOf(error: Parameters<typeof toServiceError>[0]) {
  const sent = toServiceError(error);
  const [bytes] = sent.metadata.get(DETAILS_KEY);
  const decoded = Status.decode(bytes as Buffer);
  expect(decoded.code).toBe(sent.code);
  expect(decoded.message).toBe(sent.details);
  const entries = decoded.details.map(({ typeUrl, value }) => {
    const name = typeUrl.replace("type.googleapis.com/google.rpc.", "") as keyof typeof DECODERS;
    return [name, DECODERS[name].decode(value)];
  });
  return { sent, details: Object.fromEntries(entries), bytes: bytes as Buffer };
}

const CODES: Record<ErrorCode, status> = {
  invalid: status.INVALID_ARGUMENT,
  notFound: status.NOT_FOUND,
  exists: status.ALREADY_EXISTS,
  conflict: status.ABORTED,
  precondition: status.FAILED_PRECONDITION,
  exhausted: status.RESOURCE_EXHAUSTED,
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  unavailable: status.UNAVAILABLE,
  deadline: status.DEADLINE_EXCEEDED,
  expired: status.OUT_OF_RANGE,
  unimplemented: status.UNIMPLEMENTED,
  bug: status.INTERNAL,
};

test("every code has its status, and every error its reason and domain", () => {
  for (const [code, wire] of Object.entries(CODES)) {
    const { sent, details } = detailsOf(refuse(code as ErrorCode, "what happened"));
    expect(sent.code).toBe(wire);
    expect(details.ErrorInfo.domain).toBe("railyard");
    expect(details.ErrorInfo.reason).toMatch(/^[A-Z_]+$/);
  }
  expect(wireName()).toBe("OK");
  expect(wireName("conflict")).toBe("ABORTED");
});

test("a bug shows nothing of itself", () => {
  const { sent, bytes } = detailsOf(
    bug("secret words", {
      metadata: { secret: "secret" },
      fields: [{ field: "secret", description: "secret" }],
      cause: new Error("secret"),
    }),
  );
  expect(sent.details).toBe("internal error");
  expect(sent.message + sent.stack + bytes.toString("latin1")).not.toContain("secret");
});

test("causes and details for the log never leave", () => {
  const { bytes } = detailsOf(
    refuse("unavailable", "try again", { cause: new Error("hidden"), detail: { node: "hidden" } }),
  );
  expect(bytes.toString("latin1")).not.toContain("hidden");
});

test("each part of an error becomes its google.rpc detail", () => {
  const { details } = detailsOf(
    refuse("exhausted", "over", {
      reason: "QUOTA_EXCEEDED",
      quota: { subject: "instances", limit: 64, used: 64 },
      retryAfterMs: 1500,
    }),
  );
  expect(details.QuotaFailure.violations[0]).toMatchObject({
    subject: "instances",
    description: "limit 64, used 64",
  });
  expect(details.ErrorInfo.metadata).toEqual(
    new Map([
      ["limit", "64"],
      ["used", "64"],
    ]),
  );
  expect(details.RetryInfo.retryDelay).toEqual({ seconds: 1n, nanos: 500_000_000 });

  const missing = detailsOf(notFound("instance", "ins-1", "instance_id")).details;
  expect(missing.ResourceInfo).toMatchObject({ resourceType: "instance", resourceName: "ins-1" });
  expect(missing.BadRequest.fieldViolations[0].field).toBe("instance_id");

  const held = refuse("precondition", "in use", {
    reason: "SUBNET_IN_USE_INTERFACE_EXISTS",
    holders: [{ type: "interface", id: "cni-1" }],
  });
  expect(detailsOf(held).details.PreconditionFailure.violations[0]).toMatchObject({
    type: "SUBNET_IN_USE_INTERFACE_EXISTS",
    subject: "interface/cni-1",
  });
});

test("what may pass by itself says when to try again, and nothing else does", () => {
  for (const code of ["unavailable", "deadline"] as const) {
    const { details } = detailsOf(refuse(code, "not now"));
    expect(details.RetryInfo.retryDelay).toEqual({ seconds: 1n, nanos: 0 });
  }
  for (const code of ["conflict", "precondition", "exhausted", "forbidden"] as const) {
    expect(detailsOf(refuse(code, "no")).details.RetryInfo).toBeUndefined();
  }
});

test("very many fields still fit into trailers, with word of how many there were", () => {
  const fields = Array.from({ length: 5_000 }, (_, i) => ({
    field: `zones[0].servers[${i}].serial`,
    description: "must be unique",
  }));
  const { sent, details, bytes } = detailsOf(invalid(fields));
  expect(bytes.length).toBeLessThan(12 * 1024);
  expect(sent.details.length).toBeLessThan(1_100);
  expect(details.BadRequest.fieldViolations.length).toBeGreaterThan(50);
  expect(details.ErrorInfo.metadata.get("violations")).toBe("5000");
});

test("a long text is cut, and a cut between the halves of a character can still be sent", () => {
  for (const before of ["", "a"]) {
    const text = before + "😀".repeat(2_000);
    const { sent, details } = detailsOf(invalid([{ field: text, description: text }]));
    expect(() => encodeURI(sent.details)).not.toThrow();
    expect(sent.details.length).toBeLessThan(1_100);
    const [violation] = (details.BadRequest as BadRequest).fieldViolations;
    expect(violation?.field.length).toBeLessThan(1_100);
  }
});
