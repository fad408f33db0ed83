// Tests of what is told to OpenSM and how its tools are read; the tools' answers are real ones.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refuse } from "@railyard/lib/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { adapterPorts, createOpenSm, partitionKeys, partitionsText } from "./opensm.js";
import type { Outside } from "./outside.js";

const PEER = "0x0000000000200001 ( 'Hca4' - 'Switch2' )";
const DISCOVERED = `CA     6  1 0x000000000010000a 4x SDR - SW     3  2 ${PEER}
SW     3  8 0x0000000000200001 4x SDR                                    'Switch2'
SW     3  2 0x0000000000200001 4x SDR - CA     6  1 ( 'Switch2' )
CA     5  1 0x0000000000100007 4x SDR - SW     2  2 ${PEER}
`;
const TABLE = `   0: 0x7fff 0x8101 0x0000 0x0000 0x0000 0x0000 0x0000 0x0000
   8: 0x0000 0x0000 0x0000 0x0000 0x0000 0x0000 0x0000 0x0000
16 pkeys capacity for this port
`;
const partitions = [{ pkey: 0x101, members: ["02005e0101102030", "02005e0101102031"] }];

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "opensm-"));
  mkdirSync(join(root, "proc/77"), { recursive: true });
  writeFileSync(join(root, "proc/77/comm"), "opensm\n");
  writeFileSync(join(root, "pid"), "77\n");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function subnetManager(exec: Outside["exec"] = () => Promise.reject(new Error("no tool"))) {
  const hungUp: number[] = [];
  const hangUp = (pid: number) => void hungUp.push(pid);
  const files = { partitionsFile: "/partitions.conf", pidFile: "/pid" };
  return { hungUp, sm: createOpenSm({ outside: { root, exec }, hangUp, ...files, deadlineMs: 9 }) };
}

test("ports are the adapters' own, with the keys that the ports carry", async () => {
  const asked: string[] = [];
  const { sm } = subnetManager(async (tool, args) => {
    asked.push([tool, ...args].join(" "));
    return tool === "ibnetdiscover" ? DISCOVERED : TABLE;
  });
  const { ports, unread } = await sm.readPorts();
  expect(ports.map(({ guid }) => guid)).toEqual(["000000000010000a", "0000000000100007"]);
  expect(ports[0]?.pkeys).toEqual([0x7fff, 0x8101]);
  expect(unread).toEqual([]);
  expect(asked).toEqual(["ibnetdiscover --ports", "smpquery pkeys 6 1", "smpquery pkeys 5 1"]);
});

test("a port that does not answer is told apart from one that carries nothing", async () => {
  const { sm } = subnetManager(async (tool, args) => {
    if (tool === "ibnetdiscover") return DISCOVERED;
    if (args[1] === "5") throw new Error("timeout");
    return TABLE;
  });
  const { ports, unread } = await sm.readPorts();
  expect(ports).toHaveLength(1);
  expect(unread).toMatchObject([{ guid: "0000000000100007" }]);
});

test("a fabric whose ports all hang is not waited for port by port", async () => {
  const line = (n: number) => `CA ${n} 1 0x${n.toString(16).padStart(16, "0")} 4x SDR - SW\n`;
  const fabric = Array.from({ length: 1_000 }, (_, n) => line(n + 1)).join("");
  let asked = 0;
  const { sm } = subnetManager(async (tool) => {
    if (tool === "ibnetdiscover") return fabric;
    asked += 1;
    throw refuse("deadline", "it hangs");
  });
  expect((await sm.readPorts()).unread).toHaveLength(1_000);
  expect(asked).toBeLessThan(32);
});

test("a table that was cut off is no table, and one GUID on two ports is no fabric", () => {
  expect(() => partitionKeys(TABLE.replace("16 pkeys", "64 pkeys"))).toThrow("whole");
  expect(() => partitionKeys("")).toThrow("whole");
  expect(() => adapterPorts(DISCOVERED.replace("10000a 4x", "100007 4x"))).toThrow("same GUID");
});

test("opensm is told every partition, and to make all limited in the default one", async () => {
  const { sm, hungUp } = subnetManager();
  expect(await sm.holds(partitions)).toBe(false);
  await sm.setPartitions(partitions);
  const text = readFileSync(join(root, "partitions.conf"), "utf8");
  expect(text).toContain("Default=0x7fff, ipoib : ALL=limited, SELF=full ;");
  const members = "0x02005e0101102030=full,\n  0x02005e0101102031=full ;";
  expect(text).toContain(`pkey-0x0101=0x0101 :\n  ${members}`);
  expect(hungUp).toEqual([77]);
  expect(await sm.holds(partitions)).toBe(true);
  expect(await sm.holds([])).toBe(false);
});

test("no other process than opensm is ever signalled, and nothing is written then", async () => {
  writeFileSync(join(root, "proc/77/comm"), "postgres\n");
  const { sm, hungUp } = subnetManager();
  await expect(sm.setPartitions(partitions)).rejects.toThrow("another process");
  writeFileSync(join(root, "pid"), "78\n");
  await expect(sm.setPartitions(partitions)).rejects.toThrow("does not run");
  expect(hungUp).toEqual([]);
  expect(await sm.holds(partitions)).toBe(false);
});

test("what is no key or no GUID never reaches the file", () => {
  expect(() => partitionsText([{ pkey: 0x7fff, members: [] }])).toThrow("0x7FFE");
  const hostile = ["02005e0101102030=full ; Other=0x7000"];
  expect(() => partitionsText([{ pkey: 1, members: hostile }])).toThrow("GUID");
});
