// Every kind of fault, injected through the API into a made-up machine below production code: each
// ends in a correct state that says why, and everything recovers once the fault is gone.
import {
  NodeServiceService,
  NodeState,
  type Node as WireNode,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  AddFaultRequest,
  type Fault,
  FaultKind,
  type FaultSpec,
} from "@railyard/proto/gen/railyard/admin/v1/node_fault";
import { NodeMismatchKind } from "@railyard/proto/gen/railyard/admin/v1/node_inventory";
import {
  type Instance,
  InstanceServiceService,
  StartInstanceRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import {
  HealthReasonCode,
  HealthState,
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { LifecycleReasonCode } from "@railyard/proto/gen/railyard/v1/resource";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { keptLog } from "./kept-log.js";
import { operatorRailctl } from "./operator-railctl.js";
import { until } from "./until.js";
import { exampleMzone, type MzoneDocument, Yard, type YardOptions } from "./yard.js";

const A1 = "wdc07-a-r01-s01";
/** So short that silence shows at once; where none is meant, one that a busy machine keeps. */
const SHORT_LEASE_MS = 1_000;
const LEASE_MS = 60_000;
const RUNS = InstanceStatus.INSTANCE_STATUS_RUNNING;

let yard: Yard;
let customer: Customer;
let subnets: string[];
afterEach(() => yard.close());

interface Opening extends YardOptions {
  readonly document?: MzoneDocument;
}

async function open({ document = exampleMzone(), ...how }: Opening = {}): Promise<void> {
  yard = await Yard.open({ leaseMs: LEASE_MS, ...how });
  await yard.applyMzone(document);
  await yard.startAgent(A1);
  await yard.ready(A1);
  customer = new Customer(await yard.tenant("acme"));
  const network = await customer.network();
  subnets = [];
  for (let i = 0; i < 8; i++) subnets.push((await customer.subnet(network.id)).id);
}

async function inject(kind: FaultKind, on: Partial<FaultSpec> = {}, ttlS?: number): Promise<Fault> {
  const { fault } = await yard.operator.call(
    NodeServiceService.addFault,
    AddFaultRequest.fromPartial({
      nodeId: (await node()).id,
      spec: { kind, ...on },
      ...(ttlS !== undefined && { ttl: { seconds: BigInt(ttlS), nanos: 0 } }),
    }),
  );
  return fault!;
}

async function remove({ id, etag }: Fault): Promise<void> {
  await yard.operator.call(NodeServiceService.removeFault, { id, etag, validateOnly: false });
}

async function node(): Promise<WireNode> {
  return (await yard.node(A1))!;
}

const when = <T>(what: string, seen: () => Promise<T | undefined | false>) =>
  until(what, async () => (await seen()) || undefined);

async function instance(id: string): Promise<Instance> {
  return (await customer.get(id))!;
}

/** Waits until the instance's health says this, and why. */
function health(id: string, state: HealthState, code: HealthReasonCode): Promise<Instance> {
  return when(`health ${HealthReasonCode[code]}`, async () => {
    const found = await instance(id);
    const codes = found.healthReasons.map((reason) => reason.code);
    return found.healthState === state && codes.includes(code) && found;
  });
}

function well(id: string): Promise<Instance> {
  return when("the instance is well", async () => {
    const found = await instance(id);
    return found.status === RUNS && found.healthState === HealthState.HEALTH_STATE_OK && found;
  });
}

function struggling(id: string, status: InstanceStatus): Promise<Instance> {
  const code = LifecycleReasonCode.LIFECYCLE_REASON_CODE_APPLY_FAILED;
  return when("apply failed", async () => {
    const found = await instance(id);
    return found.status === status && found.lifecycleReasons.some((r) => r.code === code) && found;
  });
}

function mismatch(kind: NodeMismatchKind, rail: number | undefined): Promise<WireNode> {
  return when(`mismatch ${NodeMismatchKind[kind]}`, async () => {
    const found = await node();
    return found.mismatches.some((m) => m.kind === kind && m.rail === rail) && found;
  });
}

function asDeclared(): Promise<WireNode> {
  return when("the node is as declared", async () => {
    const found = await node();
    return found.mismatches.length === 0 && found.state === NodeState.NODE_STATE_READY && found;
  });
}

async function runningOne(): Promise<string> {
  const { id } = await customer.instance("one", subnets);
  await customer.running(id);
  return id;
}

const { INSTANCE_STATUS_REASON_CODE_STOPPED_BY_HOST_FAILURE: STOPPED_BY_HOST_FAILURE } =
  InstanceStatusReasonCode;
const { HEALTH_STATE_DEGRADED, HEALTH_STATE_FAULTED } = HealthState;
const {
  HEALTH_REASON_CODE_ATTACHMENT_DEGRADED,
  HEALTH_REASON_CODE_LAYOUT_MISMATCH,
  HEALTH_REASON_CODE_HOST_SILENT,
} = HealthReasonCode;

test("a link that is down degrades the instance and spoils its rail", async () => {
  await open();
  const id = await runningOne();
  const fault = await inject(FaultKind.FAULT_KIND_LINK_DOWN, { rail: 3 });
  await health(id, HEALTH_STATE_DEGRADED, HEALTH_REASON_CODE_ATTACHMENT_DEGRADED);
  await mismatch(NodeMismatchKind.NODE_MISMATCH_KIND_LINK_DOWN, 3);
  expect((await instance(id)).status).toBe(RUNS);
  await remove(fault);
  await well(id);
  await asDeclared();
});

test("where the profile says so, too few well rails stop the instance, saying why", async () => {
  const document = exampleMzone();
  const [hopper] = document.profiles.clusterNetworks;
  Object.assign(hopper!, { minRails: 7, onRailDown: "stop" });
  await open({ document });
  const id = await runningOne();
  const first = await inject(FaultKind.FAULT_KIND_LINK_DOWN, { rail: 3 });
  await health(id, HEALTH_STATE_DEGRADED, HEALTH_REASON_CODE_ATTACHMENT_DEGRADED);
  await mismatch(NodeMismatchKind.NODE_MISMATCH_KIND_LINK_DOWN, 3);
  expect((await instance(id)).status).toBe(RUNS);
  const second = await inject(FaultKind.FAULT_KIND_LINK_DOWN, { rail: 5 });
  const stopped = await when("it is stopped", async () => {
    const found = await instance(id);
    return found.status === InstanceStatus.INSTANCE_STATUS_STOPPED && found;
  });
  expect(stopped.statusReasons).toMatchObject([
    { code: STOPPED_BY_HOST_FAILURE, message: expect.stringContaining("(3, 5)") },
  ]);
  await remove(first);
  await remove(second);
  await asDeclared();
  await customer.wire.call(
    InstanceServiceService.startInstance,
    StartInstanceRequest.fromPartial({ id }),
  );
  await well(id);
});

test("a slow link and a wrong neighbour each spoil their rail only", async () => {
  await open();
  const slow = await inject(FaultKind.FAULT_KIND_LINK_SLOW, { rail: 2 });
  const wrong = await inject(FaultKind.FAULT_KIND_WRONG_NEIGHBOUR, { rail: 5 });
  await mismatch(NodeMismatchKind.NODE_MISMATCH_KIND_NIC_SPEED, 2);
  const { mismatches } = await mismatch(NodeMismatchKind.NODE_MISMATCH_KIND_WIRING, 5);
  expect(new Set(mismatches.map(({ rail }) => rail))).toEqual(new Set([2, 5]));
  const refused = await customer.instance("one", subnets);
  expect(refused.status).toBe(InstanceStatus.INSTANCE_STATUS_FAILED);
  await remove(slow);
  await remove(wrong);
  await asDeclared();
});

test("a GPU that falls off the bus is no running instance's, until it is back", async () => {
  await open();
  const id = await runningOne();
  const fault = await inject(FaultKind.FAULT_KIND_GPU_LOST, { gpuIndex: 6 });
  await health(id, HEALTH_STATE_DEGRADED, HEALTH_REASON_CODE_LAYOUT_MISMATCH);
  await mismatch(NodeMismatchKind.NODE_MISMATCH_KIND_GPU_COUNT, undefined);
  expect((await node()).state).toBe(NodeState.NODE_STATE_QUARANTINED);
  await remove(fault);
  await well(id);
  await asDeclared();
});

test("with two VFs in each other's places no instance runs", async () => {
  await open();
  const fault = await inject(FaultKind.FAULT_KIND_VF_SWAPPED, { rail: 0, vfIndex: 0 });
  const { id } = await customer.instance("one", [...subnets, ...subnets]);
  await struggling(id, InstanceStatus.INSTANCE_STATUS_STARTING);
  await remove(fault);
  await well(id);
});

test("restarted with a VF dropped, the instance is not well until VFs can be made", async () => {
  await open();
  const id = await runningOne();
  const { bootId } = await node();
  const dropped = await inject(FaultKind.FAULT_KIND_VF_DROPPED, { rail: 4, vfIndex: 0 });
  await inject(FaultKind.FAULT_KIND_MACHINE_REBOOTS);
  await health(id, HEALTH_STATE_DEGRADED, HEALTH_REASON_CODE_LAYOUT_MISMATCH);
  await when("another boot", async () => (await node()).bootId !== bootId);
  await remove(dropped);
  await well(id);
});

test("a restarted machine has its instance again, under another boot id", async () => {
  await open();
  const id = await runningOne();
  const { bootId } = await node();
  await inject(FaultKind.FAULT_KIND_MACHINE_REBOOTS);
  await when("another boot", async () => (await node()).bootId !== bootId);
  await well(id);
  await asDeclared();
});

test("a machine that hangs is suspect, its instance faulted, until its time is over", async () => {
  await open({ leaseMs: SHORT_LEASE_MS });
  const id = await runningOne();
  await inject(FaultKind.FAULT_KIND_MACHINE_HANGS, {}, 10);
  const silent = [NodeState.NODE_STATE_SUSPECT, NodeState.NODE_STATE_LOST];
  await when("silence", async () => silent.includes((await node()).state));
  await health(id, HEALTH_STATE_FAULTED, HEALTH_REASON_CODE_HOST_SILENT);
  await well(id);
  await asDeclared();
  const { faults } = await yard.operator.call(NodeServiceService.listFaults, {
    ...{ pageSize: 0, pageToken: "", nodeId: "" },
  });
  expect(faults).toEqual([]);
});

test("a hanging machine hears that its fault is gone, after an agent restart too", async () => {
  await open({ leaseMs: SHORT_LEASE_MS });
  const fault = await inject(FaultKind.FAULT_KIND_MACHINE_HANGS);
  const silent = async () => (await node()).state !== NodeState.NODE_STATE_READY;
  await when("silence", silent);
  await yard.stopAgent(A1);
  await yard.startAgent(A1);
  await when("silence again", silent);
  await remove(fault);
  await asDeclared();
});

test("a guest that crashes is started again; one that keeps crashing is never well", async () => {
  const { log, lines } = keptLog();
  await open({ log });
  const id = await runningOne();
  // Else it may be well again before anybody has looked.
  const held = await inject(FaultKind.FAULT_KIND_APPLY_FAILS, { step: "start-guest" });
  await inject(FaultKind.FAULT_KIND_GUEST_CRASHES, { times: 1 });
  await health(id, HEALTH_STATE_DEGRADED, HEALTH_REASON_CODE_LAYOUT_MISMATCH);
  await remove(held);
  expect(lines.filter((line) => line.includes("guest ended by itself"))).toHaveLength(1);
  await well(id);
  const always = await inject(FaultKind.FAULT_KIND_GUEST_CRASHES);
  await health(id, HEALTH_STATE_DEGRADED, HEALTH_REASON_CODE_LAYOUT_MISMATCH);
  await remove(always);
  await well(id);
});

test.each(["configure-vf", "bind-device", "start-guest", ""])(
  "while the step '%s' fails the instance does not run, and says that it is tried again",
  async (step) => {
    await open();
    const fault = await inject(FaultKind.FAULT_KIND_APPLY_FAILS, { step });
    const { id } = await customer.instance("one", subnets);
    await struggling(id, InstanceStatus.INSTANCE_STATUS_STARTING);
    await remove(fault);
    await well(id);
  },
);

test.each(["stop-guest", "unbind-device", "clear-vf"])(
  "while the step '%s' fails a deleted instance is not gone, and its devices are not free",
  async (step) => {
    await open();
    const id = await runningOne();
    const fault = await inject(FaultKind.FAULT_KIND_APPLY_FAILS, { step });
    await customer.delete(id);
    const passes = yard.agents.get(A1)?.loopReport()?.runs ?? 0;
    await until("three passes", () => (yard.agents.get(A1)?.loopReport()?.runs ?? 0) > passes + 3);
    const found = await instance(id);
    expect(found.status).toBe(InstanceStatus.INSTANCE_STATUS_DELETING);
    const { LIFECYCLE_REASON_CODE_AWAITING_ABSENCE } = LifecycleReasonCode;
    expect(found.lifecycleReasons.map(({ code }) => code)).toContain(
      LIFECYCLE_REASON_CODE_AWAITING_ABSENCE,
    );
    const told = `${step === "stop-guest" ? "apply_failed" : "step-failed"}: ${step} `;
    const shown = async () => (await operatorRailctl(yard, "node", "get", A1)).text;
    await when(told, async () => (await shown()).includes(told));
    await remove(fault);
    await customer.gone(id);
    await when("nothing is told", async () => !(await shown()).includes(told));
  },
);

test("while the reboot fails the instance is restarting, and says why", async () => {
  await open();
  const id = await runningOne();
  const fault = await inject(FaultKind.FAULT_KIND_APPLY_FAILS, { step: "reboot-guest" });
  await customer.wire.call(InstanceServiceService.rebootInstance, {
    ...{ id, etag: "", requestId: "", validateOnly: false, force: false },
  });
  await struggling(id, InstanceStatus.INSTANCE_STATUS_RESTARTING);
  await remove(fault);
  await well(id);
});

test("a step that hangs ends at its deadline: the instance says so, and runs later", async () => {
  await open();
  const on = { step: "configure-vf", times: 8 };
  await inject(FaultKind.FAULT_KIND_APPLY_HANGS, on);
  const { id } = await customer.instance("one", subnets);
  await struggling(id, InstanceStatus.INSTANCE_STATUS_STARTING);
  await when("it runs", async () => (await instance(id)).status === RUNS);
});

test("railctl adds, lists and removes a fault, and the audit log has each", async () => {
  await open();
  const fault = (...args: string[]) =>
    operatorRailctl(yard, "node", "fault", ...args, "-o", "json");
  const added = await fault("add", A1, "--kind", "link-slow", "--rail", "2", "--ttl", "10m");
  expect(added.code).toBe(0);
  const { id } = JSON.parse(added.text) as { id: string };
  expect((await fault("list", "--node", A1)).text).toContain(id);
  await mismatch(NodeMismatchKind.NODE_MISMATCH_KIND_NIC_SPEED, 2);
  expect(await fault("add", A1, "--kind", "gpu-lost", "--rail", "2")).toMatchObject({ code: 2 });
  expect(await fault("remove", id)).toMatchObject({ code: 0 });
  expect((await fault("list")).text).not.toContain(id);
  await asDeclared();
  const audit = await operatorRailctl(yard, "audit", "list", "-o", "json");
  for (const method of ["AddFault", "RemoveFault"]) expect(audit.text).toContain(method);
});
