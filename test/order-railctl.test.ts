// railctl's lists in the order that is asked for, against a real controller: every list that the
// contract lets be put in order takes `--order-by`, and says what is wrong with another.
import { afterAll, beforeAll, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { tenantRailctl } from "./tenant-railctl.js";
import { Yard } from "./yard.js";

const NAMES = ["mid", "last", "ahead"];

let yard: Yard;
let secret: string;
beforeAll(async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  const tenant = await yard.tenantWithSecret("acme");
  secret = tenant.secret;
  const customer = new Customer(tenant.wire);
  for (const name of NAMES) await customer.network({ name });
  const { id } = await customer.network({ name: "train" });
  for (const name of NAMES) await customer.subnet(id, { name });
  const subnet = await customer.subnet(id, { name: "rail-0" });
  for (const name of NAMES) {
    await customer.interface(id, subnet.id, name);
    await customer.instance(name, [], { profile: "bx3d-8x40" });
    const address = ["reserved-ip", "create", "--network", "train", "--subnet", "rail-0"];
    expect((await railctl(...address, "--name", name)).code).toBe(0);
  }
});
afterAll(() => yard.close());

function railctl(...args: readonly string[]) {
  return tenantRailctl(
    { server: `127.0.0.1:${yard.controller.ports.tenant}`, token: secret },
    args,
  );
}

test.each([
  ["network", []],
  ["subnet", ["--network", "train"]],
  ["interface", ["--network", "train"]],
  ["reserved-ip", ["--network", "train", "--subnet", "rail-0"]],
  ["instance", []],
])("%s list is in the order asked for", async (noun, where) => {
  const ordered = (order: string) =>
    railctl("-o", "json", noun, "list", ...where, "--order-by", order);
  const listed = async (order: string) => {
    const { code, out, err } = await ordered(order);
    expect([code, err]).toEqual([0, ""]);
    const rows: readonly { readonly name: string }[] = JSON.parse(out);
    return rows.map(({ name }) => name).filter((name) => NAMES.includes(name));
  };
  expect(await listed("name")).toEqual(["ahead", "last", "mid"]);
  expect(await listed("name desc")).toEqual(["mid", "last", "ahead"]);
  const refused = await ordered("colour");
  expect(refused.code).not.toBe(0);
  expect(refused.err).toContain("order_by");
});
