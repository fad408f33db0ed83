// What a report of one instance makes of it, for its owner to see.
import { expect, test } from "vitest";
import { type Attachment, UNSEEN } from "./attachment.js";
import type { Instance } from "./instance.js";
import { type InstanceObservation, observe, observeAttachment } from "./observation.js";

const INTENT = { digest: "d1", newest: true, isolated: true };

function instance(change: Partial<Instance> = {}): Instance {
  const base = { status: "starting", lifecycleState: "stable", lifecycleReasons: [] };
  const health = { healthState: "inapplicable", healthReasons: [], startable: false };
  return { ...base, ...health, statusReasons: [], ...change } as unknown as Instance;
}

function seen(change: Partial<InstanceObservation> = {}): InstanceObservation {
  return {
    instanceId: "ins-1",
    phase: "present",
    digest: "d1",
    reason: "",
    attachments: [
      {
        position: 0,
        guestPciAddress: "0000:11:00.0",
        hostPciAddress: "0000:01:00.1",
        observed: "applied",
      },
    ],
    devices: [],
    failedSteps: [],
    ...change,
  };
}

test("a starting instance runs once the facts read back are the intended ones", () => {
  const after = observe(instance(), seen(), INTENT);
  expect(after).toMatchObject({ status: "running", healthState: "ok", observedDigest: "d1" });
});

test.each([
  ["another digest", seen({ digest: "d2" })],
  ["no digest", seen({ digest: "" })],
  ["a guest that is not up yet", seen({ phase: "applying" })],
  ["no report at all", undefined],
])("a starting instance does not run with %s", (_, observation) => {
  expect(observe(instance(), observation, INTENT).status).toBe("starting");
});

test("an instance whose isolation was not read back does not run, and says so", () => {
  const apart = { ...INTENT, isolated: false };
  const after = observe(instance(), seen(), apart);
  expect(after).toMatchObject({
    status: "starting",
    lifecycleReasons: [{ code: "awaiting_apply" }],
  });
  const running = observe(after, seen(), INTENT);
  expect(running).toMatchObject({ status: "running", lifecycleReasons: [] });
  expect(observe(running, seen(), apart)).toMatchObject({ healthState: "degraded" });
});

test("an attested running instance is left as it is by the same report", () => {
  const once = observe(instance(), seen(), INTENT);
  expect(observe(once, seen(), INTENT)).toBe(once);
});

test("what fails is told to the owner by position, without the agent's words", () => {
  const reason = "configure-vf nic-0200 on leaf-a1";
  const attachments = [
    { position: 3, guestPciAddress: "", hostPciAddress: "", observed: "pending" as const },
  ];
  const failing = seen({ phase: "failed", digest: "", reason, attachments });
  const after = observe(instance(), failing, INTENT);
  expect(after.lifecycleReasons).toEqual([
    {
      code: "apply_failed",
      message:
        "its machine was not read back as intended at attachment positions 3; it is being retried",
    },
  ]);
});

test("a running instance is degraded while its facts differ, and well when they are back", () => {
  const running = observe(instance(), seen(), INTENT);
  const worse = observe(running, seen({ digest: "d2" }), INTENT);
  expect(worse).toMatchObject({ status: "running", healthState: "degraded" });
  expect(observe(running, undefined, INTENT).healthState).toBe("faulted");
  expect(observe(worse, seen(), INTENT)).toMatchObject({ healthState: "ok", healthReasons: [] });
});

test("a pass towards an older intent proves nothing wrong", () => {
  const running = observe(instance(), seen(), INTENT);
  expect(observe(running, seen({ digest: "d0" }), { ...INTENT, newest: false })).toBe(running);
});

test("a degraded link shows in the health of a running instance", () => {
  const attachments = [
    { position: 5, guestPciAddress: "", hostPciAddress: "", observed: "degraded" as const },
  ];
  const after = observe(instance(), seen({ attachments }), INTENT);
  expect(after).toMatchObject({ status: "running", healthState: "degraded" });
});

test("an attachment shows what was found at its position, and nothing without a report", () => {
  const attachment = { position: 0, ...UNSEEN } as Attachment;
  const applied = observeAttachment(attachment, seen());
  const addresses = { guestPciAddress: "0000:11:00.0", hostPciAddress: "0000:01:00.1" };
  expect(applied).toMatchObject({ observed: "applied", ...addresses });
  expect(observeAttachment(applied, seen())).toBe(applied);
  expect(observeAttachment(applied, undefined)).toMatchObject(UNSEEN);
});
