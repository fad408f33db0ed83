// What the contract says about which action is allowed in which status: every pair of the two. Only
// in a yard of the suite's own, whose machine can be made to take its time.
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WireError } from "../wire.js";
import { V } from "./services.js";
import { OWN_YARD, type Target, type Tenant, target } from "./target.js";

const FAILED_PRECONDITION = 9;
const NODE = "wdc07-a-r01-s01";
const SMALL = { profile: "bx3d-8x40" };
const NO_ROOM = { profile: "gx3d-160x1792x8h200" };
const S = InstanceStatus;

/** Statuses from which each action is accepted, those included where it waits. */
const ALLOWED = {
  start: ["stopped", "failed", "stopping"],
  stop: ["running", "starting", "restarting", "pending", "failed"],
  reboot: ["running", "starting"],
  delete: ["running", "starting", "restarting", "stopping", "stopped", "failed", "deleting"],
};
type Action = keyof typeof ALLOWED;
const ACTIONS = Object.keys(ALLOWED) as Action[];
const STATUSES = [...ALLOWED.delete];

describe.runIf(OWN_YARD)("an instance that is", () => {
  let at: Target;
  let tenant: Tenant;
  const ids = new Map<string, string>();
  beforeAll(async () => {
    at = await target({ machines: [NODE] });
    tenant = await at.tenant();
    const { wire } = tenant;
    for (const status of STATUSES.filter((one) => !["starting", "failed"].includes(one))) {
      ids.set(status, (await tenant.instance(status, [], SMALL)).id);
    }
    for (const id of ids.values()) await tenant.running(id);
    const stop = (status: string) =>
      wire.call(V.stopInstance, calls.StopInstanceRequest.fromPartial({ id: ids.get(status)! }));
    await stop("stopped");
    await tenant.status(ids.get("stopped")!, S.INSTANCE_STATUS_STOPPED);
    await at.yard!.stopAgent(NODE);
    await stop("stopping");
    const reboot = calls.RebootInstanceRequest.fromPartial({ id: ids.get("restarting")! });
    await wire.call(V.rebootInstance, reboot);
    await tenant.delete(ids.get("deleting")!);
    ids.set("starting", (await tenant.instance("starting", [], SMALL)).id);
    ids.set("failed", (await tenant.instance("failed", [], NO_ROOM)).id);
  });
  afterAll(async () => {
    await at.yard!.startAgent(NODE);
    await at.close();
  });

  async function refusal(action: Action, id: string): Promise<WireError | undefined> {
    const dry = { id, validateOnly: true };
    const { wire } = tenant;
    try {
      if (action === "start") {
        await wire.call(V.startInstance, calls.StartInstanceRequest.fromPartial(dry));
      } else if (action === "stop") {
        await wire.call(V.stopInstance, calls.StopInstanceRequest.fromPartial(dry));
      } else if (action === "reboot") {
        await wire.call(V.rebootInstance, calls.RebootInstanceRequest.fromPartial(dry));
      } else {
        await wire.call(V.deleteInstance, calls.DeleteInstanceRequest.fromPartial(dry));
      }
    } catch (err) {
      if (err instanceof WireError) return err;
      throw err;
    }
    return undefined;
  }

  test.each(STATUSES)("%s takes the actions of its status and no other", async (status) => {
    const id = ids.get(status)!;
    const key = `INSTANCE_STATUS_${status.toUpperCase()}` as keyof typeof InstanceStatus;
    expect((await tenant.get(id))?.status).toBe(InstanceStatus[key]);
    for (const action of ACTIONS) {
      const refused = await refusal(action, id);
      const allowed = ALLOWED[action];
      if (allowed.includes(status)) {
        expect(refused?.message, action).toBeUndefined();
        continue;
      }
      expect([refused?.code, refused?.reason], action).toEqual([
        ...[FAILED_PRECONDITION, "INSTANCE_STATUS_CONFLICT"],
      ]);
      const said = refused?.details.info?.metadata;
      expect(said?.get("status")).toBe(status);
      expect(said?.get("allowed")?.split(", ").sort()).toEqual([...allowed].sort());
      expect(refused?.message).not.toContain("still being taken off");
    }
  });
});
