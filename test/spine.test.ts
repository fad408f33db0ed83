// The spine in one process: declared hardware, registered agents, a network, placed instances,
// layouts applied and read back, everything given back after observed absence.
import { readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { setFaults } from "@railyard/agent/hardware/fake/faults";
import { NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import { AttachmentObserved } from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import {
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const A1 = "wdc07-a-r01-s01";
const A2 = "wdc07-a-r01-s02";

let yard: Yard;
afterEach(() => yard.close());

/** A yard with the example applied, the named nodes ready, and a customer. */
async function open(...nodes: string[]): Promise<Customer> {
  yard = await Yard.open();
  await yard.applyMzone();
  for (const node of nodes) await yard.startAgent(node);
  await yard.ready(...nodes);
  return new Customer(await yard.tenant("acme"));
}

async function subnetsOf(customer: Customer, count: number) {
  const network = await customer.network({ name: "train" });
  const subnets: string[] = [];
  for (let i = 0; i < count; i++) subnets.push((await customer.subnet(network.id)).id);
  return { network, subnets };
}

async function placedRows(instanceId: string) {
  const { rows } = await yard.operator.call(NodeServiceService.getPlacedLayout, {
    subject: { $case: "instanceId", value: instanceId },
  });
  return rows;
}

test.each([8, 16, 32])("an instance with %i attachments runs in its order", async (count) => {
  const customer = await open(A1);
  const { subnets } = await subnetsOf(customer, 8);
  const per = count / 8;
  const wanted = Array.from({ length: count }, (_, p) => subnets[Math.floor(p / per)] ?? "");
  const { id } = await customer.instance("one", wanted);
  await customer.running(id);

  const rows = await customer.layout(id);
  expect(rows.map((r) => r.position)).toEqual(wanted.map((_, p) => p));
  expect(rows.map((r) => r.subnet?.id)).toEqual(wanted);
  const pair = (p: number) => Math.floor(p / per);
  expect(rows.map((r) => r.rail)).toEqual(wanted.map((_, p) => pair(p)));
  expect(rows.map((r) => r.gpuIndex)).toEqual(wanted.map((_, p) => pair(p)));
  expect(rows.map((r) => r.nicIndex)).toEqual(wanted.map((_, p) => pair(p)));
  expect(new Set(rows.map((r) => r.speedGbps))).toEqual(new Set([400 / per]));
  const buses = rows.map((r) => r.guestPciAddress);
  expect([...buses].sort()).toEqual(buses);
  expect(rows.every((r) => r.observed === AttachmentObserved.ATTACHMENT_OBSERVED_APPLIED)).toBe(
    true,
  );

  const placed = await placedRows(id);
  expect(placed.map((r) => r.rail)).toEqual(rows.map((r) => r.rail));
  expect(new Set(placed.map((r) => `${r.nicDeviceId} ${r.vfIndex}`)).size).toBe(count);
  expect(new Set(placed.map((r) => r.isolationId)).size).toBe(1);
  const devices = join(yard.machineDir(A1), "root/sys/bus/pci/devices");
  const vfs = placed.map((r) => readlinkSync(join(devices, r.pfPciAddress, `virtfn${r.vfIndex}`)));
  expect(placed.map((r) => r.vfPciAddress)).toEqual(vfs.map((link) => basename(link)));
});

test("two instances of one network resolve the same position to the same rail", async () => {
  const customer = await open(A1, A2);
  const { subnets } = await subnetsOf(customer, 8);
  const one = await customer.instance("one", subnets);
  const two = await customer.instance("two", subnets);
  await customer.running(one.id);
  await customer.running(two.id);
  const rails = async (id: string) => (await customer.layout(id)).map((r) => r.rail);
  expect(await rails(one.id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(await rails(two.id)).toEqual(await rails(one.id));
  const nodes = [await placedRows(one.id), await placedRows(two.id)].map((r) => r[0]?.nodeName);
  expect(new Set(nodes).size).toBe(2);
});

test("without capacity an instance fails, says so, and starts once there is a node", async () => {
  const customer = await open(A1);
  const { subnets } = await subnetsOf(customer, 8);
  const one = await customer.instance("one", subnets);
  await customer.running(one.id);
  const two = await customer.instance("two", subnets);
  expect(two.status).toBe(InstanceStatus.INSTANCE_STATUS_FAILED);
  expect(two.startable).toBe(true);
  expect(two.statusReasons.map((r) => r.code)).toEqual([
    InstanceStatusReasonCode.INSTANCE_STATUS_REASON_CODE_CANNOT_START_CAPACITY,
  ]);
  await yard.startAgent(A2);
  await yard.ready(A2);
  const start = { id: two.id, etag: "", force: false, validateOnly: false, requestId: "" };
  const { InstanceServiceService } = await import("@railyard/proto/gen/railyard/v1/instance");
  await customer.wire.call(InstanceServiceService.startInstance, start);
  await customer.running(two.id);
});

test("a deleted instance's devices stay taken until its agent reports them gone", async () => {
  const customer = await open(A1);
  const { subnets } = await subnetsOf(customer, 8);
  const one = await customer.instance("one", subnets);
  await customer.running(one.id);
  await yard.stopAgent(A1);
  await customer.delete(one.id);
  expect((await customer.get(one.id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_DELETING);
  const two = await customer.instance("two", subnets);
  expect(two.status).toBe(InstanceStatus.INSTANCE_STATUS_FAILED);
  expect(await placedRows(one.id)).toHaveLength(8);

  await yard.startAgent(A1);
  await customer.gone(one.id);
  await yard.ready(A1);
  const three = await customer.instance("three", subnets);
  await customer.running(three.id);
});

test("with one VF silently dropped below the agent the instance never runs", async () => {
  const customer = await open(A1);
  const { subnets } = await subnetsOf(customer, 8);
  setFaults(yard.machineDir(A1), [
    { id: "drop", call: "^ip link set dev \\S+ vf 0 ", effect: { kind: "drop" } },
  ]);
  const one = await customer.instance("one", subnets);
  const agent = yard.agents.get(A1);
  await until("three passes", () => (agent?.loopReport()?.runs ?? 0) >= 4);
  expect((await customer.get(one.id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_STARTING);

  setFaults(yard.machineDir(A1), []);
  await customer.running(one.id);
});

test("a restarted agent restores from its ledger without the controller", async () => {
  const customer = await open(A1);
  const { subnets } = await subnetsOf(customer, 8);
  const one = await customer.instance("one", subnets);
  await customer.running(one.id);
  yard.broker.setUp(false);
  await yard.stopAgent(A1);
  const agent = await yard.startAgent(A1);
  const pass = await until("a pass", () => agent.lastPass());
  expect(pass.instances.map((i) => [i.instanceId, i.phase])).toEqual([[one.id, "present"]]);
  yard.broker.setUp(true);
  await yard.ready(A1);
  expect((await customer.get(one.id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_RUNNING);
});
