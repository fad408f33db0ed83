// What the contract says about layouts: which position is on which rail, at which address, and the
// same on every instance of one kind; and that no physical name is in any answer.

import { NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import { GetPlacedLayoutRequest } from "@railyard/proto/gen/railyard/admin/v1/node_layout";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Target, type Tenant, target } from "./target.js";

const NOT_FOUND = 5;
const COUNT = 8;
const { getInstanceLayout } = InstanceServiceService;
const { getPlacedLayout } = NodeServiceService;

let at: Target;
let tenant: Tenant;
const ids: string[] = [];
beforeAll(async () => {
  at = await target({ machines: true });
  tenant = await at.tenant();
  const { id } = await tenant.network();
  const { id: subnetId } = await tenant.subnet(id);
  for (const name of ["one", "two"]) {
    ids.push((await tenant.instance(name, Array(COUNT).fill(subnetId))).id);
  }
  for (const one of ids) await tenant.running(one);
});
afterAll(() => at.close());

test("the same position is on the same rail of every instance of one kind", async () => {
  const [one, two] = await Promise.all(ids.map((id) => tenant.layout(id)));
  const rails = one!.map(({ position, rail, gpuIndex, nicIndex }) => [
    ...[position, rail, gpuIndex, nicIndex],
  ]);
  expect(rails).toEqual(Array.from({ length: COUNT }, (_, i) => [i, i, i, i]));
  expect(two!.map((row) => row.rail)).toEqual(one!.map((row) => row.rail));
});

test("addresses and MACs in a layout are each the attachment's own", async () => {
  const rows = (await Promise.all(ids.map((id) => tenant.layout(id)))).flat();
  expect(new Set(rows.map(({ address }) => address)).size).toBe(2 * COUNT);
  expect(new Set(rows.map(({ macAddress }) => macAddress)).size).toBe(2 * COUNT);
});

test("what the operator sees placed is what the tenant is told, on two hosts", async () => {
  const nodes = new Set<string>();
  for (const id of ids) {
    const subject = { $case: "instanceId" as const, value: id };
    const request = GetPlacedLayoutRequest.fromPartial({ subject });
    const { rows } = await at.admin.call(getPlacedLayout, request);
    const told = await tenant.layout(id);
    const placed = rows.map((row) => [row.position, row.rail, row.macAddress]);
    expect(placed).toEqual(told.map((row) => [row.position, row.rail, row.macAddress]));
    expect(rows.map(({ account }) => account)).toEqual(told.map(() => tenant.account));
    for (const { nodeName } of rows) nodes.add(nodeName);
  }
  expect(nodes.size).toBe(2);
});

test("a running instance has its guest's tree, NCCL topology and settings", async () => {
  const { layout } = await tenant.wire.call(getInstanceLayout, { id: ids[0]! });
  const { rows, guestTree, ncclTopologyXml, networkSettings } = layout!;
  for (const { guestPciAddress, address } of rows) {
    expect(guestTree.map((node) => node.guestPciAddress)).toContain(guestPciAddress);
    expect(ncclTopologyXml).toContain(`busid="${guestPciAddress}"`);
    expect(networkSettings).toContain(address);
  }
  const distances = guestTree.map(({ gpuDistance }) => gpuDistance).filter((far) => far !== "");
  expect(distances).toEqual(Array(COUNT).fill("PIX"));
});

test("the operator sees what each guest's QEMU is given, host addresses included", async () => {
  const subject = { $case: "instanceId" as const, value: ids[0]! };
  const request = GetPlacedLayoutRequest.fromPartial({ subject });
  const { rows, guests } = await at.admin.call(getPlacedLayout, request);
  expect(guests.map(({ instanceId }) => instanceId)).toEqual([ids[0]]);
  for (const { vfPciAddress, gpuPciAddress } of rows) {
    expect(vfPciAddress).not.toBe("");
    expect(guests[0]!.qemuArguments.join(" ")).toContain(`host=${vfPciAddress}`);
    expect(guests[0]!.qemuArguments.join(" ")).toContain(`host=${gpuPciAddress}`);
  }
});

test("no answer to a tenant has a physical name in it", async () => {
  const subject = { $case: "instanceId" as const, value: ids[0]! };
  const request = GetPlacedLayoutRequest.fromPartial({ subject });
  const [row] = (await at.admin.call(getPlacedLayout, request)).rows;
  const heard = Buffer.concat(tenant.wire.received).toString("latin1");
  for (const secret of [row!.nodeName, row!.nodeId, row!.gpuDeviceId, row!.nicDeviceId]) {
    expect(secret).not.toBe("");
    expect(heard).not.toContain(secret);
  }
});

test("the layout of an instance that is not there is not found", async () => {
  const refused = await tenant.wire.refused(getInstanceLayout, { id: "ins-nothing" });
  expect(refused.code).toBe(NOT_FOUND);
});
