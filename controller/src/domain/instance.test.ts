// Tests of an instance's statuses: what each allows and what each transition leaves behind.
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import {
  allows,
  type Instance,
  type InstancePlacement,
  type InstanceStatus,
  offHost,
  toDeleting,
  toFailed,
  toRunning,
  toStarting,
  toStopped,
  toStopping,
  toUpdating,
} from "./instance.js";

const placement: InstancePlacement = {
  nodeId: "node-1" as NodeId,
  pairs: [],
  phase: "present",
  sinceGeneration: 1n,
};
const base = {
  id: "ins-1" as InstanceId,
  status: "stopped",
  statusReasons: [],
  bootCount: 0,
  placement: undefined,
  previousNodeId: undefined,
} as unknown as Instance;

test("start is allowed from stopped and failed, stop from what runs or means to", () => {
  const allowed = (action: "start" | "stop") =>
    [
      "deleting",
      "failed",
      "pending",
      "restarting",
      "running",
      "starting",
      "stopped",
      "stopping",
    ].filter((status) => allows({ ...base, status: status as InstanceStatus }, action));
  expect(allowed("start")).toEqual(["failed", "stopped"]);
  expect(allowed("stop")).toEqual(["failed", "pending", "restarting", "running", "starting"]);
});

test("a failed instance that still holds its host cannot start", () => {
  const reason = { code: "cannot_start" as const, message: "", metadata: {} };
  const leaving = toFailed({ ...base, status: "starting" }, reason, placement);
  expect(leaving.startable).toBe(false);
  expect(allows(leaving, "start")).toBe(false);
  const gone = offHost(leaving);
  expect(gone).toMatchObject({ status: "failed", startable: true, previousNodeId: "node-1" });
  expect(allows(gone, "start")).toBe(true);
});

test("starting asks for one more boot; running clears what was said before", () => {
  const starting = toStarting({ ...base, bootCount: 2 }, placement);
  expect(starting).toMatchObject({ status: "starting", bootCount: 3, startable: false });
  const running = toRunning({ ...starting, lifecycleState: "updating" }, "digest");
  expect(running).toMatchObject({ status: "running", healthState: "ok", lifecycleState: "stable" });
  expect(toUpdating(running).lifecycleState).toBe("updating");
  expect(toUpdating(starting)).toBe(starting);
});

test("stopping keeps the host, stopped does not but remembers it", () => {
  const stopping = toStopping({ ...base, status: "running", placement }, placement);
  expect(stopping).toMatchObject({ status: "stopping", placement, healthState: "inapplicable" });
  expect(toStopped(stopping)).toMatchObject({
    status: "stopped",
    startable: true,
    placement: undefined,
    previousNodeId: "node-1",
  });
});

test("deleting says what it waits for, if anything", () => {
  expect(toDeleting(base).lifecycleReasons).toEqual([]);
  expect(toDeleting(base, placement).lifecycleReasons).toMatchObject([
    { code: "awaiting_absence" },
  ]);
});
