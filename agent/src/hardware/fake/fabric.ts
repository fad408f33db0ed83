// A made-up fabric with its subnet manager: the production code for OpenSM above pretended tools.
// The fabric lives in a directory; each GUID that a partition ever named is a port on it, unless
// its cable is out. It must not know what a partition is for.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isGuid } from "@railyard/lib/guid";
import type { SubnetManager } from "../fabric.js";
import { createOpenSm } from "../linux/opensm.js";
import { type Outside, toolFailed } from "../linux/outside.js";
import { readJson, writeJson } from "./machine.js";
import { get } from "./tree.js";

/** What is made up in `fabric.json`; tests change `out` and `deaf` while it runs. */
export interface FakeFabric {
  /** Partition tables by port GUID. */
  readonly ports: Readonly<Record<string, readonly number[]>>;
  /** GUIDs of ports whose cables are out. */
  readonly out: readonly string[];
  /** Whether the subnet manager overhears that its settings changed. */
  readonly deaf: boolean;
}

const PARTITIONS = "/partitions.conf";
const PID_FILE = "/opensm.pid";
const PID = 4242;
const DEADLINE_MS = 5_000;
const TABLE_KEYS = 64;
const LIMITED_DEFAULT = 0x7fff;
const FULL = 0x8000;

/** Opens the fabric in `dir`, making it first when there is none. */
export function createFakeSubnetManager(dir: string): SubnetManager {
  const proc = join(dir, "proc", String(PID));
  mkdirSync(proc, { recursive: true });
  writeFileSync(join(proc, "comm"), "opensm\n");
  writeFileSync(join(dir, PID_FILE), `${PID}\n`);
  const outside = { root: dir, exec: pretendTools(dir) };
  const files = { partitionsFile: PARTITIONS, pidFile: PID_FILE };
  return createOpenSm({ outside, ...files, deadlineMs: DEADLINE_MS, hangUp: () => sweep(dir) });
}

export function readFabric(dir: string): FakeFabric {
  return readJson<FakeFabric>(join(dir, "fabric.json")) ?? { ports: {}, out: [], deaf: false };
}

export function writeFabric(dir: string, fabric: FakeFabric): void {
  writeJson(join(dir, "fabric.json"), fabric);
}

/** Reads the partition file as OpenSM does and programs every port. */
function sweep(dir: string): void {
  const fabric = readFabric(dir);
  if (fabric.deaf) return;
  const tables = new Map(Object.keys(fabric.ports).map((guid) => [guid, [LIMITED_DEFAULT]]));
  for (const partition of get(dir, PARTITIONS).split(";")) {
    const key = /^pkey-\w+=(0x[0-9a-f]{4}) :/m.exec(partition)?.[1];
    for (const [, guid = ""] of partition.matchAll(/0x([0-9a-f]{16})=full/g)) {
      const table = tables.get(guid) ?? [LIMITED_DEFAULT];
      tables.set(guid, [...table, Number(key) | FULL]);
    }
  }
  writeFabric(dir, { ...fabric, ports: Object.fromEntries(tables) });
}

function pretendTools(dir: string): Outside["exec"] {
  return async (tool, args) => {
    const { ports, out } = readFabric(dir);
    const guids = Object.keys(ports).filter(isGuid).sort();
    if (tool === "ibnetdiscover") {
      const lines = guids.map((guid, i) =>
        out.includes(guid) ? "" : `CA ${i + 1} 1 0x${guid} 4x NDR - SW 1 1 0x1 ( 'vf' - 'leaf' )`,
      );
      return lines.join("\n");
    }
    const table = ports[guids[Number(args[1]) - 1] ?? ""];
    if (tool !== "smpquery" || !table) throw toolFailed(tool, args, "no such port");
    return tableText(table);
  };
}

function tableText(table: readonly number[]): string {
  const keys = Array.from({ length: TABLE_KEYS }, (_, i) => table[i] ?? 0);
  const words = keys.map((key) => `0x${key.toString(16).padStart(4, "0")}`);
  const rows = words.flatMap((_, i) =>
    i % 8 === 0 ? [`${i}: ${words.slice(i, i + 8).join(" ")}`] : [],
  );
  return [...rows, `${TABLE_KEYS} pkeys capacity for this port`].join("\n");
}
