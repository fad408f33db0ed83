// Attachments and reboots by railctl against a yard with an agent: what the order becomes on the
// machine, and that one more boot was read back.
import { run } from "@railyard/cli/program";
import { systemClock } from "@railyard/lib/clock";
import { systemRng } from "@railyard/lib/rng";
import { Role, TokenServiceService } from "@railyard/proto/gen/railyard/admin/v1/token";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterEach, expect, test } from "vitest";
import { Customer } from "../customer.js";
import { Yard } from "../yard.js";

const NODE = "wdc07-a-r01-s01";
const { INSTANCE_STATUS_STOPPED: STOPPED } = InstanceStatus;

let yard: Yard;
let token: string;
afterEach(() => yard.close());

async function open() {
  yard = await Yard.open();
  await yard.applyMzone();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  const made = await yard.operator.call(TokenServiceService.createToken, {
    ...{ account: "acme", roles: [Role.ROLE_TENANT_ADMIN], name: "" },
    ...{ requestId: "", validateOnly: false },
  });
  token = made.secret;
  const customer = new Customer(yard.wire(yard.controller.ports.tenant, token));
  const network = await customer.network({ name: "train" });
  const subnets: string[] = [];
  for (let i = 0; i < 9; i++) subnets.push((await customer.subnet(network.id)).id);
  const one = await customer.instance("one", subnets.slice(0, 8));
  await customer.running(one.id);
  return { customer, subnets, id: one.id };
}

async function railctl(...args: string[]) {
  const server = `127.0.0.1:${yard.controller.ports.tenant}`;
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(args, {
    stdout: { write: (text) => void out.push(text), tty: false },
    stderr: { write: (text) => void err.push(text), tty: false },
    environment: () => ({ server, adminServer: server, token, color: false }),
    clock: systemClock(),
    rng: systemRng(),
  });
  return { code, out: out.join(""), err: err.join("") };
}

test("a stopped instance runs again in the order that railctl gave its attachments", async () => {
  const { customer, subnets, id } = await open();
  expect(await railctl("instance", "stop", "one")).toMatchObject({ code: 0 });
  await customer.status(id, STOPPED);
  const names = (await customer.layout(id)).map(({ name }) => name);
  const at = ["--instance", "one"];
  const ok = async (...args: string[]) =>
    expect(await railctl("attachment", ...args, ...at)).toMatchObject({ code: 0, err: "" });
  await ok("delete", names[0] ?? "");
  await ok("create", "--attach", `subnet=${subnets[8]},name=ninth`, "--before", names[2] ?? "");
  await ok("move", names[7] ?? "", "--before", names[1] ?? "");
  await ok("update", names[3] ?? "", "--name", "third");
  const wanted = [7, 1, 8, 2, 3, 4, 5, 6].map((i) => subnets[i]);
  const listed = await railctl("attachment", "list", ...at);
  expect(listed.out).toContain("third");
  expect((await railctl("instance", "start", "one")).code).toBe(0);
  await customer.running(id);
  const rows = await customer.layout(id);
  expect(rows.map(({ subnet }) => subnet?.id)).toEqual(wanted);
  expect(rows.map(({ rail }) => rail)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("a reboot is read back on the machine, a start waits behind stopping", async () => {
  const { customer, id } = await open();
  expect((await railctl("instance", "reboot", "one")).out).toContain("restarting");
  await customer.running(id);
  const boots = async () =>
    (await yard.controller.context.store.read((tx) => tx.everyone.instances.get(id as never)))
      ?.bootCount;
  expect(await boots()).toBe(2);
  await yard.stopAgent(NODE);
  expect((await railctl("instance", "stop", "one")).out).toContain("stopping");
  expect((await railctl("instance", "start", "one")).out).toContain("stopping");
  await yard.startAgent(NODE);
  await customer.running(id);
  expect(await boots()).toBe(3);
});
