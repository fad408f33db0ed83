// railctl about room: capacity checks, holds, batches, and where a start goes, as a customer types
// them.
import { afterAll, beforeAll, expect, test } from "vitest";
import { WholeYard } from "./consume-everything.js";
import { tenantRailctl } from "./tenant-railctl.js";

const SHAPE = ["--profile", "gx3d-152x1536-8h100", "--count"];
const DESCRIBED = [
  ...["--profile", "gx3d-152x1536-8h100", "--zone", "us-east-3", "--image", "img-ubuntu-24-04"],
  ...["--vpc-subnet", "vsub-research-3"],
];

let yard: WholeYard;
beforeAll(async () => {
  yard = await WholeYard.open([2, 1], 1);
});
afterAll(() => yard.close());

function railctl(...args: readonly string[]) {
  return tenantRailctl({ server: yard.server, token: yard.tenants[0]!.secret }, args);
}

test("room is asked for, held, shown, and used up by a batch", async () => {
  const { networkId, subnetId } = yard.tenants[0]!;
  const there = ["--network", networkId, ...SHAPE];
  const fits = await railctl("placement", "check-capacity", ...there, "2", "--spares", "1");
  expect([fits.code, fits.out]).toEqual([0, expect.stringMatching(/FITS +yes\n.*TOGETHER +2\+1/s)]);
  const short = await railctl(
    "placement",
    "check-capacity",
    ...there,
    "3",
    "--max-leaf-groups",
    "1",
  );
  expect([short.code, short.out]).toEqual([
    5,
    expect.stringMatching(/FIT NOW +2\n.*compactness: 3/s),
  ]);

  const held = await railctl("hold", "create", ...there, "2", "--ttl", "2h", "--name", "room");
  expect([held.code, held.out]).toEqual([0, expect.stringMatching(/NAME +room\n/)]);
  const list = await railctl("hold", "list");
  expect(list.out).toMatch(/NAME .*TOGETHER .*EXPIRES\nroom .* 2 +0 +2 /);
  const taken = await railctl("hold", "create", ...there, "2", "--ttl", "2h");
  expect([taken.code, taken.err]).toEqual([5, expect.stringContaining("CAPACITY")]);

  const attach = ["--network", networkId, "--attachments-from", subnetId, "--count", "8"];
  const gang = ["--instances", "2", "--name-prefix", "gang", "--hold", "room"];
  const made = await railctl("instance", "batch-create", ...DESCRIBED, ...attach, ...gang);
  expect([made.code, made.out]).toEqual([0, expect.stringMatching(/gang-1 .*starting.*\ngang-2 /)]);
  const gone = await railctl("hold", "get", "room");
  expect([gone.code, gone.err]).toEqual([3, expect.stringContaining("not found")]);
  for (const name of ["gang-1", "gang-2"]) await railctl("instance", "delete", name);
  await yard.seeAllGone();
});

test("a batch repeated by its request id is answered as before, its hold used up", async () => {
  const { networkId, subnetId } = yard.tenants[0]!;
  const there = ["--network", networkId, ...SHAPE, "1", "-o", "json"];
  const held = await railctl("hold", "create", ...there, "--ttl", "2h");
  const { id } = JSON.parse(held.out);
  const attach = ["--network", networkId, "--attachments-from", subnetId, "--count", "8"];
  const gang = ["--instances", "1", "--hold", id, "-o", "json"];
  const asked = ["instance", "batch-create", ...DESCRIBED, ...attach, ...gang];
  const repeat = ["--request-id", "11111111-2222-4333-8444-555555555555"];
  const first = await railctl(...asked, ...repeat);
  expect([first.code, first.err]).toEqual([0, ""]);
  expect(await railctl(...asked, ...repeat)).toEqual(first);
  const again = await railctl(...asked);
  expect(again.err).toContain("HOLD_CONSUMED");
  const [made] = JSON.parse(first.out);
  await railctl("instance", "delete", made.id);
  await yard.seeAllGone();
});

test("a hold is given back by its name", async () => {
  const { networkId } = yard.tenants[0]!;
  const there = ["--network", networkId, ...SHAPE, "1"];
  await railctl("hold", "create", ...there, "--ttl", "1m", "--name", "short");
  const dropped = await railctl("hold", "delete", "short");
  expect(dropped.code).toBe(0);
  expect((await railctl("hold", "list", "-o", "json")).out.trim()).toBe("[]");
  const early = await railctl("hold", "create", ...there, "--ttl", "5s");
  expect([early.code, early.err]).toEqual([2, expect.stringContaining("ttl")]);
});

test("what a batch and a hold must have is named all at once", async () => {
  const bare = await railctl("hold", "create");
  for (const flag of ["--network", "--profile", "--count", "--ttl"]) {
    expect(bare.err).toContain(flag);
  }
  const batch = await railctl("instance", "batch-create");
  expect([batch.code, batch.err]).toEqual([2, expect.stringContaining("--instances")]);
});

test("a start says how near to its previous place it went, beside the answer", async () => {
  const { networkId, subnetId } = yard.tenants[0]!;
  const attach = ["--network", networkId, "--attachments-from", subnetId, "--count", "8"];
  const create = (name: string) =>
    railctl("instance", "create", "--name", name, ...DESCRIBED, ...attach, "-o", "json");
  const made = await create("near");
  expect([made.code, made.err]).toEqual([0, ""]);
  const again = async () => {
    await railctl("instance", "stop", "near");
    await yard.seeAllGone();
    return railctl("instance", "start", "near", "-o", "json");
  };
  const back = await again();
  expect([back.code, back.err]).toEqual([0, "instance near: placed again (previous host)\n"]);
  expect(JSON.parse(back.out)).toMatchObject({ id: JSON.parse(made.out).id });

  await railctl("instance", "stop", "near");
  const queued = await railctl("instance", "start", "near", "-o", "json");
  // It waits for its stop: nothing is placed yet.
  expect([queued.code, queued.err]).toEqual([0, ""]);
  await yard.seeAllGone();

  await railctl("instance", "stop", "near");
  await yard.seeAllGone();
  // It gets the smaller group of nodes, as the first one did.
  await create("other");
  const moved = await railctl("instance", "start", "near", "-o", "json");
  expect([moved.code, moved.err]).toEqual([0, expect.stringMatching(/placed again \(elsewhere\)/)]);
  for (const name of ["near", "other"]) await railctl("instance", "delete", name);
  await yard.seeAllGone();
});
