// Serial consoles over a whole yard in one process: who gets one, what ends it, what is written
// down about it, and that nothing of what is typed or said is.
import {
  AuditServiceService,
  ListAuditRecordsRequest,
} from "@railyard/proto/gen/railyard/admin/v1/audit";
import { Role, TokenServiceService } from "@railyard/proto/gen/railyard/admin/v1/token";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConsoleCaller } from "./console.js";
import { Customer } from "./customer.js";
import { keptLog } from "./kept-log.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const NODE = "wdc07-a-r01-s01";
const SECRET = "typed-hunter2-typed";

const kept = keptLog();
let yard: Yard;
let customer: Customer;
let instanceId = "";

async function fresh(name: string): Promise<string> {
  const { id } = await customer.network({ name });
  const { id: subnetId } = await customer.subnet(id);
  const made = await customer.instance(name, Array(8).fill(subnetId));
  await customer.running(made.id);
  return made.id;
}

beforeAll(async () => {
  yard = await Yard.open({ log: kept.log });
  await yard.applyMzone();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  customer = new Customer(await yard.tenant("acme"));
  instanceId = await fresh("one");
});
afterAll(() => yard.close());

async function remove(id: string): Promise<void> {
  await customer.delete(id).catch(() => undefined);
  await until("it is gone", async () => (await customer.get(id)) === undefined);
}

const attach = (change = {}) => new ConsoleCaller(customer.wire, { instanceId, ...change });

test("what is typed is answered, and the NICs are in the order of the attachments", async () => {
  const one = attach({ columns: 132, rows: 50 });
  await one.sees("root@one:~# ");
  one.type("lspci\r");
  await one.sees("made-up function 15\r\n");
  one.type("stty size\r");
  await one.sees("50 132\r\n");
  one.send({ $case: "resize", value: { columns: 90, rows: 20 } });
  await until("the guest knows the new size", () => {
    one.type("stty size\r");
    return one.said.includes("20 90\r\n");
  });
  one.end();
  expect(await one.ending()).toBe("CLIENT");
});

test("a second session is refused, and with force takes over while the first is told", async () => {
  const first = attach();
  await first.sees("root@one:~# ");
  expect(await attach().ending()).toBe("9 CONSOLE_BUSY");
  const second = attach({ force: true });
  expect(await first.ending()).toBe("TAKEN_OVER");
  second.type("hostname\r");
  await second.sees("hostname\r\none\r\n");
  second.cancel();
  await second.ending();
});

test("somebody else's console is not found, and a viewer may not attach", async () => {
  const stranger = await yard.tenant("other");
  expect(await new ConsoleCaller(stranger, { instanceId }).ending()).toBe("5 NOT_FOUND");
  const viewer = await yard.tenant("acme", Role.ROLE_TENANT_VIEWER);
  expect(await new ConsoleCaller(viewer, { instanceId }).ending()).toBe("7 FORBIDDEN");
});

test("a session ends when the token that opened it is revoked", async () => {
  const request = { account: "acme", roles: [Role.ROLE_TENANT_ADMIN], name: "", requestId: "" };
  const { token, secret } = await yard.operator.call(TokenServiceService.createToken, {
    ...request,
    validateOnly: false,
  });
  const wire = yard.wire(yard.controller.ports.tenant, secret);
  const one = new ConsoleCaller(wire, { instanceId, force: true });
  await one.sees("root@one:~# ");
  const { id, etag } = token!;
  await yard.operator.call(TokenServiceService.revokeToken, { id, etag, validateOnly: false });
  expect(await one.ending()).toBe("16 TOKEN_REVOKED");
  const next = attach();
  await next.sees("root@one:~# ");
  next.cancel();
  await next.ending();
});

test("a slow reader gets what it gave credit for and no more", async () => {
  const slow = attach({ creditBytes: 10_000 });
  await slow.sees("root@one:~# ");
  slow.type("yes\r");
  await until("all credit is used", () => slow.bytes === 10_000);
  slow.credit(5_000);
  await until("the new credit is used", () => slow.bytes === 15_000);
  slow.credit(1_000_000);
  await until("a megabyte came", () => slow.bytes === 1_015_000);
  slow.end();
  expect(await slow.ending()).toBe("CLIENT");
});

test("input beyond its credit and frames out of order are refused", async () => {
  const flood = attach();
  for (let i = 0; i < 40; i++) flood.type("#".repeat(32_000));
  expect(await flood.ending()).toMatch(/^8 /);
  const twice = attach();
  twice.send({
    $case: "open",
    value: { instanceId, force: false, creditBytes: 0, columns: 80, rows: 24 },
  });
  expect(await twice.ending()).toMatch(/^3 /);
});

test("the account's operator finds who attached, when, and how much went through", async () => {
  const one = attach();
  await one.sees("root@one:~# ");
  one.type(`echo ${SECRET}\r`);
  await one.sees(`\r\n${SECRET}\r\n`);
  one.end();
  await one.ending();
  const request = ListAuditRecordsRequest.fromPartial({ objectId: instanceId, pageSize: 100 });
  const records = await until("the end is recorded", async () => {
    const { auditRecords } = await yard.operator.call(
      AuditServiceService.listAuditRecords,
      request,
    );
    return auditRecords[0]?.note.includes("closed") ? auditRecords : undefined;
  });
  const [end, start] = records;
  expect(end).toMatchObject({
    rpc: "/railyard.v1.InstanceService/AttachConsole",
    account: "acme",
    objects: [{ kind: "instance", id: instanceId }],
  });
  expect(end!.note).toMatch(
    /^console con-\w+ closed after \d+ s \(client\): \d+ bytes in, \d+ bytes out$/,
  );
  expect(start!.note).toMatch(/^console con-\w+ opened$/);
  expect(start!.principal).toBe(end!.principal);
  expect(start!.principal).toMatch(/^tok-/);
});

test("nothing that was typed or said is in any line of the log", () => {
  const text = kept.lines.join("\n");
  expect(text).toContain("console opened");
  expect(text).toContain("console closed");
  for (const said of [SECRET, "root@one", "made-up function", "########"]) {
    expect(text).not.toContain(said);
  }
  // Neither as bytes in whatever form.
  for (const form of ["base64", "hex"] as const) {
    expect(text).not.toContain(Buffer.from("hunter2-ty").toString(form).slice(0, 12));
  }
});

test("a stopped instance ends its session, and has no console then", async () => {
  const id = instanceId;
  const one = attach();
  await one.sees("root@one:~# ");
  const request = { id, force: false, etag: "", validateOnly: false };
  await customer.wire.call(InstanceServiceService.stopInstance, request);
  expect(await one.ending()).toBe("INSTANCE_STOPPED");
  const refused = await attach().refused();
  expect(refused).toMatchObject({ code: 9, reason: "INSTANCE_NOT_RUNNING" });
  expect(refused!.details.info!.metadata.get("status")).toMatch(/stop/);
});

test("a deleted instance ends its session", async () => {
  await remove(instanceId);
  instanceId = await fresh("two");
  const one = attach();
  await one.sees("root@two:~# ");
  await customer.delete(instanceId);
  expect(await one.ending()).toBe("INSTANCE_DELETED");
});

test("a host that stops answering ends the session", async () => {
  await remove(instanceId);
  instanceId = await fresh("three");
  const one = attach();
  await one.sees("root@three:~# ");
  await yard.stopAgent(NODE);
  expect(await one.ending()).toBe("HOST_LOST");
});
