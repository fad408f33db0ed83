// Tests of faults: one error that names everything.
import { expect, test } from "vitest";
import { Faults } from "./faults.js";

test("no fault throws nothing", () => {
  expect(() => new Faults().throwIfAny()).not.toThrow();
});

test("every fault is named, and the first kind by precedence gives the code", () => {
  const faults = new Faults();
  faults.add({ code: "exists", field: "name", description: "taken", reason: "NAME_TAKEN" });
  faults.missing("vpc_id", "vpc", "vpc-1");
  faults.invalid("zone", "is wrong", "ZONE_WRONG");
  expect(() => faults.throwIfAny()).toThrow(
    expect.objectContaining({
      code: "invalid",
      reason: "ZONE_WRONG",
      parts: expect.objectContaining({
        fields: [
          { field: "name", description: "taken" },
          { field: "vpc_id", description: "vpc vpc-1 not found" },
          { field: "zone", description: "is wrong" },
        ],
      }),
    }),
  );
});

test("a missing object alone is not found, by its type and id", () => {
  const faults = new Faults();
  faults.missing("vpc_id", "vpc", "vpc-1");
  expect(() => faults.throwIfAny()).toThrow(
    expect.objectContaining({
      code: "notFound",
      message: "vpc vpc-1 not found",
      parts: expect.objectContaining({ resource: { type: "vpc", id: "vpc-1" } }),
    }),
  );
});

test("faults of one kind with different reasons have the kind's own reason", () => {
  const faults = new Faults();
  faults.invalid("a", "is wrong", "ONE");
  faults.invalid("b", "is wrong", "OTHER");
  expect(() => faults.throwIfAny()).toThrow(expect.objectContaining({ reason: "FIELD_INVALID" }));
});
