// Applying a document while instances are placed: what may change raises exactly the nodes whose
// content it changes, and what would alter a placed instance is refused.
import { readFileSync } from "node:fs";
import { applyMzone } from "@railyard/controller/service/mzone";
import { DesiredState } from "@railyard/proto/gen/railyard/agent/v1/agent";
import { afterEach, expect, test } from "vitest";
import { parse } from "yaml";
import { Agent, refusedFor } from "./agent.js";
import { INSTANCE, intended, plant, presence } from "./plant.js";
import { call, DispatchYard } from "./yard.js";

const EXAMPLE = readFileSync(new URL("../../deploy/mzone.example.yaml", import.meta.url), "utf8");
const open: DispatchYard[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** A yard with one running instance, and the agent of its node. */
async function occupied(): Promise<{ of: DispatchYard; agent: Agent }> {
  const of = await new DispatchYard().open();
  open.push(of);
  const agent = new Agent(of, "ses-1");
  expect(refusedFor(await agent.hello())).toBe("welcome");
  await agent.heartbeat();
  await plant(of);
  await agent.report({ instances: presence(await intended(of)) });
  return { of, agent };
}

async function apply(of: DispatchYard, change: (document: any) => void): Promise<void> {
  const document = parse(EXAMPLE);
  change(document);
  await applyMzone(of.ctx, call("ApplyMzone"), document);
  await of.pass();
}

function generations(of: DispatchYard): Promise<readonly bigint[]> {
  return of.ctx.store.read(async (tx) => {
    return (await tx.nodes.all()).map(({ generation }) => generation);
  });
}

test("a moved image and a renewed key reach the node that uses them and no other", async () => {
  const { of, agent } = await occupied();
  const digest = await intended(of);
  const before = await generations(of);
  await apply(of, (d) => {
    d.catalog.images[0].path = "/srv/images/ubuntu.qcow2";
    d.catalog.keys[0].publicKey = `${d.catalog.keys[0].publicKey.slice(0, -5)}renew`;
  });
  const after = await generations(of);
  expect(after.filter((generation, i) => generation !== before[i])).toEqual([3n]);
  const newest = agent.heard.at(-1)!;
  expect(newest.generation).toBe(3n);
  const { instances } = DesiredState.decode(newest.body);
  expect(instances[0]?.image?.path).toBe("/srv/images/ubuntu.qcow2");
  expect(instances[0]?.sshKeys[0]).toMatch(/renew$/);
  expect(await intended(of)).toBe(digest);
  expect((await of.instance(INSTANCE))?.status).toBe("running");
  expect((await of.node()).flags).toEqual([]);
});

test("what no placed instance uses raises nothing", async () => {
  const { of } = await occupied();
  const before = await generations(of);
  await apply(of, (d) => {
    d.catalog.images[1].path = "/srv/images/rocky.qcow2";
    d.profiles.clusterNetworks[1].mtu = 4_200;
  });
  expect(await generations(of)).toEqual(before);
});

test.each([
  ["profiles.clusterNetworks[0].mtu", (d: any) => (d.profiles.clusterNetworks[0].mtu = 4_200)],
  ["hardware[0].nics", (d: any) => (d.hardware[0].nics.speedGbps = 200)],
  [
    "profiles.instances[0].attachmentLayout",
    (d: any) => (d.profiles.instances[0].attachmentLayout = "strided"),
  ],
  ["catalog.images[0].sha256", (d: any) => (d.catalog.images[0].sha256 = "0".repeat(64))],
])("a change of %s under a placed instance is refused by name", async (field, change) => {
  const { of } = await occupied();
  const before = await generations(of);
  const refusal = apply(of, change).catch((thrown: unknown) => thrown);
  expect(await refusal).toMatchObject({
    reason: "MZONE_OBJECT_IN_USE",
    parts: { fields: [{ field }] },
  });
  expect(await generations(of)).toEqual(before);
});
