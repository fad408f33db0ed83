// railctl about placement as an operator types it: explanations, simulations, how scattered free
// room is, proposed moves.
import { afterAll, beforeAll, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { operatorRailctl } from "./operator-railctl.js";
import { Yard } from "./yard.js";

const NODE = "wdc07-a-r01-s01";
const WHOLE = "gx3d-152x1536-8h100";

let yard: Yard;
let network: string;
let instance: string;
beforeAll(async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  const customer = new Customer(await yard.tenant("acme"));
  network = (await customer.network()).id;
  const { id: subnetId } = await customer.subnet(network);
  instance = (await customer.instance("one", Array(8).fill(subnetId))).id;
});
afterAll(() => yard.close());

const placement = (...args: string[]) => operatorRailctl(yard, "placement", ...args);
const shape = (count: number) => [
  ...["--account", "acme", "--network", network, "--profile", WHOLE, "--count", `${count}`],
];

test("an instance is explained by its id", async () => {
  const { code, text } = await placement("explain", "--instance", instance);
  expect([code, text]).toEqual([0, expect.stringMatching(/FITS +yes\n.*NODES +8\n/s)]);
  expect(text).toMatch(/GOES TO +wdc07-a-r01-s01 in su1, 8 GPUs/);
  expect(text).toMatch(/REMOVED BY +physicalCluster: 2 \(wdc07-b-/);
});

test("a shape that does not fit says which rules are in the way and what would help", async () => {
  const { code, text } = await placement("explain", ...shape(1));
  expect([code, text]).toEqual([0, expect.stringMatching(/FITS +no\n/)]);
  expect(text).toMatch(/bundleFree: 1 \(wdc07-a-r01-s01\)/);
  expect(text).toMatch(/CLOSEST +wdc07-a-r01-s01 in su1, score \d+: bundleFree/);
  expect(text).toContain("it fits with one more node of hgx-h100");
  const both = await placement("explain", "--instance", instance, ...shape(1));
  expect([both.code, both.text]).toEqual([2, expect.stringContaining("--instance")]);
  const half = await placement("explain", "--account", "acme");
  expect([half.code, half.text]).toEqual([2, expect.stringContaining("--network")]);
});

test("shapes are simulated in their order", async () => {
  const one = `account=acme,network=${network},profile=${WHOLE}`;
  const both = ["--shape", one, "--shape", `${one},count=2,max-leaf-groups=1`];
  const { code, text } = await placement("simulate", ...both, "--without-node", NODE);
  expect([code, text]).toEqual([0, expect.stringMatching(/^FITS +ASKED.*\nno +1 .*\nno +2 /)]);
});

test("free room is plotted by size of gang", async () => {
  const { code, text } = await placement("fragmentation", "--zone", "us-east-3");
  expect([code, text]).toEqual([0, expect.stringMatching(/^CLUSTER +ZONE +LEAF GROUPS/)]);
  expect(text).toMatch(/wdc07-hopper-a +us-east-3 +2 +0 +0 +0 +0\n/);
});

test("moves are proposed, and what they gain is said", async () => {
  const cluster = ["--physical-cluster", "wdc07-hopper-a"];
  const { code, text } = await placement("defragmentation", ...cluster, "--max-moves", "4");
  expect([code, text]).toEqual([0, expect.stringContaining("wholly free nodes: 0 to 0")]);
  const bare = await placement("defragmentation");
  expect([bare.code, bare.text]).toEqual([2, expect.stringContaining("--physical-cluster")]);
});
