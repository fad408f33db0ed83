// Shares of one server behind NVSwitches, in the yard as a whole: each instance runs only with its
// partition active, and leaves none active behind.
import { setFaults } from "@railyard/agent/hardware/fake/faults";
import { machineIn, partitionsPath, readJson } from "@railyard/agent/hardware/fake/machine";
import { NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import { AddFaultRequest, FaultKind } from "@railyard/proto/gen/railyard/admin/v1/node_fault";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { LifecycleReasonCode } from "@railyard/proto/gen/railyard/v1/resource";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const A1 = "wdc07-a-r01-s01";
const HALF = { profile: "gx3d-80x896x4h100" };
const RAILS = 4;
/** The Fabric Manager's halves. */
const HALVES = [1, 2];

let yard: Yard;
let customer: Customer;
afterEach(() => yard.close());

async function open(): Promise<void> {
  yard = await Yard.open();
  await yard.applyMzone();
  await yard.startAgent(A1);
  await yard.ready(A1);
  customer = new Customer(await yard.tenant("acme"));
}

/** One with four GPUs, in a network of its own. */
async function half(name: string): Promise<string> {
  const network = await customer.network();
  const subnets: string[] = [];
  for (let i = 0; i < RAILS; i++) subnets.push((await customer.subnet(network.id)).id);
  return (await customer.instance(name, subnets, HALF)).id;
}

function active(): number[] {
  const path = partitionsPath(machineIn(yard.machineDir(A1)));
  return [...(readJson<readonly number[]>(path) ?? [])].sort((a, b) => a - b);
}

const because = (id: string, code: LifecycleReasonCode) =>
  until(`reason ${LifecycleReasonCode[code]}`, async () => {
    const reasons = (await customer.get(id))?.lifecycleReasons ?? [];
    return reasons.some((reason) => reason.code === code) || undefined;
  });

test("two halves of a server run side by side, each with its partition", async () => {
  await open();
  const ids = [await half("one"), await half("two")];
  for (const id of ids) await customer.running(id);
  expect(active()).toEqual(HALVES);
  expect((await yard.node(A1))?.mismatches).toEqual([]);
  await customer.delete(ids[0]!);
  await customer.gone(ids[0]!);
  expect(active()).toHaveLength(1);
  await customer.delete(ids[1]!);
  await customer.gone(ids[1]!);
  expect(active()).toEqual([]);
});

test("while its partition cannot be activated an instance does not run, and says so", async () => {
  await open();
  setFaults(yard.machineDir(A1), [{ id: "deaf", call: "^fmpm -a ", effect: { kind: "drop" } }]);
  const id = await half("one");
  await because(id, LifecycleReasonCode.LIFECYCLE_REASON_CODE_APPLY_FAILED);
  expect((await customer.get(id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_STARTING);
  expect(active()).toEqual([]);
  setFaults(yard.machineDir(A1), []);
  await customer.running(id);
  expect(active()).toHaveLength(1);
});

test("an instance whose partition stays active is not gone, nor are its GPUs free", async () => {
  await open();
  const id = await half("one");
  await customer.running(id);
  const spec = { kind: FaultKind.FAULT_KIND_APPLY_FAILS, step: "deactivate-partition" };
  const request = AddFaultRequest.fromPartial({ nodeId: (await yard.node(A1))!.id, spec });
  const { fault } = await yard.operator.call(NodeServiceService.addFault, request);
  await customer.delete(id);
  await because(id, LifecycleReasonCode.LIFECYCLE_REASON_CODE_AWAITING_ABSENCE);
  const passes = yard.agents.get(A1)?.loopReport()?.runs ?? 0;
  await until("three passes", () => (yard.agents.get(A1)?.loopReport()?.runs ?? 0) > passes + 3);
  expect((await customer.get(id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_DELETING);
  const { id: faultId, etag } = fault!;
  await yard.operator.call(NodeServiceService.removeFault, {
    id: faultId,
    etag,
    validateOnly: false,
  });
  await customer.gone(id);
  expect(active()).toEqual([]);
});
