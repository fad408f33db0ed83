// What the contract says about instances whose host falls silent: faulted and left alone until the
// node is fenced, then moved, stopped or gone. Only in a yard of the suite's own.
import { randomUUID } from "node:crypto";
import * as nodes from "@railyard/proto/gen/railyard/admin/v1/node";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import {
  HealthReasonCode,
  HealthState,
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { HostFailurePolicy } from "@railyard/proto/gen/railyard/v1/instance_template";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConsoleCaller } from "../console.js";
import { until } from "../until.js";
import type { Yard } from "../yard.js";
import { OWN_YARD, type Target, type Tenant, target } from "./target.js";

const FAILED_PRECONDITION = 9;
const UNAVAILABLE = 14;
const [HOST, SPARE] = ["wdc07-a-r01-s01", "wdc07-a-r01-s02"] as const;
const COUNT = 8;
const { startInstance, getInstance } = calls.InstanceServiceService;
const { getNode, fenceNode, getPlacedLayout } = nodes.NodeServiceService;
const S = InstanceStatus;

describe.runIf(OWN_YARD)("a host that falls silent", () => {
  let at: Target;
  let yard: Yard;
  let tenant: Tenant;
  let subnetId: string;
  beforeEach(async () => {
    at = await target({ machines: [HOST], yard: { leaseMs: 2_000 } });
    yard = at.yard!;
    tenant = await at.tenant();
    const { id } = await tenant.network();
    subnetId = (await tenant.subnet(id)).id;
  });
  afterEach(() => yard.close());

  async function running(name: string, hostFailure?: HostFailurePolicy) {
    const policy = hostFailure === undefined ? {} : { availabilityPolicy: { hostFailure } };
    const { id } = await tenant.instance(name, Array(COUNT).fill(subnetId), policy);
    return tenant.running(id);
  }

  async function lost(name: string) {
    await yard.stopAgent(name);
    const { id } = (await yard.node(name))!;
    await until(`${name} lost`, async () => {
      const { node } = await at.admin.call(getNode, { id });
      return node?.state === nodes.NodeState.NODE_STATE_LOST;
    });
    return id;
  }

  const fencing = (id: string) =>
    nodes.FenceNodeRequest.fromPartial({
      ...{ id, method: nodes.FenceMethod.FENCE_METHOD_OPERATOR_WORD, reason: "it burnt" },
    });

  async function hosts(value: string) {
    const request = { subject: { $case: "instanceId" as const, value } };
    const { rows } = await at.admin.call(getPlacedLayout, request);
    return [...new Set(rows.map(({ nodeName }) => nodeName))];
  }

  const addresses = async (id: string) =>
    (await tenant.layout(id)).map(({ address, macAddress }) => `${address} ${macAddress}`);

  test("its instance is faulted, keeps its status and cannot be started", async () => {
    const { id, status } = await running("one");
    await lost(HOST);
    const faulted = (await tenant.get(id))!;
    expect([faulted.status, faulted.healthState]).toEqual([
      status,
      HealthState.HEALTH_STATE_FAULTED,
    ]);
    expect(faulted.healthReasons.map(({ code }) => code)).toEqual([
      HealthReasonCode.HEALTH_REASON_CODE_HOST_SILENT,
    ]);
    const starting = calls.StartInstanceRequest.fromPartial({ id });
    const refused = await tenant.wire.refused(startInstance, starting);
    expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "INSTANCE_HOST_LOST"]);
  });

  test("what may work again later is refused with how long to wait", async () => {
    const { id } = await running("one");
    await lost(HOST);
    const refused = await new ConsoleCaller(tenant.wire, { instanceId: id }).refused();
    expect([refused?.code, refused?.reason]).toEqual([UNAVAILABLE, "INSTANCE_HOST_LOST"]);
    expect(refused?.details.retry?.retryDelay?.seconds).toBeGreaterThan(0n);
  });

  test("nothing is moved before the fence, although another host is free", async () => {
    const { id } = await running("one");
    await yard.startAgent(SPARE);
    await yard.ready(SPARE);
    await lost(HOST);
    for (let look = 0; look < 20; look++) {
      const { instance } = await tenant.wire.call(getInstance, { id });
      expect(instance?.status).toBe(S.INSTANCE_STATUS_RUNNING);
    }
    expect(await hosts(id)).toEqual([HOST]);
  });

  test("a node that speaks cannot be fenced", async () => {
    const { id } = (await yard.node(HOST))!;
    const refused = await at.admin.refused(fenceNode, fencing(id));
    expect([refused.code, refused.reason]).toEqual([
      FAILED_PRECONDITION,
      "NODE_FENCE_PROOF_MISSING",
    ]);
  });

  test("restart, the default: after the fence it runs elsewhere with its addresses", async () => {
    const { id } = await running("one");
    const before = await addresses(id);
    await yard.startAgent(SPARE);
    await yard.ready(SPARE);
    const word = { ...fencing(await lost(HOST)), requestId: randomUUID() };
    const first = await at.admin.call(fenceNode, word);
    expect(await at.admin.call(fenceNode, word)).toEqual(first);
    expect((await tenant.running(id)).healthState).toBe(HealthState.HEALTH_STATE_OK);
    expect(await addresses(id)).toEqual(before);
    expect(await hosts(id)).toEqual([SPARE]);
  });

  test("stop: after the fence it is stopped, says why, and can be started", async () => {
    const { id } = await running("one", HostFailurePolicy.HOST_FAILURE_POLICY_STOP);
    await yard.startAgent(SPARE);
    await yard.ready(SPARE);
    await at.admin.call(fenceNode, fencing(await lost(HOST)));
    const stopped = await tenant.status(id, S.INSTANCE_STATUS_STOPPED);
    expect(stopped).toMatchObject({
      ...{ startable: true, healthState: HealthState.HEALTH_STATE_INAPPLICABLE },
    });
    expect(stopped.statusReasons.map(({ code }) => code)).toEqual([
      InstanceStatusReasonCode.INSTANCE_STATUS_REASON_CODE_STOPPED_BY_HOST_FAILURE,
    ]);
    await tenant.wire.call(startInstance, calls.StartInstanceRequest.fromPartial({ id }));
    await tenant.running(id);
  });

  test("a delete waits for the fence, faulted, then it is gone", async () => {
    const { id } = await running("one");
    const node = await lost(HOST);
    await tenant.delete(id);
    expect(await tenant.get(id)).toMatchObject({
      ...{ status: S.INSTANCE_STATUS_DELETING, healthState: HealthState.HEALTH_STATE_FAULTED },
      healthReasons: [{ code: HealthReasonCode.HEALTH_REASON_CODE_HOST_SILENT }],
    });
    await at.admin.call(fenceNode, fencing(node));
    await tenant.gone(id);
  });
});
