// railctl's view of single attachments, against a real controller: by name or id, once or as they
// change.
import { afterAll, beforeAll, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { tenantRailctl } from "./tenant-railctl.js";
import { Yard } from "./yard.js";

let yard: Yard;
let secret: string;
beforeAll(async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  const tenant = await yard.tenantWithSecret("acme");
  secret = tenant.secret;
  const customer = new Customer(tenant.wire);
  const subnet = await customer.subnet((await customer.network()).id);
  // No machine runs: it finds no room and keeps its attachments.
  await customer.instance("train", Array(8).fill(subnet.id));
});
afterAll(() => yard.close());

function railctl(...args: readonly string[]) {
  return tenantRailctl(
    { server: `127.0.0.1:${yard.controller.ports.tenant}`, token: secret },
    args,
  );
}

const OF = ["--instance", "train"];
const rows = async () =>
  JSON.parse((await railctl("-o", "json", "attachment", "list", ...OF)).out) as {
    readonly id: string;
    readonly name: string;
  }[];

test("an attachment is shown as the list shows it, by its name and by its id", async () => {
  const third = (await rows())[2]!;
  for (const text of [third.name, third.id]) {
    const { code, out, err } = await railctl("-o", "json", "attachment", "get", text, ...OF);
    expect([code, err, JSON.parse(out)]).toEqual([0, "", third]);
  }
});

test("an attachment that the instance does not have is not found", async () => {
  const { code, err } = await railctl("attachment", "get", "nothing", ...OF);
  expect([code, err]).toEqual([3, expect.stringContaining("attachment nothing not found")]);
});

test("an attachment is watched from what it is now", async () => {
  const { name } = (await rows())[0]!;
  const watch = ["attachment", "get", name, ...OF, "--watch", "--timeout", "8s"];
  const { code, out } = await railctl(...watch);
  expect([code, out]).toEqual([0, expect.stringMatching(/^present +0 +/)]);
});
