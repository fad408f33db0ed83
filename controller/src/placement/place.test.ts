// Placement: every rule by name, the preferences, and the judge over random fleets.
import type { InstanceId, NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { check } from "./check.js";
import type { Fleet, FleetNode, PlacementRequest } from "./fleet.js";
import { place } from "./place.js";

const CLUSTER = "pc-a" as PhysicalClusterId;

function node(name: string, change: Partial<FleetNode> = {}, taken: number[] = []): FleetNode {
  return {
    nodeId: name as NodeId,
    zone: "z1",
    physicalClusterId: CLUSTER,
    leafGroup: "su1",
    gpuModel: "H100",
    gpuCount: 8,
    eligible: true,
    leaseFresh: true,
    inventoryMatches: true,
    pairs: Array.from({ length: 8 }, (_, rail) => ({
      rail,
      gpu: `gpu-${rail}`,
      nic: `nic-${rail}`,
      healthy: true,
      free: !taken.includes(rail),
    })),
    vfsPerNic: 16,
    nicSpeedGbps: 400,
    free: { vcpu: 176, memoryMib: 1_900_000, diskGib: 20_000 },
    ...change,
  };
}

function request(change: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    instanceId: "ins-1" as InstanceId,
    zone: "z1",
    physicalClusterId: CLUSTER,
    gpuModel: "H100",
    gpuCount: 8,
    rails: 8,
    attachmentCount: 8,
    vcpu: 152,
    memoryMib: 1536 * 1024,
    diskGib: 0,
    previousNodeId: undefined,
    previousLeafGroup: undefined,
    exclude: [],
    seed: "s",
    ...change,
  };
}

const ALL = [0, 1, 2, 3, 4, 5, 6, 7];

function placed(fleet: Fleet, wanted: PlacementRequest): string {
  const plan = place(fleet, wanted);
  if (!plan.fits) return JSON.stringify(plan.removed);
  expect(check(fleet, wanted, plan)).toEqual([]);
  return plan.nodeId;
}

test.each<[string, FleetNode]>([
  ["zone", node("n", { zone: "z2" })],
  ["physicalCluster", node("n", { physicalClusterId: "pc-b" as PhysicalClusterId })],
  ["eligible", node("n", { eligible: false })],
  ["leaseFresh", node("n", { leaseFresh: false })],
  ["inventoryMatches", node("n", { inventoryMatches: false })],
  ["profileFits", node("n", { gpuModel: "H200" })],
  ["profileFits", node("n", { gpuCount: 4 })],
  [
    "railsHealthy",
    node("n", { pairs: node("m").pairs.map((p) => ({ ...p, healthy: p.rail !== 3 })) }),
  ],
  [
    "railSet",
    node("n", { pairs: node("m").pairs.map((p) => ({ ...p, rail: Math.min(p.rail, 6) })) }),
  ],
  ["bundleFree", node("n", {}, [2])],
  ["vfsFree", node("n", { vfsPerNic: 0 })],
  ["vcpuFree", node("n", { free: { vcpu: 8, memoryMib: 1_900_000, diskGib: 0 } })],
  ["memoryFree", node("n", { free: { vcpu: 176, memoryMib: 8, diskGib: 0 } })],
])("a node that breaks %s is removed and counted under that name", (rule, bad) => {
  const refusal = place({ nodes: [bad] }, request());
  expect(refusal).toEqual({ fits: false, considered: 1, removed: { [rule]: 1 } });
});

test("nodes lost to other writers are counted as such", () => {
  const wanted = request({ exclude: ["n" as NodeId], diskGib: 1 });
  expect(place({ nodes: [node("n")] }, wanted)).toMatchObject({ removed: { lostRace: 1 } });
});

test("pairs come in rail order whatever the order of discovery", () => {
  const shuffled = node("n", { pairs: [...node("m").pairs].reverse() });
  const plan = place({ nodes: [shuffled] }, request());
  expect(plan.fits && plan.pairs.map(({ rail }) => rail)).toEqual(ALL);
});

test("the previous host wins, then its leaf group", () => {
  const nodes = ["a", "b", "c"].map((n) => node(n, { leafGroup: n === "a" ? "su1" : "su2" }));
  expect(placed({ nodes }, request({ previousNodeId: "b" as NodeId }))).toBe("b");
  const wanted = request({ previousLeafGroup: "su1", previousNodeId: "gone" as NodeId });
  expect(placed({ nodes }, wanted)).toBe("a");
});

test("started leaf groups fill up first", () => {
  const nodes = [node("a", { leafGroup: "su2" }), node("b"), node("c", {}, ALL)];
  for (const seed of ["1", "2", "3", "4"]) expect(placed({ nodes }, request({ seed }))).toBe("b");
});

test("what needs no GPU goes beside taken GPUs, so that whole nodes stay whole", () => {
  const nodes = [node("a"), node("b"), node("c", {}, ALL), node("d")];
  const small = request({
    gpuModel: undefined,
    gpuCount: 0,
    rails: 0,
    attachmentCount: 0,
    vcpu: 8,
  });
  expect(placed({ nodes }, { ...small, physicalClusterId: undefined })).toBe("c");
});

test("the judge names what is wrong with a forged plan", () => {
  const nodes = [node("a", {}, [3])];
  const pairs = nodes[0]!.pairs.map(({ rail, gpu, nic }) => ({ rail, gpu, nic }));
  const forged = { fits: true as const, nodeId: "a" as NodeId, pairs: [...pairs].reverse() };
  expect(check({ nodes }, request(), forged)).toEqual(
    expect.arrayContaining(["pair 4 is taken", "pair 1 is out of rail order"]),
  );
  const elsewhere = { ...forged, nodeId: "z" as NodeId };
  expect(check({ nodes }, request(), elsewhere)).toEqual(["the node is not in the fleet"]);
});

const anyNode = fc.record({
  name: fc.uuid(),
  zone: fc.constantFrom("z1", "z1", "z2"),
  eligible: fc.boolean(),
  leaseFresh: fc.boolean(),
  gpuModel: fc.constantFrom("H100", "H100", "H200"),
  leafGroup: fc.constantFrom("su1", "su2"),
  vfsPerNic: fc.constantFrom(0, 2, 16),
  taken: fc.constantFrom<number[]>([], [], [1], ALL),
  sick: fc.constantFrom(-1, -1, 2),
  vcpu: fc.constantFrom(8, 176),
});

const anyFleet = fc.uniqueArray(anyNode, { selector: ({ name }) => name }).map(
  (rows): Fleet => ({
    nodes: rows.map(({ name, taken, sick, vcpu, ...rest }) => {
      const made = node(name, rest, taken);
      const pairs = made.pairs.map((p) => ({ ...p, healthy: p.rail !== sick }));
      return { ...made, pairs, free: { ...made.free, vcpu } };
    }),
  }),
);

const anyRequest = fc
  .record({
    shape: fc.constantFrom(
      { gpuModel: "H100", gpuCount: 8, rails: 8, attachmentCount: 32 },
      { gpuModel: "H100", gpuCount: 8, rails: 0, attachmentCount: 0 },
      { gpuModel: undefined, gpuCount: 0, rails: 0, attachmentCount: 0 },
    ),
    vcpu: fc.constantFrom(4, 152),
    seed: fc.string(),
  })
  .map(({ shape, ...rest }) => request({ ...shape, ...rest }));

test("plans pass the judge, refusals add up, the same question has one answer", () => {
  fc.assert(
    fc.property(anyFleet, anyRequest, (fleet, wanted) => {
      const answer = place(fleet, wanted);
      expect(place({ nodes: [...fleet.nodes].reverse() }, wanted)).toEqual(answer);
      if (answer.fits) {
        expect(check(fleet, wanted, answer)).toEqual([]);
        return;
      }
      const counted = Object.values(answer.removed).reduce((a, b) => a + b, 0);
      expect(counted).toBe(answer.considered);
    }),
  );
});
