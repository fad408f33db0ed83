// What the contract says about the life of an instance on a machine: its actions and what waits for
// them, its profile, what goes and what stays with it.
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import {
  HealthState,
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../until.js";
import { OWN_YARD, type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;
const COUNT = 8;
const NODE = "wdc07-a-r01-s01";
const NO_ROOM = { profile: "gx3d-160x1792x8h200" };
const SMALL = { profile: "bx3d-8x40" };
const OTHER = "gx3d-160x1792x8h100";
const { startInstance, stopInstance, rebootInstance, updateInstance } =
  calls.InstanceServiceService;
const { getClusterNetworkInterface } = nics.ClusterNetworkInterfaceServiceService;
const {
  createInstanceClusterNetworkAttachment: add,
  deleteInstanceClusterNetworkAttachment: remove,
  getInstanceClusterNetworkAttachment: getAttachment,
} = links.InstanceClusterNetworkAttachmentServiceService;
const S = InstanceStatus;

let at: Target;
let tenant: Tenant;
let clusterNetworkId: string;
let subnetId: string;
beforeAll(async () => {
  at = await target({ machines: [NODE] });
});
beforeEach(async () => {
  tenant = await at.tenant();
  clusterNetworkId = (await tenant.network()).id;
  subnetId = (await tenant.subnet(clusterNetworkId)).id;
});
afterEach(() => at.empty());
afterAll(() => at.close());

const subnets = () => Array<string>(COUNT).fill(subnetId);
const starting = (id: string) => calls.StartInstanceRequest.fromPartial({ id });
const stopping = (id: string) => calls.StopInstanceRequest.fromPartial({ id });
const rebooting = (id: string, force = false) =>
  calls.RebootInstanceRequest.fromPartial({ id, force });
const profiling = (id: string, name: string) =>
  calls.UpdateInstanceRequest.fromPartial({
    ...{ id, instance: { profile: { name } }, updateMask: ["profile"] },
  });

async function stopped(name = "one") {
  const { id } = await tenant.instance(name, subnets());
  await tenant.running(id);
  await tenant.wire.call(stopInstance, stopping(id));
  return tenant.status(id, S.INSTANCE_STATUS_STOPPED);
}

test("a profile changes only while the instance is stopped", async () => {
  const { id } = await tenant.instance("one", subnets());
  await tenant.running(id);
  const refused = await tenant.wire.refused(updateInstance, profiling(id, OTHER));
  expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "INSTANCE_STATUS_CONFLICT"]);
  await tenant.wire.call(stopInstance, stopping(id));
  await tenant.status(id, S.INSTANCE_STATUS_STOPPED);
  const { instance } = await tenant.wire.call(updateInstance, profiling(id, OTHER));
  expect(instance?.profile?.name).toBe(OTHER);
  await tenant.wire.call(startInstance, starting(id));
  expect((await tenant.running(id)).profile?.name).toBe(OTHER);
});

test("a profile must be there, take the network and as many attachments", async () => {
  const { id } = await stopped();
  const missing = await tenant.wire.refused(updateInstance, profiling(id, "nothing"));
  expect([missing.code, missing.fields]).toEqual([NOT_FOUND, ["instance.profile"]]);
  const foreign = await tenant.wire.refused(updateInstance, profiling(id, NO_ROOM.profile));
  expect([foreign.code, foreign.fields]).toEqual([INVALID_ARGUMENT, ["instance.profile"]]);
  const none = await tenant.wire.refused(updateInstance, profiling(id, SMALL.profile));
  expect(none.fields).toContain("instance.profile");
});

test("a stopped instance gives its host back, keeps its addresses and is startable", async () => {
  const { id, healthState, startable, lifecycleState } = await stopped();
  expect([healthState, startable, lifecycleState]).toEqual([
    ...[HealthState.HEALTH_STATE_INAPPLICABLE, true, LifecycleState.LIFECYCLE_STATE_STABLE],
  ]);
  const before = (await tenant.layout(id)).map(({ address, macAddress }) => [address, macAddress]);
  const other = await tenant.instance("two", subnets());
  await tenant.running(other.id);
  await tenant.delete(other.id);
  await tenant.gone(other.id);
  await tenant.wire.call(startInstance, starting(id));
  await tenant.running(id);
  const after = (await tenant.layout(id)).map(({ address, macAddress }) => [address, macAddress]);
  expect(after).toEqual(before);
});

test("a start says how near to its place before it was placed", async () => {
  const { id } = await stopped();
  const again = await tenant.wire.call(startInstance, starting(id));
  expect(again.placedNear).toBe(calls.PlacedNear.PLACED_NEAR_PREVIOUS_HOST);
  await tenant.running(id);
});

test("an interface goes with its instance if auto_delete is set, else it is free", async () => {
  const stays = await tenant.interface(clusterNetworkId, subnetId, "stays");
  const bound = { name: "kept", interface: { $case: "interfaceId" as const, value: stays.id } };
  const fresh = (i: number) => ({
    ...{ name: `a-${i}`, interface: { $case: "newInterface" as const, value: { subnetId } } },
  });
  const rest = Array.from({ length: COUNT - 1 }, (_, i) => fresh(i));
  const { id, clusterNetworkAttachments } = await tenant.instance("one", [], {
    ...({ clusterNetworkAttachments: [bound, ...rest] } as object),
  });
  const path = { instanceId: id, id: clusterNetworkAttachments[1]!.id };
  const made = await tenant.wire.call(getAttachment, path);
  const goes = made.instanceClusterNetworkAttachment!.interface!.id;
  await tenant.delete(id);
  await tenant.gone(id);
  const nic = (of: string) => ({ clusterNetworkId, id: of });
  const gone = await tenant.wire.refused(getClusterNetworkInterface, nic(goes));
  expect(gone.code).toBe(NOT_FOUND);
  const kept = await tenant.wire.call(getClusterNetworkInterface, nic(stays.id));
  expect(kept.clusterNetworkInterface).toMatchObject({
    ...{ target: undefined, autoDelete: false, macAddress: stays.macAddress },
  });
});

test("a failed instance that holds no machine counts as stopped for its attachments", async () => {
  const { id } = await tenant.instance("one", [], NO_ROOM);
  const instance = await tenant.get(id);
  if (instance?.status !== S.INSTANCE_STATUS_FAILED) return; // This server has room.
  const { id: net } = await tenant.network({ profile: "hopper-1-h200" });
  const { id: there } = await tenant.subnet(net);
  const attachment = {
    ...{ name: "late", interface: { $case: "newInterface" as const, value: { subnetId: there } } },
  };
  const request = links.CreateInstanceClusterNetworkAttachmentRequest.fromPartial({
    ...{ instanceId: id, attachment },
  });
  const made = await tenant.wire.call(add, request);
  const path = { instanceId: id, id: made.instanceClusterNetworkAttachment!.id };
  const gone = links.DeleteInstanceClusterNetworkAttachmentRequest.fromPartial(path);
  await tenant.wire.call(remove, gone);
  expect((await tenant.get(id))?.clusterNetwork).toBeUndefined();
  const { instance: changed } = await tenant.wire.call(updateInstance, profiling(id, OTHER));
  expect([changed?.profile?.name, changed?.status]).toEqual([OTHER, S.INSTANCE_STATUS_FAILED]);
});

test("what found no room keeps its addresses, and starts once there is some", async () => {
  const first = await tenant.instance("first", subnets());
  await tenant.running(first.id);
  const second = await tenant.instance("second", subnets());
  if (second.status !== S.INSTANCE_STATUS_FAILED) return; // This server has room for two.
  const addresses = async () =>
    (await tenant.layout(second.id)).map(({ address, macAddress }) => [address, macAddress]);
  const before = await addresses();
  const again = await tenant.wire.call(startInstance, starting(second.id));
  expect(again.instance).toMatchObject({ status: S.INSTANCE_STATUS_FAILED, startable: true });
  await tenant.delete(first.id);
  await tenant.gone(first.id);
  await tenant.wire.call(startInstance, starting(second.id));
  expect((await tenant.running(second.id)).statusReasons).toEqual([]);
  expect(await addresses()).toEqual(before);
});

test("more attachments than the profile takes at most are refused while stopped, too", async () => {
  const { id } = await stopped();
  const attachments = Array.from({ length: 25 }, (_, i) => ({
    ...{ name: `late-${i}`, interface: { $case: "newInterface" as const, value: { subnetId } } },
  }));
  const request = links.BatchCreateInstanceClusterNetworkAttachmentsRequest.fromPartial({
    ...{ instanceId: id, attachments },
  });
  const { batchCreateInstanceClusterNetworkAttachments: batchCreate } =
    links.InstanceClusterNetworkAttachmentServiceService;
  const refused = await tenant.wire.refused(batchCreate, request);
  expect([refused.code, refused.reason]).toEqual([
    ...[FAILED_PRECONDITION, "ATTACHMENT_COUNT_NOT_PERMITTED"],
  ]);
});

describe.runIf(OWN_YARD)("while its machine takes its time", () => {
  /** Runs `fn` while the machine hears nothing. */
  async function meanwhile(fn: () => Promise<void>): Promise<void> {
    await at.yard!.stopAgent(NODE);
    try {
      await fn();
    } finally {
      await at.yard!.startAgent(NODE);
    }
  }

  test("a removal from an instance that stops is released once its absence was seen", async () => {
    const { id, clusterNetworkAttachments } = await tenant.instance("one", subnets());
    await tenant.running(id);
    const path = { instanceId: id, id: clusterNetworkAttachments[3]!.id };
    await meanwhile(async () => {
      await tenant.wire.call(stopInstance, stopping(id));
      const gone = links.DeleteInstanceClusterNetworkAttachmentRequest.fromPartial(path);
      const { instanceClusterNetworkAttachment: going } = await tenant.wire.call(remove, gone);
      expect(going?.lifecycleState).toBe(LifecycleState.LIFECYCLE_STATE_DELETING);
      const still = await tenant.wire.call(getAttachment, path);
      expect(still.instanceClusterNetworkAttachment).toEqual(going);
    });
    await tenant.status(id, S.INSTANCE_STATUS_STOPPED);
    expect((await tenant.wire.refused(getAttachment, path)).code).toBe(NOT_FOUND);
    expect(await tenant.layout(id)).toHaveLength(COUNT - 1);
  });

  test("a start waits behind stopping, and at most four actions do", async () => {
    const { id } = await tenant.instance("one", [], SMALL);
    await tenant.running(id);
    await meanwhile(async () => {
      await tenant.wire.call(stopInstance, stopping(id));
      for (let i = 0; i < 4; i++) {
        const { placedNear } = await tenant.wire.call(startInstance, starting(id));
        expect(placedNear).toBe(calls.PlacedNear.PLACED_NEAR_UNSPECIFIED);
      }
      // Force is ignored for a start: it drops nothing that waits.
      for (const force of [false, true]) {
        const refused = await tenant.wire.refused(startInstance, { ...starting(id), force });
        expect([refused.code, refused.reason]).toEqual([
          ...[FAILED_PRECONDITION, "INSTANCE_ACTIONS_QUEUED"],
        ]);
      }
    });
    await tenant.running(id);
  });

  test("a start whose attachments were changed while it waited fails for the network", async () => {
    const { id, clusterNetworkAttachments } = await tenant.instance("one", subnets());
    await tenant.running(id);
    await meanwhile(async () => {
      await tenant.wire.call(stopInstance, stopping(id));
      await tenant.wire.call(startInstance, starting(id));
      const path = { instanceId: id, id: clusterNetworkAttachments[0]!.id };
      const gone = links.DeleteInstanceClusterNetworkAttachmentRequest.fromPartial(path);
      await tenant.wire.call(remove, gone);
    });
    const failed = await tenant.status(id, S.INSTANCE_STATUS_FAILED);
    expect([failed.startable, failed.healthState]).toEqual([
      ...[true, HealthState.HEALTH_STATE_INAPPLICABLE],
    ]);
    const [reason] = failed.statusReasons;
    const { INSTANCE_STATUS_REASON_CODE_CANNOT_START_NETWORK: code } = InstanceStatusReasonCode;
    expect([reason?.code, reason?.metadata.get("permitted")]).toEqual([code, "0,8,16,32"]);
  });

  test("a forced reboot drops what waits behind starting", async () => {
    let id = "";
    await meanwhile(async () => {
      id = (await tenant.instance("one", [], SMALL)).id;
      for (let i = 0; i < 4; i++) await tenant.wire.call(rebootInstance, rebooting(id));
      const refused = await tenant.wire.refused(rebootInstance, rebooting(id));
      expect(refused.reason).toBe("INSTANCE_ACTIONS_QUEUED");
      await tenant.wire.call(rebootInstance, rebooting(id, true));
      await tenant.wire.call(rebootInstance, rebooting(id));
    });
    await tenant.running(id);
  });

  test("a delete wins over starting, and shows deleting until its absence was seen", async () => {
    let id = "";
    await meanwhile(async () => {
      id = (await tenant.instance("one", subnets())).id;
      await tenant.delete(id);
      const instance = await tenant.get(id);
      expect([instance?.status, instance?.lifecycleState]).toEqual([
        ...[S.INSTANCE_STATUS_DELETING, LifecycleState.LIFECYCLE_STATE_DELETING],
      ]);
      const refused = await tenant.wire.refused(startInstance, starting(id));
      expect(refused.reason).toBe("INSTANCE_STATUS_CONFLICT");
    });
    await until("it is gone", async () => (await tenant.get(id)) === undefined);
  });
});
