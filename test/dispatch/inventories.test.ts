// Machines that look unfit all at once: how many judgements are believed, and when the rest is.
import { readFileSync } from "node:fs";
import { toWireNode } from "@railyard/controller/api/node-wire";
import { BREAKER_WINDOW_MS } from "@railyard/controller/domain/inventory-breaker";
import type { Node } from "@railyard/controller/domain/node";
import { inventoriesLoop } from "@railyard/controller/loops/inventories";
import { reviewInventories } from "@railyard/controller/service/inventory-breaker";
import { applyMzone } from "@railyard/controller/service/mzone";
import { createJoinToken, getNode, uncordonNode } from "@railyard/controller/service/node";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { NodeFlagKind } from "@railyard/proto/gen/railyard/admin/v1/node_inventory";
import { afterEach, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { Agent, refusedFor, told } from "./agent.js";
import { call, DispatchYard } from "./yard.js";

const EXAMPLE = readFileSync(new URL("../../deploy/mzone.example.yaml", import.meta.url), "utf8");
/** What the probe of GPUs says when it fails. */
const BLIND = { inventory: told({ gpus: [], pairs: [] }) };

let of: DispatchYard;

afterEach(() => of.close());

/** Servers of one cluster, all fit, with one agent each. */
async function fleet(count: number): Promise<readonly Agent[]> {
  of = await new DispatchYard().open();
  const document = parse(EXAMPLE);
  const [first] = document.zones[0].servers;
  const names = Array.from({ length: count }, (_, k) => `wdc07-a-r50-s${k}`);
  for (const name of names) document.zones[0].servers.push({ ...first, name, serial: `M-${name}` });
  document.metadata.generation++;
  await applyMzone(of.ctx, call("ApplyMzone"), document);
  const agents: Agent[] = [];
  for (const nodeName of names) {
    const { publicKey } = createBusIdentity();
    const token = { nodeName, publicKey };
    const { node } = await createJoinToken(of.ctx, call("CreateJoinToken"), token);
    const agent = new Agent(of, `ses-${nodeName}`, node.id);
    expect(refusedFor(await agent.hello({ serial: `M-${nodeName}` }))).toBe("welcome");
    agents.push(agent);
  }
  return agents;
}

const look = (agent: Agent) => agent.report({ generation: 0n, ...BLIND });
const recover = (agent: Agent) => agent.report({ generation: 0n, inventory: told() });

function nodes(agents: readonly Agent[]): Promise<readonly Node[]> {
  return Promise.all(agents.map(async (agent) => (await getNode(of.ctx, agent.nodeId)).node));
}

/** Per agent: `fit`, `unfit`, or `held` for one that is fit while its newest is held back. */
async function standing(agents: readonly Agent[]): Promise<readonly string[]> {
  return (await nodes(agents)).map(({ mismatches, pairs, withheld, flags }) => {
    const isHeld = flags.some(({ code }) => code === "inventory-withheld");
    expect(isHeld).toBe(withheld !== undefined);
    const isFit = mismatches.length === 0 && pairs.every(({ healthy }) => healthy);
    expect(pairs.length).toBe(isFit ? 8 : 0);
    return isFit ? (isHeld ? "held" : "fit") : "unfit";
  });
}

const times = (count: number, word: string): string[] => Array(count).fill(word);

test("a probe that suddenly condemns a fleet condemns a tenth; the rest is kept", async () => {
  const agents = await fleet(40);
  const condemned = agents.slice(0, 30);
  for (const agent of condemned) await look(agent);
  expect(await standing(condemned)).toEqual([...times(4, "unfit"), ...times(26, "held")]);

  const held = await getNode(of.ctx, agents[10]!.nodeId);
  expect(toWireNode(held).flags).toMatchObject([
    { kind: NodeFlagKind.NODE_FLAG_KIND_INVENTORY_WITHHELD, message: expect.any(String) },
  ]);
  expect(held.node.flags[0]?.message).toMatch(/not believed.*gpu-count/);

  // A new session tells the same again, and time alone proves nothing.
  const [last] = condemned.slice(-1);
  await last!.hello({ serial: "M-wdc07-a-r50-s29", ...BLIND });
  await of.pass(2 * BREAKER_WINDOW_MS);
  expect(await reviewInventories(of.ctx)).toEqual({ released: [], withheld: 26 });
  // Nor does a restart, that forgets whatever was kept beside the store.
  const restarted = { ...of.ctx, store: Object.create(of.ctx.store) };
  expect(await reviewInventories(restarted)).toEqual({ released: [], withheld: 26 });

  // The probe is mended: what is fit is believed at once, and the few that remain are judged.
  for (const agent of agents.slice(0, 27)) await recover(agent);
  expect(await standing(condemned)).toEqual([...times(27, "fit"), ...times(3, "held")]);
  expect((await reviewInventories(of.ctx)).released).toHaveLength(3);
  expect(await standing(condemned)).toEqual([...times(27, "fit"), ...times(3, "unfit")]);
});

test("what is held back is judged when the window has passed", async () => {
  const agents = await fleet(5);
  for (const agent of agents.slice(0, 4)) await look(agent);
  const before = [...times(3, "unfit"), "held", "fit"];
  expect(await standing(agents)).toEqual(before);
  await of.pass(BREAKER_WINDOW_MS - 2_000);
  expect(await reviewInventories(of.ctx)).toEqual({ released: [], withheld: 1 });
  await of.pass(2_000);
  const { nodeId } = agents[3]!;
  expect(await reviewInventories(of.ctx)).toEqual({ released: [nodeId], withheld: 0 });
  expect(await standing(agents)).toEqual([...times(4, "unfit"), "fit"]);
});

test("an operator's word has a held inventory judged, and ends its flag", async () => {
  const agents = await fleet(6);
  for (const agent of agents) await look(agent);
  await uncordonNode(of.ctx, call("UncordonNode"), { id: agents[4]!.nodeId, etag: "" });
  expect(await standing(agents)).toEqual([...times(3, "unfit"), "held", "unfit", "held"]);
});

test("a new declaration that fits what was held back ends that, another does not", async () => {
  const agents = await fleet(5);
  const memoryMib = 2 ** 20;
  for (const agent of agents) {
    await agent.report({ generation: 0n, inventory: told({ memoryMib }) });
  }
  const withheld = async () => (await nodes(agents)).filter((node) => node.withheld).length;
  expect(await withheld()).toBe(2);
  const declare = async (change: { vcpu?: number; memoryGiB?: number }) => {
    const document = parse(EXAMPLE);
    for (const { nodeId } of agents) {
      const { name, serial } = (await getNode(of.ctx, nodeId)).node;
      document.zones[0].servers.push({ ...document.zones[0].servers[0], name, serial });
    }
    for (const hardware of document.hardware) {
      if (hardware.name === "hgx-h100") Object.assign(hardware, change);
    }
    document.metadata.generation += 10;
    await applyMzone(of.ctx, call("ApplyMzone"), document);
  };
  await declare({ vcpu: 100 });
  expect(await withheld()).toBe(2);
  await declare({ memoryGiB: 1_000 });
  expect(await standing(agents)).toEqual(times(5, "fit"));
});

test("an alarm is logged once while inventories are held back, and its end too", async () => {
  const agents = await fleet(6);
  const error = vi.spyOn(of.ctx.log, "error");
  const info = vi.spyOn(of.ctx.log, "info");
  const loop = inventoriesLoop(of.ctx, 5_000);
  loop.start();
  for (const agent of agents) await look(agent);
  for (let k = 0; k < 4; k++) await of.pass(5_000);
  expect(error).toHaveBeenCalledTimes(1);
  expect(error).toHaveBeenCalledWith({ nodes: 3 }, expect.stringMatching("unfit at once"));
  for (const agent of agents) await recover(agent);
  await of.pass(5_000);
  expect(info).toHaveBeenLastCalledWith({}, expect.stringMatching("no inventory is held back"));
  await loop.stop();
});

test("what an agent saw and warns of is shown in lines of bounded length", async () => {
  const [agent] = await fleet(1);
  const [first, ...others] = told().nics;
  const neighbour = `leaf\u001b[2J\n${"x".repeat(200)}`;
  const nics = [{ ...first!, ports: [0, 1].map((port) => ({ port, neighbour, up: true })) }];
  const warnings = Array.from({ length: 70 }, (_, k) => {
    return { kind: "step-failed", deviceId: "", message: `clear-vf\n${k}` };
  });
  await agent!.report({
    generation: 0n,
    inventory: told({ nics: [...nics, ...others], warnings }),
  });
  const { inventory, mismatches } = toWireNode(await getNode(of.ctx, agent!.nodeId));
  const shown = inventory!.nics.find(({ deviceId }) => deviceId === first!.deviceId)!.neighbour;
  expect(shown).toMatch(/^leaf \[2J x{119}$/);
  expect(mismatches.length).toBeGreaterThan(0);
  for (const { seen } of mismatches) expect(seen).toMatch(/^[ -~]{1,256}$/);
  expect(inventory!.warningCount).toBe(70);
  expect(inventory!.warnings).toHaveLength(64);
  expect(inventory!.warnings[0]).toMatchObject({ kind: "step-failed", message: "clear-vf 0" });
});
