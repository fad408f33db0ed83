// What the contract says about the size of what a node is told: user data of 64 KiB are taken, and
// a node's desired state stays below 1 MiB all the same. Only in a yard of the suite's own, whose
// one machine has room for more instances than that.
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import {
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import { V } from "./services.js";
import { OWN_YARD, type Target, type Tenant, target } from "./target.js";

const FAILED_PRECONDITION = 9;
const NODE = "wdc07-a-r01-s01";
const SMALL = "bx3d-8x40";
const USER_DATA_MAX = 64 * 1024;
const MESSAGE_MAX = 1024 * 1024;
const { INSTANCE_STATUS_FAILED: FAILED, INSTANCE_STATUS_STARTING: STARTING } = InstanceStatus;

describe.runIf(OWN_YARD)("a node's desired state", () => {
  let at: Target;
  let tenant: Tenant;
  const fitting: string[] = [];
  let roomless: calls.Instance;
  beforeAll(async () => {
    at = await target({ machines: [NODE] });
    tenant = await at.tenant();
    for (;;) {
      const made = await tenant.instance(`i-${fitting.length}`, [], sized(USER_DATA_MAX));
      if (made.status === FAILED) {
        roomless = made;
        break;
      }
      fitting.push(made.id);
    }
  });
  afterAll(() => at.close());

  const sized = (bytes: number) => ({ profile: SMALL, userData: "x".repeat(bytes) });

  test("takes no more user data than 1 MiB has room for: who comes then finds none", async () => {
    expect(fitting.length * USER_DATA_MAX).toBeLessThan(MESSAGE_MAX);
    expect((fitting.length + 1) * USER_DATA_MAX * (4 / 3)).toBeGreaterThan(MESSAGE_MAX * 0.95);
    expect(roomless.statusReasons.map(({ code }) => code)).toEqual([
      InstanceStatusReasonCode.INSTANCE_STATUS_REASON_CODE_CANNOT_START_CAPACITY,
    ]);
    for (const id of fitting) await tenant.running(id);
  });

  test("leaves the rest of its machine to those who say less", async () => {
    const { id } = await tenant.instance("brief", [], { profile: SMALL });
    await tenant.running(id);
  });

  test("is not outgrown by a change either: that is refused", async () => {
    // The largest that still fits beside them, found by asking.
    let [fits, tooLarge] = [0, USER_DATA_MAX];
    while (tooLarge - fits > 1) {
      const bytes = Math.floor((fits + tooLarge) / 2);
      const asked = instanceRequest("last", [], sized(bytes));
      const dry = { ...asked, validateOnly: true };
      const { instance } = await tenant.wire.call(V.createInstance, dry);
      if (instance?.status === STARTING) fits = bytes;
      else tooLarge = bytes;
    }
    await tenant.running((await tenant.instance("last", [], sized(fits))).id);
    const reasons: (string | undefined)[] = [];
    for (const [i, id] of fitting.entries()) {
      const name = `${"n".repeat(60)}-${i}`;
      const request = calls.UpdateInstanceRequest.fromPartial({
        ...{ id, instance: { name }, updateMask: ["name"] },
      });
      const refused = await tenant.wire.call(V.updateInstance, request).then(
        () => undefined,
        (err: unknown) => err,
      );
      if (!refused) continue;
      expect(refused).toMatchObject({ code: FAILED_PRECONDITION });
      reasons.push((refused as { readonly reason: string }).reason);
    }
    expect(new Set(reasons)).toEqual(new Set(["INSTANCE_DESIRED_STATE_TOO_LARGE"]));
  });
});
