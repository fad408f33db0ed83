// Tests of what a silent host means for the instances that hold it, whatever they are doing.
import type { NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { isOnSilentHost, onHeardHost, onSilentHost, stayingAsUnwell } from "./host-failure.js";
import {
  type Instance,
  type InstancePlacement,
  offHost,
  toDeleting,
  toFailed,
  toRunning,
  toStarting,
  toStopping,
} from "./instance.js";

const present: InstancePlacement = {
  ...{ nodeId: "node-1" as NodeId, pairs: [], phase: "present", sinceGeneration: 1n },
};
const leaving: InstancePlacement = { ...present, phase: "leaving" };
const base = { status: "pending", queuedActions: [], bootCount: 0 } as unknown as Instance;
const running = toRunning(toStarting(base, present), "digest");
const reason = { code: "cannot_start_network", message: "", metadata: {} } as const;
const LEAVING = [
  toStopping(running, leaving),
  toDeleting(running, leaving),
  toFailed(running, reason, leaving),
];

test.each([running, toStarting(base, present), ...LEAVING])(
  "an instance that is $status on a silent host is faulted, and nothing else",
  (instance) => {
    const faulted = onSilentHost(instance);
    expect(faulted).toMatchObject({ healthState: "faulted", status: instance.status });
    expect(isOnSilentHost(faulted)).toBe(true);
    expect(onSilentHost(faulted)).toBe(faulted);
  },
);

test("an instance without a host hears nothing of it", () => {
  for (const instance of [base, offHost(toStopping(running, leaving)), toDeleting(base)]) {
    expect(onSilentHost(instance)).toBe(instance);
  }
});

test.each(LEAVING)(
  "what is $status is unjudged once its host speaks again, or is done with",
  (instance) => {
    const faulted = onSilentHost(instance);
    const unjudged = { healthState: "inapplicable", healthReasons: [] };
    expect(onHeardHost(faulted)).toMatchObject(unjudged);
    expect(onHeardHost(instance)).toBe(instance);
    expect(offHost(faulted)).toMatchObject(unjudged);
  },
);

test("what is to run stays faulted until it was read back", () => {
  const faulted = onSilentHost(running);
  expect(onHeardHost(faulted)).toBe(faulted);
});

test("what leaves a silent host stays as unwell as it was", () => {
  const faulted = onSilentHost(running);
  for (const after of LEAVING) {
    expect(isOnSilentHost(stayingAsUnwell(faulted, after))).toBe(true);
    expect(stayingAsUnwell(running, after)).toBe(after);
  }
});
