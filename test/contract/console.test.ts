// What the contract says about the serial console: frames, credit, one session at a time.
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConsoleCaller } from "../console.js";
import { type Target, type Tenant, target } from "./target.js";

let at: Target;
let tenant: Tenant;
let instanceId: string;
beforeAll(async () => {
  at = await target({ machines: true });
  tenant = await at.tenant();
  const { id } = await tenant.network();
  const { id: subnetId } = await tenant.subnet(id);
  instanceId = (await tenant.instance("console", Array(8).fill(subnetId))).id;
  await tenant.running(instanceId);
});
afterAll(() => at.close());

test("a session answers what is typed, is alone, and ends with its client", async () => {
  const one = new ConsoleCaller(tenant.wire, { instanceId });
  await one.sees("console");
  one.type("hostname\r");
  await one.sees("hostname\r\n");
  expect(await new ConsoleCaller(tenant.wire, { instanceId }).ending()).toBe("9 CONSOLE_BUSY");
  one.end();
  expect(await one.ending()).toBe("CLIENT");
});

test("nothing is sent without credit", async () => {
  const one = new ConsoleCaller(tenant.wire, { instanceId, creditBytes: 0 });
  await one.opened();
  const two = new ConsoleCaller(tenant.wire, { instanceId, creditBytes: 0, force: true });
  expect(await one.ending()).toBe("TAKEN_OVER");
  expect(one.bytes + two.bytes).toBe(0);
  two.cancel();
});

test("the first frame must open the session", async () => {
  const call = tenant.wire.duplex(InstanceServiceService.attachConsole);
  call.call.write({ frame: { $case: "input", value: Buffer.from("x") } });
  expect(await call.ended).toMatchObject({ code: 3, fields: ["open"] });
});
