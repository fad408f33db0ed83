// Shows what is understood of lldpcli's several shapes, and of what InfiniBand switches say.
import { expect, test } from "vitest";
import { parseNeighbours, parseNodeDescription, readInfinibandNeighbours } from "./neighbours.js";

const named = (leaf: string) => ({ chassis: { [leaf]: { id: { type: "mac", value: "aa" } } } });
const seen = (shown: unknown) => [...parseNeighbours(JSON.stringify({ lldp: shown }))];

test("one interface comes as an object, several as a list", () => {
  expect(seen({ interface: { eth0: named("leaf-a1") } })).toEqual([["eth0", "leaf-a1"]]);
  expect(seen({ interface: [{ eth0: named("leaf-a1") }, { eth1: named("leaf-a2") }] })).toEqual([
    ["eth0", "leaf-a1"],
    ["eth1", "leaf-a2"],
  ]);
});

test("no neighbour at all is an empty answer", () => {
  expect(seen({})).toEqual([]);
});

test("a switch without a name is told by its id", () => {
  expect(
    seen({ interface: { eth0: { chassis: { id: { type: "mac", value: "aa:bb" } } } } }),
  ).toEqual([["eth0", "aa:bb"]]);
});

test("an interface that sees two switches has no certain neighbour", () => {
  expect(seen({ interface: [{ eth0: named("leaf-a1") }, { eth0: named("leaf-b1") }] })).toEqual([]);
});

test("an answer that is not JSON is a failure", () => {
  expect(() => parseNeighbours("lldpd is not running")).toThrow(
    expect.objectContaining({ code: "unavailable" }),
  );
});

test.each([
  ["Node Description:........MF0;leaf-a1:MQM9700/U1\n", "leaf-a1"],
  ["Node Description:.....Quantum Mellanox Technologies\n", "Quantum Mellanox Technologies"],
  ["smpquery: iberror: failed", ""],
])("the switch that describes itself as %j", (text, leaf) => {
  expect(parseNodeDescription(text)).toBe(leaf);
});

test("whatever a neighbour calls itself, its name is one short line", () => {
  const name = `leaf\u001b[2J\n\u202e${"x".repeat(300)}`;
  const told = [...seen({ interface: { eth0: named(name) } }).map(([, text]) => text)];
  told.push(parseNodeDescription(`Node Description:..${name.replace("\n", "")}`));
  for (const text of told) {
    expect(text).toMatch(/^leaf\?\[2J\?+x+$/);
    expect(text).toHaveLength(128);
  }
});

test("only active InfiniBand ports are asked, each through its own cable", async () => {
  const calls: string[] = [];
  const outside = {
    root: "/",
    write: async () => {},
    exec: async (tool: string, args: readonly string[]) => {
      calls.push([tool, ...args].join(" "));
      return "Node Description:..leaf-1";
    },
  };
  const port = { infiniband: true, active: true, speedMbps: 1, guid: "", neighbour: "" };
  const ports = [
    { ...port, port: 1 },
    { ...port, port: 2, active: false },
    { ...port, port: 3, infiniband: false },
  ];
  const ids = { pciAddress: "0000:22:00.0", nodeGuid: "", systemGuid: "" };
  const cables = await readInfinibandNeighbours(outside, [{ name: "mlx5_0", ...ids, ports }], 1);
  expect([...cables]).toEqual([["mlx5_0/1", "leaf-1"]]);
  expect(calls).toEqual(["smpquery -C mlx5_0 -P 1 -D nodedesc 0,1"]);
});
