// What the contract says about changing an instance's attachments: only while it is stopped, and
// always in one order without gaps.

import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Target, type Tenant, target } from "./target.js";

const FAILED_PRECONDITION = 9;
const COUNT = 8;
const { stopInstance, startInstance, rebootInstance } = calls.InstanceServiceService;
const {
  createInstanceClusterNetworkAttachment: create,
  listInstanceClusterNetworkAttachments: list,
  updateInstanceClusterNetworkAttachment: update,
  deleteInstanceClusterNetworkAttachment: remove,
  moveInstanceClusterNetworkAttachment: move,
  batchCreateInstanceClusterNetworkAttachments: batchCreate,
} = links.InstanceClusterNetworkAttachmentServiceService;

let at: Target;
let tenant: Tenant;
let instanceId: string;
let subnetId: string;
beforeAll(async () => {
  at = await target({ machines: true });
  tenant = await at.tenant();
  subnetId = (await tenant.subnet((await tenant.network()).id)).id;
  instanceId = (await tenant.instance("one", Array(COUNT).fill(subnetId))).id;
  await tenant.running(instanceId);
});
afterAll(() => at.close());

async function names(): Promise<string[]> {
  const request = links.ListInstanceClusterNetworkAttachmentsRequest.fromPartial({
    ...{ instanceId, pageSize: 100 },
  });
  const { instanceClusterNetworkAttachments: rows } = await tenant.wire.call(list, request);
  rows.sort((a, b) => (a.position ?? 0) - (b.position ?? 0));
  expect(rows.map(({ position }) => position)).toEqual(rows.map((_, i) => i));
  expect(rows.map(({ before }) => before?.id)).toEqual([
    ...rows.slice(1).map((r) => r.id),
    undefined,
  ]);
  ids = new Map(rows.map(({ name, id }) => [name, id]));
  return rows.map(({ name }) => name);
}

let ids = new Map<string, string>();
const idOf = (name: string | undefined) => ids.get(name ?? "") ?? "";

const prototype = (name: string) => ({
  name,
  interface: { $case: "newInterface" as const, value: { subnetId } },
});
const making = (name: string, beforeId = "") =>
  links.CreateInstanceClusterNetworkAttachmentRequest.fromPartial({
    ...{ instanceId, attachment: prototype(name), beforeId },
  });

test("while an instance runs its attachments stay as they are, but for their names", async () => {
  const [first] = await names();
  const refused = await tenant.wire.refused(create, making("late"));
  expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "INSTANCE_STATUS_CONFLICT"]);
  const request = links.UpdateInstanceClusterNetworkAttachmentRequest.fromPartial({
    ...{ instanceId, id: idOf(first), updateMask: ["name"] },
    instanceClusterNetworkAttachment: { name: "front" },
  });
  await tenant.wire.call(update, request);
  expect((await names())[0]).toBe("front");
});

test("a running instance reboots and runs again", async () => {
  const request = calls.RebootInstanceRequest.fromPartial({ id: instanceId });
  await tenant.wire.call(rebootInstance, request);
  await tenant.running(instanceId);
});

test("once stopped, attachments come, move and go, and the rest keep their order", async () => {
  await tenant.wire.call(stopInstance, calls.StopInstanceRequest.fromPartial({ id: instanceId }));
  await tenant.status(instanceId, InstanceStatus.INSTANCE_STATUS_STOPPED);
  const before = await names();
  await tenant.wire.call(create, making("last"));
  expect(await names()).toEqual([...before, "last"]);
  await tenant.wire.call(create, making("second", idOf(before[1])));
  expect(await names()).toEqual([before[0], "second", ...before.slice(1), "last"]);
  const moving = links.MoveInstanceClusterNetworkAttachmentRequest.fromPartial({
    ...{ instanceId, id: idOf("last"), beforeId: idOf(before[0]) },
  });
  await tenant.wire.call(move, moving);
  expect(await names()).toEqual(["last", before[0], "second", ...before.slice(1)]);
  const start = calls.StartInstanceRequest.fromPartial({ id: instanceId });
  expect((await tenant.wire.refused(startInstance, start)).code).toBe(FAILED_PRECONDITION);
  for (const name of ["last", "second"]) {
    const gone = links.DeleteInstanceClusterNetworkAttachmentRequest.fromPartial({
      ...{ instanceId, id: idOf(name) },
    });
    await tenant.wire.call(remove, gone);
  }
  expect(await names()).toEqual(before);
});

test("a batch is inserted in its own order, all or nothing", async () => {
  const before = await names();
  const batch = (...wanted: string[]) =>
    links.BatchCreateInstanceClusterNetworkAttachmentsRequest.fromPartial({
      ...{ instanceId, attachments: wanted.map(prototype), beforeId: idOf(before[0]) },
    });
  await tenant.wire.refused(batchCreate, batch("new-a", before[1] ?? ""));
  expect(await names()).toEqual(before);
  await tenant.wire.call(batchCreate, batch("new-a", "new-b"));
  expect(await names()).toEqual(["new-a", "new-b", ...before]);
});
