// An InfiniBand cluster end to end: instances run once their host and the fabric's node attested,
// and give nothing back before both saw them gone. Production code above a made-up fabric.
import { setTimeout } from "node:timers/promises";
import { readFabric, writeFabric } from "@railyard/agent/hardware/fake/fabric";
import { guidOf } from "@railyard/lib/guid";
import {
  ListNodesRequest,
  NodeRole,
  NodeServiceService,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import { HealthState, InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterEach, expect, test } from "vitest";
import type { Customer } from "./customer.js";
import { CLUSTER, FABRIC, INSTANCE_PROFILE, InfinibandYard, PKEYS } from "./infiniband-yard.js";
import { operatorRailctl } from "./operator-railctl.js";
import { until } from "./until.js";

let ib: InfinibandYard;
afterEach(() => ib.close());

const { INSTANCE_STATUS_STARTING } = InstanceStatus;

function start(customer: Customer, name: string, subnets: readonly string[]) {
  return customer.instance(name, subnets, { profile: INSTANCE_PROFILE });
}

/** Port GUIDs that the controller means an instance to have. */
async function guidsOf(id: string): Promise<readonly string[]> {
  const subject = { $case: "instanceId" as const, value: id };
  const { rows } = await ib.yard.operator.call(NodeServiceService.getPlacedLayout, { subject });
  return rows.map(({ macAddress, isolationId }) => guidOf({ mac: macAddress, pkey: isolationId }));
}

function tables() {
  return readFabric(ib.fabricDir).ports;
}

test("two networks are two partitions, and an instance runs once both nodes attested", async () => {
  ib = await InfinibandYard.open();
  const customer = await ib.customer("acme");
  const one = await start(customer, "one", await ib.network(customer, "red"));
  // Its host is done long before the fabric's node exists.
  const waiting = await until("its host attested", async () => {
    const instance = await customer.get(one.id);
    return instance?.lifecycleReasons.length === 1 ? instance : undefined;
  });
  expect(waiting.status).toBe(INSTANCE_STATUS_STARTING);
  expect(waiting.lifecycleReasons[0]?.message).toContain("isolation");
  await ib.startFabric();
  await customer.running(one.id);
  const two = await start(customer, "two", await ib.network(customer, "blue"));
  await customer.running(two.id);
  const [pkey] = PKEYS;
  for (const [id, key] of [
    [one.id, pkey],
    [two.id, pkey + 1],
  ] as const) {
    for (const guid of await guidsOf(id)) expect(tables()[guid]).toEqual([0x7fff, key | 0x8000]);
  }
});

test("operators see which node drives the fabric", async () => {
  ib = await InfinibandYard.open();
  const nodes = await ib.yard.operator.call(
    NodeServiceService.listNodes,
    ListNodesRequest.fromPartial({ physicalCluster: CLUSTER }),
  );
  const fabric = nodes.nodes.filter(({ role }) => role === NodeRole.NODE_ROLE_FABRIC);
  expect(fabric.map(({ name }) => name)).toEqual([FABRIC]);
  const said = await operatorRailctl(ib.yard, "node", "list", "--physical-cluster", CLUSTER);
  const lines = said.text.split("\n").filter((line) => line.includes(CLUSTER));
  expect(lines.filter((line) => / fabric /.test(line))).toHaveLength(1);
  expect(lines.filter((line) => / hypervisor /.test(line))).toHaveLength(lines.length - 1);
  expect(lines.length).toBe(nodes.nodes.length);
});

test("an instance is gone only once the fabric was read back without it", async () => {
  ib = await InfinibandYard.open();
  await ib.startFabric();
  const customer = await ib.customer("acme");
  const { id } = await start(customer, "one", await ib.network(customer, "red"));
  await customer.running(id);
  const guids = await guidsOf(id);
  writeFabric(ib.fabricDir, { ...readFabric(ib.fabricDir), deaf: true });
  await customer.delete(id);
  await until("its host has let it go", async () => {
    return ib.hostPasses().every(({ instances }) => instances.length === 0);
  });
  // Longer than its host takes to report again.
  await setTimeout(2_500);
  expect((await customer.get(id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_DELETING);
  expect(tables()[guids[0] ?? ""]).toHaveLength(2);
  writeFabric(ib.fabricDir, { ...readFabric(ib.fabricDir), deaf: false });
  await customer.gone(id);
  for (const guid of guids) expect(tables()[guid]).toEqual([0x7fff]);
});

test("a lost fabric node changes nothing for what runs, and lets nothing new run", async () => {
  ib = await InfinibandYard.open();
  await ib.startFabric();
  const customer = await ib.customer("acme");
  const { id } = await start(customer, "one", await ib.network(customer, "red"));
  await customer.running(id);
  const before = tables();
  await ib.yard.stopAgent(FABRIC);
  const two = await start(customer, "two", await ib.network(customer, "blue"));
  await until("the second's host attested", async () => {
    return (await customer.get(two.id))?.lifecycleReasons.length === 1 || undefined;
  });
  expect((await customer.get(id))?.status).toBe(InstanceStatus.INSTANCE_STATUS_RUNNING);
  expect(tables()).toEqual(before);
  await ib.startFabric();
  await customer.running(two.id);
});

test("a stranger in its partition, or a lost membership, makes an instance unwell", async () => {
  ib = await InfinibandYard.open();
  await ib.startFabric();
  const customer = await ib.customer("acme");
  const { id } = await start(customer, "one", await ib.network(customer, "red"));
  await customer.running(id);
  const health = (wanted: HealthState) =>
    until("its health shows it", async () => {
      return (await customer.get(id))?.healthState === wanted || undefined;
    });
  const [key] = PKEYS;
  const { ports } = readFabric(ib.fabricDir);
  const intruder = { ...ports, "0002c90300aaaaaa": [0x7fff, key | 0x8000] };
  writeFabric(ib.fabricDir, { ports: intruder, out: [], deaf: true });
  await health(HealthState.HEALTH_STATE_DEGRADED);
  writeFabric(ib.fabricDir, { ...readFabric(ib.fabricDir), deaf: false });
  await health(HealthState.HEALTH_STATE_OK);
  expect(tables()["0002c90300aaaaaa"]).toEqual([0x7fff]);
});
