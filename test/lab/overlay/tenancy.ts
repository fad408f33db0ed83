// What the overlay tier orders: two cluster networks that are the same to the address, instances in
// them, and what the contract tells of these. It knows nothing of hypervisors.
import assert from "node:assert/strict";
import {
  InstanceServiceService,
  StartInstanceRequest,
  StopInstanceRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import {
  InstanceClusterNetworkAttachmentServiceService,
  MoveInstanceClusterNetworkAttachmentRequest,
} from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { GetInstanceLayoutRequest } from "@railyard/proto/gen/railyard/v1/instance_layout";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import type { Customer } from "../../customer.js";
import { patiently } from "../patience.js";
import { ATTACHMENTS, IMAGE_ID, INSTANCE_PROFILE, NETWORK_PROFILE } from "./declared.js";

/** Several guests boot at once, emulated within an emulation. */
const RUNNING_MS = 240_000;

/** An attachment as the contract tells of it. */
export interface Told {
  readonly position: number;
  readonly attachmentId: string;
  readonly mac: string;
  readonly address: string;
  readonly rail: number;
  readonly gpu: number;
  readonly guestPciAddress: string;
}

/** A network with a subnet for each attachment; ids of the subnets. Always the same addresses. */
export async function orderNetwork(customer: Customer, name: string): Promise<readonly string[]> {
  const { id } = await customer.network({ name, profile: NETWORK_PROFILE });
  const ids: string[] = [];
  for (let index = 0; index < ATTACHMENTS; index++) {
    const range = { $case: "totalIpv4AddressCount" as const, value: 16n };
    ids.push((await customer.subnet(id, { range })).id);
  }
  return ids;
}

/** Its id; an attachment in each subnet, in that order. */
export async function orderInstance(
  customer: Customer,
  name: string,
  subnets: readonly string[],
): Promise<string> {
  const template = { profile: INSTANCE_PROFILE, imageId: IMAGE_ID };
  return (await customer.instance(name, subnets, template)).id;
}

/** Waits until an instance has a status; says why it has not. */
export async function hasStatus(
  customer: Customer,
  id: string,
  wanted = InstanceStatus.INSTANCE_STATUS_RUNNING,
): Promise<void> {
  const arrived = async () => (await customer.get(id))?.status === wanted;
  await patiently(`${id} is ${InstanceStatus[wanted]}`, arrived, RUNNING_MS).catch(
    async (cause) => {
      const { status, statusReasons } = (await customer.get(id)) ?? {};
      throw new Error(JSON.stringify({ status, statusReasons }), { cause });
    },
  );
}

/** The commands that the layout recommends to the owner of a guest. */
export async function networkSettings(customer: Customer, id: string): Promise<string> {
  const { getInstanceLayout } = InstanceServiceService;
  const request = GetInstanceLayoutRequest.fromPartial({ id });
  const { layout } = await customer.wire.call(getInstanceLayout, request);
  assert(layout && layout.networkSettings !== "");
  return layout.networkSettings;
}

export async function stop(customer: Customer, id: string): Promise<void> {
  const request = StopInstanceRequest.fromPartial({ id });
  await customer.wire.call(InstanceServiceService.stopInstance, request);
  await hasStatus(customer, id, InstanceStatus.INSTANCE_STATUS_STOPPED);
}

export async function start(customer: Customer, id: string): Promise<void> {
  const request = StartInstanceRequest.fromPartial({ id });
  await customer.wire.call(InstanceServiceService.startInstance, request);
}

/** Puts one attachment of a stopped instance ahead of another. */
export async function move(
  customer: Customer,
  { id, what, before }: { readonly id: string; readonly what: string; readonly before: string },
): Promise<void> {
  const { moveInstanceClusterNetworkAttachment } = InstanceClusterNetworkAttachmentServiceService;
  const request = MoveInstanceClusterNetworkAttachmentRequest.fromPartial({
    ...{ instanceId: id, id: what, beforeId: before },
  });
  await customer.wire.call(moveInstanceClusterNetworkAttachment, request);
}

/** The attachments in the order of their positions. */
export async function told(customer: Customer, id: string): Promise<readonly Told[]> {
  const rows = (await customer.layout(id)).map((row) => ({
    ...{ position: row.position ?? -1, attachmentId: row.attachmentId, mac: row.macAddress },
    ...{ address: row.address, rail: row.rail ?? -1, gpu: row.gpuIndex ?? -1 },
    guestPciAddress: row.guestPciAddress,
  }));
  rows.sort((one, other) => one.position - other.position);
  assert.deepEqual(
    rows.map(({ position }) => position),
    Array.from({ length: ATTACHMENTS }, (_, position) => position),
  );
  return rows;
}
