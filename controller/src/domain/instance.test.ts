// Tests of an instance's statuses: what each allows and what each transition leaves behind.
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import {
  ACTION_STATUSES,
  allows,
  type Instance,
  type InstanceAction,
  type InstancePlacement,
  type InstanceStatus,
  offHost,
  type QueuedAction,
  queues,
  statusesFor,
  takeQueued,
  toDeleting,
  toFailed,
  toRestarting,
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
  queuedActions: [],
} as unknown as Instance;

const STATUSES: readonly InstanceStatus[] = [
  "deleting",
  "failed",
  "pending",
  "restarting",
  "running",
  "starting",
  "stopped",
  "stopping",
];

test("each action is allowed in these statuses and no other", () => {
  const allowed = (action: InstanceAction) =>
    STATUSES.filter((status) => allows({ ...base, status }, action));
  expect(allowed("start")).toEqual(["failed", "stopped"]);
  expect(allowed("stop")).toEqual(["failed", "pending", "restarting", "running", "starting"]);
  expect(allowed("reboot")).toEqual(["running"]);
  expect(allowed("changing its attachments")).toEqual(["failed", "stopped", "stopping"]);
  expect(allowed("changing its profile")).toEqual(["failed", "stopped"]);
});

test("a start waits behind stopping, a reboot behind starting", () => {
  const waits = (action: QueuedAction) =>
    STATUSES.filter((status) => queues({ ...base, status }, action));
  expect([waits("start"), waits("reboot")]).toEqual([["stopping"], ["starting"]]);
  expect(statusesFor("start")).toEqual(["stopped", "failed", "stopping"]);
  expect(statusesFor("stop")).toEqual([...ACTION_STATUSES.stop]);
});

test("the oldest waiting action that the status allows is taken, older ones dropped", () => {
  const queuedActions = ["reboot", "start", "reboot"] as const;
  const taken = takeQueued({ ...base, status: "stopped", queuedActions });
  expect(taken).toMatchObject({ action: "start", rest: { queuedActions: ["reboot"] } });
  const starts = ["start", "start", "start"] as const;
  const once = takeQueued({ ...base, status: "stopped", queuedActions: starts });
  expect(once).toMatchObject({ action: "start", rest: { queuedActions: [] } });
  const reboots = ["reboot", "reboot"] as const;
  const twice = takeQueued({ ...base, status: "running", queuedActions: reboots });
  expect(twice).toMatchObject({ action: "reboot", rest: { queuedActions: ["reboot"] } });
  const none = takeQueued({ ...base, status: "running", queuedActions: ["start"] });
  expect(none).toMatchObject({ action: undefined, rest: { queuedActions: [] } });
});

test("a reboot asks for one more boot and keeps the host", () => {
  const running = toRunning({ ...base, bootCount: 1, placement }, "digest");
  expect(toRestarting(running)).toMatchObject({
    ...{ status: "restarting", bootCount: 2, placement, observedDigest: undefined },
    healthState: "inapplicable",
  });
});

test("a failed instance that still holds its host cannot start", () => {
  const reason = { code: "cannot_start_capacity" as const, message: "", metadata: {} };
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
