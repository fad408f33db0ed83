// Real processes, killed at named points and deprived of their broker in the middle of the walk:
// everything converges by itself to the same final table.
import { NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { ProcessYard } from "./process-yard.js";
import { until } from "./until.js";

const NODE = "wdc07-a-r01-s01";

let yard: ProcessYard;
afterEach(() => yard.close());

async function subnetsOf(customer: Customer): Promise<string[]> {
  const network = await customer.network({ name: "train" });
  const subnets: string[] = [];
  for (let i = 0; i < 8; i++) subnets.push((await customer.subnet(network.id)).id);
  return subnets;
}

/** The layout of an instance without what differs from run to run. */
async function finalTable(customer: Customer, id: string) {
  const { rows } = await yard.operator.call(NodeServiceService.getPlacedLayout, {
    subject: { $case: "instanceId", value: id },
  });
  const seen = await customer.layout(id);
  return rows.map((row, i) => [
    row.position,
    row.nodeName,
    row.rail,
    row.gpuPciAddress,
    row.pfPciAddress,
    row.vfIndex,
    seen[i]?.address,
    seen[i]?.guestPciAddress,
    seen[i]?.observed,
  ]);
}

let expected: unknown;

/**
 * Creates, waits for running, compares the table with the undisturbed one, deletes, waits for gone.
 */
async function walk(customer: Customer, disturb: () => Promise<void>): Promise<void> {
  const subnets = await subnetsOf(customer);
  const creating = customer.instanceAtLast("one", subnets);
  await Promise.all([creating, disturb()]);
  const { id } = await creating;
  await customer.running(id);
  const table = await finalTable(customer, id);
  expected ??= table;
  expect(table).toEqual(expected);
  expect(table).toHaveLength(8);
  await customer.delete(id);
  await customer.gone(id);
}

test("undisturbed, an instance lands, runs and is given back", async () => {
  yard = await ProcessYard.open();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  await walk(new Customer(await yard.tenant("acme")), async () => undefined);
});

test("the controller is killed after commit before publish", async () => {
  yard = await ProcessYard.open({ RAILYARD_CONTROLLER_FAILPOINT: "after-commit-before-publish" });
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  const customer = new Customer(await yard.tenant("acme"));
  await walk(customer, async () => {
    await yard.controller.died();
    yard.controller.start();
    await yard.reach();
  });
});

test.each(["after-ledger-fsync", "after-apply-before-report"])(
  "an agent is killed %s",
  async (at) => {
    yard = await ProcessYard.open();
    const agent = await yard.startAgent(NODE, { env: { RAILYARD_AGENT_FAILPOINT: at } });
    await yard.ready(NODE);
    const customer = new Customer(await yard.tenant("acme"));
    await walk(customer, async () => {
      await agent.died();
      agent.start();
    });
  },
);

test("the broker restarts in the middle of the walk", async () => {
  yard = await ProcessYard.open();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  const customer = new Customer(await yard.tenant("acme"));
  await walk(customer, () => yard.broker.restart());
});

test("SIGTERM ends controller and agent cleanly within five seconds", async () => {
  yard = await ProcessYard.open();
  const agent = await yard.startAgent(NODE);
  await yard.ready(NODE);
  for (const daemon of [agent, yard.controller]) {
    const { code, ms } = await daemon.end("SIGTERM");
    expect(code).toBe(0);
    expect(ms).toBeLessThan(5_000);
  }
});

test("a second live agent of a node is refused and both are flagged", async () => {
  yard = await ProcessYard.open();
  const first = await yard.startAgent(NODE);
  await yard.ready(NODE);
  const { session } = await yard.node(NODE);
  const second = yard.launchAgent(NODE, "clone");
  await until("the clone is refused", () => second.log.includes("ANOTHER_SESSION_ALIVE"));
  const node = await yard.node(NODE);
  expect(node.session).toBe(session);
  const flag = node.flags.find(({ message }) => message.includes(String(session)));
  expect(flag?.message).toMatch(/session ses-\w+ was refused while session ses-\w+ answers/);
  expect(first.running).toBe(true);
});

test("a restarted agent takes over at once", async () => {
  yard = await ProcessYard.open();
  const agent = await yard.startAgent(NODE);
  await yard.ready(NODE);
  const { session } = await yard.node(NODE);
  await agent.end("SIGKILL");
  agent.start();
  await until("the new session stands", async () => {
    const node = await yard.node(NODE);
    return node.session !== "" && node.session !== session;
  });
  expect((await yard.node(NODE)).flags).toEqual([]);
});
