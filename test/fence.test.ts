// A node dies: its work is faulted and stays, until an operator's word that it cannot speak moves
// it with its addresses; what comes back tears the rest down before its devices are free again.
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  FenceMethod,
  FenceNodeRequest,
  NodeServiceService,
  NodeState,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import {
  HealthReasonCode,
  HealthState,
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { HostFailurePolicy } from "@railyard/proto/gen/railyard/v1/instance_template";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { operatorRailctl } from "./operator-railctl.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const A1 = "wdc07-a-r01-s01";
const A2 = "wdc07-a-r01-s02";
const LEASE_MS = 1_000;

let yard: Yard;
afterEach(() => yard.close());

async function open(...nodes: string[]) {
  yard = await Yard.open({ leaseMs: LEASE_MS });
  await yard.applyMzone();
  for (const node of nodes) await yard.startAgent(node);
  await yard.ready(...nodes);
  const customer = new Customer(await yard.tenant("acme"));
  const network = await customer.network();
  const subnets: string[] = [];
  for (let i = 0; i < 8; i++) subnets.push((await customer.subnet(network.id)).id);
  return { customer, subnets };
}

const rows = async (instanceId: string) =>
  (
    await yard.operator.call(NodeServiceService.getPlacedLayout, {
      subject: { $case: "instanceId", value: instanceId },
    })
  ).rows;

const isOn = (node: string, id: string) =>
  existsSync(join(yard.machineDir(node), "guests", `${id}.json`));

function state(node: string, wanted: NodeState) {
  return until(`${node} ${NodeState[wanted]}`, async () => {
    const found = await yard.node(node);
    return found?.state === wanted ? found : undefined;
  });
}

async function fence(node: string, change: Partial<FenceNodeRequest> = {}) {
  const id = (await yard.node(node))?.id ?? "";
  return FenceNodeRequest.fromPartial({
    id,
    method: FenceMethod.FENCE_METHOD_OPERATOR_WORD,
    reason: "its power cords are pulled",
    ...change,
  });
}

async function identities(customer: Customer, id: string) {
  const layout = await customer.layout(id);
  return layout.map(({ address, macAddress }) => `${address} ${macAddress}`);
}

test("an instance of a dead node moves with its addresses once the node is fenced", async () => {
  const { customer, subnets } = await open(A1);
  const { id } = await customer.instance("one", subnets);
  await customer.running(id);
  const before = await identities(customer, id);
  await yard.startAgent(A2);
  await yard.ready(A2);
  const alive = await yard.operator.refused(NodeServiceService.fenceNode, await fence(A1));
  expect(alive.reason).toBe("NODE_FENCE_PROOF_MISSING");

  await yard.stopAgent(A1);
  const dead = await state(A1, NodeState.NODE_STATE_LOST);
  const faulted = await customer.get(id);
  expect(faulted).toMatchObject({
    status: InstanceStatus.INSTANCE_STATUS_RUNNING,
    healthState: HealthState.HEALTH_STATE_FAULTED,
  });
  expect(faulted?.healthReasons.map(({ code }) => code)).toEqual([
    HealthReasonCode.HEALTH_REASON_CODE_HOST_SILENT,
  ]);
  const start = { id, etag: "", force: false, validateOnly: false, requestId: "" };
  const refused = await customer.wire.refused(InstanceServiceService.startInstance, start);
  expect(refused.reason).toBe("INSTANCE_HOST_LOST");
  expect(new Set((await rows(id)).map(({ nodeName }) => nodeName))).toEqual(new Set([A1]));
  expect([isOn(A1, id), isOn(A2, id)]).toEqual([true, false]);

  const check = await fence(A1, { validateOnly: true });
  await yard.operator.call(NodeServiceService.fenceNode, check);
  expect((await yard.node(A1))?.state).toBe(NodeState.NODE_STATE_LOST);
  const word = await fence(A1, {
    etag: dead.etag,
    requestId: "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
  });
  const { node } = await yard.operator.call(NodeServiceService.fenceNode, word);
  expect(node?.fence).toMatchObject({ reason: "its power cords are pulled" });
  const again = await yard.operator.call(NodeServiceService.fenceNode, word);
  expect(again.node?.fence?.fencedAt).toEqual(node?.fence?.fencedAt);
  const running = await customer.running(id);
  expect(running.healthState).toBe(HealthState.HEALTH_STATE_OK);
  expect(new Set((await rows(id)).map(({ nodeName }) => nodeName))).toEqual(new Set([A2]));
  expect(await identities(customer, id)).toEqual(before);

  // What the dead machine still holds is blocked for everybody.
  expect(isOn(A1, id)).toBe(true);
  const blocked = await yard.node(A1);
  expect(blocked?.state).toBe(NodeState.NODE_STATE_FENCED);
  expect(blocked?.inventory?.gpus.every((gpu) => gpu.blocked)).toBe(true);
  const two = await customer.instance("two", subnets);
  expect(two.status).toBe(InstanceStatus.INSTANCE_STATUS_FAILED);

  await yard.startAgent(A1);
  const back = await state(A1, NodeState.NODE_STATE_READY);
  expect([isOn(A1, id), isOn(A2, id)]).toEqual([false, true]);
  expect(back.inventory?.gpus.some((gpu) => gpu.blocked)).toBe(false);
  await customer.wire.call(InstanceServiceService.startInstance, { ...start, id: two.id });
  await customer.running(two.id);
  expect(new Set((await rows(two.id)).map(({ nodeName }) => nodeName))).toEqual(new Set([A1]));
  expect((await customer.get(id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_RUNNING);
});

test("after a fence an instance that may not move is stopped, and a delete ends", async () => {
  const { customer, subnets } = await open(A1, A2);
  const stops = await customer.instance("stops", subnets, {
    availabilityPolicy: { hostFailure: HostFailurePolicy.HOST_FAILURE_POLICY_STOP },
  });
  await customer.running(stops.id);
  const goes = await customer.instance("goes", subnets);
  await customer.running(goes.id);
  for (const name of [A1, A2]) await yard.stopAgent(name);
  for (const name of [A1, A2]) await state(name, NodeState.NODE_STATE_LOST);
  await customer.delete(goes.id);
  expect((await customer.get(goes.id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_DELETING);

  expect(await operatorRailctl(yard, "node", "fence", A1)).toMatchObject({ code: 2 });
  for (const name of [A1, A2]) {
    const said = await operatorRailctl(yard, "node", "fence", name, "--reason", "it burnt");
    expect(said.code).toBe(0);
    expect(said.text).toMatch(/FENCE .* by tok-.*: it burnt/);
  }
  await customer.gone(goes.id);
  const stopped = await customer.get(stops.id);
  expect(stopped).toMatchObject({
    status: InstanceStatus.INSTANCE_STATUS_STOPPED,
    startable: true,
    healthState: HealthState.HEALTH_STATE_INAPPLICABLE,
  });
  expect(stopped?.statusReasons.map(({ code }) => code)).toEqual([
    InstanceStatusReasonCode.INSTANCE_STATUS_REASON_CODE_STOPPED_BY_HOST_FAILURE,
  ]);
});

test("a restarted controller faults nothing and still knows which node was lost", async () => {
  const { customer, subnets } = await open(A1, A2);
  const one = await customer.instance("one", subnets);
  await customer.running(one.id);
  const host = (await rows(one.id))[0]?.nodeName ?? "";
  const other = host === A1 ? A2 : A1;
  await yard.stopAgent(other);
  await state(other, NodeState.NODE_STATE_LOST);
  await yard.controller.stop();
  await yard.startController();
  expect((await yard.node(other))?.state).toBe(NodeState.NODE_STATE_LOST);
  await yard.ready(host);
  const after = new Customer(await yard.tenant("acme"));
  expect((await after.get(one.id))?.healthState).toBe(HealthState.HEALTH_STATE_OK);
  expect((await yard.node(other))?.state).toBe(NodeState.NODE_STATE_LOST);
});
