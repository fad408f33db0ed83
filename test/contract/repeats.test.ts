// What the contract says about request ids of what must not happen twice on an instance: reboots,
// moves and batches of attachments.
import { randomUUID } from "node:crypto";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Target, type Tenant, target } from "./target.js";

const ALREADY_EXISTS = 6;
const { stopInstance, rebootInstance, getInstance } = calls.InstanceServiceService;
const {
  listInstanceClusterNetworkAttachments: list,
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
  instanceId = (await tenant.instance("one", Array(8).fill(subnetId))).id;
  await tenant.running(instanceId);
});
afterAll(() => at.close());

async function ids(): Promise<string[]> {
  const request = links.ListInstanceClusterNetworkAttachmentsRequest.fromPartial({
    ...{ instanceId, pageSize: 100 },
  });
  const { instanceClusterNetworkAttachments: rows } = await tenant.wire.call(list, request);
  return rows.sort((a, b) => (a.position ?? 0) - (b.position ?? 0)).map(({ id }) => id);
}

test("a repeated reboot answers with the first bytes and boots once", async () => {
  const requestId = randomUUID();
  const request = calls.RebootInstanceRequest.fromPartial({ id: instanceId, requestId });
  const first = await tenant.wire.call(rebootInstance, request);
  await tenant.running(instanceId);
  const { instance: before } = await tenant.wire.call(getInstance, { id: instanceId });
  expect(await tenant.wire.call(rebootInstance, request)).toEqual(first);
  const { instance: after } = await tenant.wire.call(getInstance, { id: instanceId });
  expect(after).toEqual(before);
  const other = await tenant.wire.refused(rebootInstance, { ...request, force: true });
  expect([other.code, other.reason]).toEqual([ALREADY_EXISTS, "REQUEST_ID_REUSED"]);
});

test("a repeated move moves once, and a repeated batch adds once", async () => {
  await tenant.wire.call(stopInstance, calls.StopInstanceRequest.fromPartial({ id: instanceId }));
  await tenant.status(instanceId, InstanceStatus.INSTANCE_STATUS_STOPPED);
  const [first = "", second = "", ...rest] = await ids();
  const moving = links.MoveInstanceClusterNetworkAttachmentRequest.fromPartial({
    ...{ instanceId, id: second, beforeId: first, requestId: randomUUID() },
  });
  const moved = await tenant.wire.call(move, moving);
  const back = links.MoveInstanceClusterNetworkAttachmentRequest.fromPartial({
    ...{ instanceId, id: first, beforeId: second },
  });
  await tenant.wire.call(move, back);
  expect(await tenant.wire.call(move, moving)).toEqual(moved);
  expect(await ids()).toEqual([first, second, ...rest]);
  const reused = await tenant.wire.refused(move, { ...moving, beforeId: "" });
  expect([reused.code, reused.reason]).toEqual([ALREADY_EXISTS, "REQUEST_ID_REUSED"]);

  const attachments = [{ interface: { $case: "newInterface" as const, value: { subnetId } } }];
  const adding = links.BatchCreateInstanceClusterNetworkAttachmentsRequest.fromPartial({
    ...{ instanceId, attachments, requestId: randomUUID() },
  });
  const added = await tenant.wire.call(batchCreate, adding);
  expect(await tenant.wire.call(batchCreate, adding)).toEqual(added);
  expect(await ids()).toHaveLength(9);
});
