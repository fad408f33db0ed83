// Every reason that the domain can give has its member in the contract.
import {
  HealthReasonCode,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { LifecycleReasonCode } from "@railyard/proto/gen/railyard/v1/resource";
import { expect, test } from "vitest";
import { INSTANCE_STATUS_REASON_CODES } from "../domain/instance.js";
import { HEALTH_REASON_CODES, LIFECYCLE_REASON_CODES } from "../domain/lifecycle.js";
import { enumOf } from "./resource.js";

test("every lifecycle reason is one of the contract's", () => {
  const value = (code: string) => enumOf(LifecycleReasonCode, "LIFECYCLE_REASON_CODE", code);
  expect(LIFECYCLE_REASON_CODES.filter((code) => value(code) === 0)).toEqual([]);
});

test("every health reason is one of the contract's", () => {
  const value = (code: string) => enumOf(HealthReasonCode, "HEALTH_REASON_CODE", code);
  expect(HEALTH_REASON_CODES.filter((code) => value(code) === 0)).toEqual([]);
});

test("every reason of an instance's status is one of the contract's", () => {
  const prefix = "INSTANCE_STATUS_REASON_CODE";
  const value = (code: string) => enumOf(InstanceStatusReasonCode, prefix, code);
  expect(INSTANCE_STATUS_REASON_CODES.filter((code) => value(code) === 0)).toEqual([]);
});
