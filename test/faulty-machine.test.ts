// Failures of a machine that no injected kind stands for, set below the agent: each ends in a
// correct state that says why, and everything recovers once the machine is well.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rebootFakeMachine } from "@railyard/agent/hardware/fake/fake";
import { type DeviceEffect, type FaultRule, setFaults } from "@railyard/agent/hardware/fake/faults";
import { gpuAddress, netdevName, nicAddress } from "@railyard/agent/hardware/fake/places";
import { type Clock, systemClock } from "@railyard/lib/clock";
import { NodeState } from "@railyard/proto/gen/railyard/admin/v1/node";
import { NodeMismatchKind } from "@railyard/proto/gen/railyard/admin/v1/node_inventory";
import {
  HealthReasonCode,
  HealthState,
  InstanceStatus,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { LifecycleReasonCode } from "@railyard/proto/gen/railyard/v1/resource";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const A1 = "wdc07-a-r01-s01";
const NIC = nicAddress(0);
const PORT = netdevName(NIC, 0);
const { HEALTH_REASON_CODE_ATTACHMENT_DEGRADED, HEALTH_REASON_CODE_LAYOUT_MISMATCH } =
  HealthReasonCode;
const { NODE_MISMATCH_KIND_SERIAL, NODE_MISMATCH_KIND_NIC_COUNT } = NodeMismatchKind;

let yard: Yard;
let customer: Customer;
let subnets: string[];
afterEach(() => yard.close());

async function open(agentClock?: Clock): Promise<void> {
  yard = await Yard.open(agentClock ? { agentClock } : {});
  await yard.applyMzone();
  await yard.startAgent(A1);
  await yard.ready(A1);
  customer = new Customer(await yard.tenant("acme"));
  const network = await customer.network();
  subnets = [];
  for (let i = 0; i < 8; i++) subnets.push((await customer.subnet(network.id)).id);
}

async function runningOne(): Promise<string> {
  const { id } = await customer.instance("one", subnets);
  await customer.running(id);
  return id;
}

function afflicted(device: string, effect: DeviceEffect, after?: string): void {
  const rule = { id: effect.kind, device, effect, ...(after !== undefined && { after }) };
  setFaults(yard.machineDir(A1), [rule]);
}

function healed(): void {
  setFaults(yard.machineDir(A1), []);
}

function unwell(id: string, code: HealthReasonCode) {
  return until(`health ${HealthReasonCode[code]}`, async () => {
    return (await customer.get(id))?.healthReasons.some((reason) => reason.code === code);
  });
}

async function well(id: string): Promise<void> {
  await until("the instance is well", async () => {
    const found = await customer.get(id);
    const runs = found?.status === InstanceStatus.INSTANCE_STATUS_RUNNING;
    return runs && found?.healthState === HealthState.HEALTH_STATE_OK;
  });
}

/** Waits until the agent has looked at its machine twice more. */
async function looks(): Promise<void> {
  const runs = () => yard.agents.get(A1)?.loopReport()?.runs ?? 0;
  const before = runs();
  await until("two more looks", () => runs() > before + 1);
}

/** The guest as it stands on the machine, its start included. */
function guestOf(id: string): string {
  return readFileSync(join(yard.machineDir(A1), "guests", `${id}.json`), "utf8");
}

function mismatched(kind: NodeMismatchKind) {
  return until(`mismatch ${NodeMismatchKind[kind]}`, async () => {
    return (await yard.node(A1))?.mismatches.some((mismatch) => mismatch.kind === kind);
  });
}

test("a NIC that goes down in the middle of applying leaves an instance degraded", async () => {
  await open();
  afflicted(PORT, { kind: "link-down" }, `^ip link set dev ${PORT} vf 0 mac`);
  const id = await runningOne();
  await unwell(id, HEALTH_REASON_CODE_ATTACHMENT_DEGRADED);
  healed();
  await well(id);
});

test("a number of VFs that nobody asked for after a restart is made right", async () => {
  await open();
  const id = await runningOne();
  const dir = yard.machineDir(A1);
  const wrong: FaultRule = { id: "wrong", device: NIC, effect: { kind: "vf-count", count: 3 } };
  // Else it may be well again before anybody has looked.
  const held: FaultRule = { id: "held", call: "^guest start ", effect: { kind: "fail" } };
  setFaults(dir, [wrong, held]);
  rebootFakeMachine(dir);
  await unwell(id, HEALTH_REASON_CODE_LAYOUT_MISMATCH);
  setFaults(dir, [wrong]);
  await well(id);
});

test("a NIC that vanishes is missed by its instance and its node until it is back", async () => {
  await open();
  const id = await runningOne();
  afflicted(NIC, { kind: "vanish" });
  await unwell(id, HEALTH_REASON_CODE_LAYOUT_MISMATCH);
  await mismatched(NODE_MISMATCH_KIND_NIC_COUNT);
  healed();
  await well(id);
});

test("settings of which only half took hold keep the instance from running", async () => {
  await open();
  const call = `^ip link set dev ${PORT} vf 0 `;
  setFaults(yard.machineDir(A1), [{ id: "half", call, effect: { kind: "half" } }]);
  const { id } = await customer.instance("one", subnets);
  const { LIFECYCLE_REASON_CODE_APPLY_FAILED } = LifecycleReasonCode;
  await until("the reason", async () => {
    const reasons = (await customer.get(id))?.lifecycleReasons ?? [];
    return reasons.some(({ code }) => code === LIFECYCLE_REASON_CODE_APPLY_FAILED);
  });
  healed();
  await well(id);
});

test("a machine with another's serial is quarantined when it introduces itself", async () => {
  await open();
  await yard.stopAgent(A1);
  afflicted("machine", { kind: "serial", serial: "GH1002" });
  await yard.startAgent(A1);
  await mismatched(NODE_MISMATCH_KIND_SERIAL);
  expect((await yard.node(A1))?.state).toBe(NodeState.NODE_STATE_QUARANTINED);
  await yard.stopAgent(A1);
  healed();
  await yard.startAgent(A1);
  await yard.ready(A1);
});

test("a link that flaps degrades an instance once and for all, and changes nothing", async () => {
  await open();
  const id = await runningOne();
  const guest = guestOf(id);
  afflicted(PORT, { kind: "link-flaps" });
  // Up and down in turns, until it counts as down for good.
  for (let i = 0; i < 3; i++) await looks();
  for (let i = 0; i < 3; i++) {
    await looks();
    const found = await customer.get(id);
    expect(found?.status).toBe(InstanceStatus.INSTANCE_STATUS_RUNNING);
    expect(found?.healthReasons.map(({ code }) => code)).toEqual([
      HEALTH_REASON_CODE_ATTACHMENT_DEGRADED,
    ]);
  }
  expect(guestOf(id)).toBe(guest);
});

test("a GPU that reads ones once it is given back frees nothing until it answers", async () => {
  await open();
  const id = await runningOne();
  afflicted(gpuAddress(0), { kind: "dead" });
  await customer.delete(id);
  await looks();
  expect((await customer.get(id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_DELETING);
  healed();
  await customer.gone(id);
});

test("a machine's wall clock that jumps changes no instance and costs no lease", async () => {
  let jumpMs = 0;
  const clock = systemClock();
  await open({ ...clock, now: () => clock.now() + jumpMs });
  const id = await runningOne();
  const guest = guestOf(id);
  for (jumpMs of [86_400_000, -3_600_000]) {
    await looks();
    expect((await customer.get(id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_RUNNING);
    expect((await yard.node(A1))?.state).toBe(NodeState.NODE_STATE_READY);
    expect(guestOf(id)).toBe(guest);
  }
  await customer.delete(id);
  await customer.gone(id);
  await runningOne();
});
