// OpenSM as a SubnetManager: its partition file, written whole and made known by SIGHUP, and the
// partition tables that the ports themselves tell through ibnetdiscover and smpquery. Knows the
// tools' words, not why a port is in a partition.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { partitionKey } from "@railyard/lib/attest";
import type { Clock } from "@railyard/lib/clock";
import { readIfThere, writeDurably } from "@railyard/lib/durable-file";
import { asRailyardError, invalidField, refuse } from "@railyard/lib/errors";
import { type Guid, isGuid, isPkey } from "@railyard/lib/guid";
import type { DesiredPartition, FabricPort, FabricReading } from "../../model/fabric.js";
import type { SubnetManager } from "../fabric.js";
import { type Outside, systemOutside } from "./outside.js";

export interface OpenSmOptions {
  readonly outside: Pick<Outside, "root" | "exec">;
  /** Has a process read its settings again: SIGHUP. */
  readonly hangUp: (pid: number) => void;
  /** What OpenSM was started with as `-P`; nobody else may write it. */
  readonly partitionsFile: string;
  readonly pidFile: string;
  /** Of one tool, milliseconds. */
  readonly deadlineMs: number;
}

/** A fabric has no more unicast addresses (InfiniBand Architecture Specification 4.1.3). */
const PORTS_MAX = 49_151;
/** Ports asked at the same time. */
const ASKED_MAX = 8;
/** After so many hung tools the rest of a fabric is not asked: each of them takes its deadline. */
const HUNG_MAX = 2 * ASKED_MAX;
const KEYS_PER_ROW = 8;
const MODE = 0o644;
/** A port of a channel adapter with a cable in it, as `ibnetdiscover --ports` lists it. */
const ADAPTER_PORT = /^CA +(\d{1,5}) +(\d{1,3}) 0x([0-9a-f]{16}) /;
const KEY_ROW = /^\s*\d+:((?: 0x[0-9a-f]{4})+)\s*$/;
const CAPACITY = /^(\d+) pkeys capacity for this port$/m;

/** Discovery of a large fabric takes seconds. */
const TOOL_DEADLINE_MS = 60_000;

/** The one that runs on this machine. */
export function localOpenSm(
  clock: Clock,
  files: Pick<OpenSmOptions, "partitionsFile" | "pidFile">,
): SubnetManager {
  const hangUp = (pid: number) => void process.kill(pid, "SIGHUP");
  const outside = systemOutside(clock);
  return createOpenSm({ ...files, outside, hangUp, deadlineMs: TOOL_DEADLINE_MS });
}

export function createOpenSm(options: OpenSmOptions): SubnetManager {
  const path = join(options.outside.root, options.partitionsFile);
  return {
    readPorts: () => readPorts(options),
    holds: async (partitions) => readIfThere(path) === partitionsText(partitions),
    async setPartitions(partitions) {
      const text = partitionsText(partitions);
      const pid = subnetManagerPid(options);
      replace(path, text);
      options.hangUp(pid);
    },
  };
}

/**
 * The partition file (opensm(8), PARTITION CONFIGURATION). Unless told otherwise OpenSM makes every
 * port a full member of the default partition, who could speak to all others: here they are limited
 * members, who reach the subnet manager's own port only. Throws `invalid`.
 */
export function partitionsText(partitions: readonly DesiredPartition[]): string {
  const lines = partitions.map(({ pkey, members }) => {
    if (!isPkey(pkey)) throw invalidField("pkey", "must be from 0x0001 to 0x7FFE");
    if (!members.every(isGuid)) throw invalidField("members", "must be sixteen-digit GUIDs");
    const key = partitionKey(pkey);
    const list = members.map((guid) => `0x${guid}=full`).join(",\n  ");
    return `${key}=${key.slice("pkey-".length)} :\n  ${list} ;\n`;
  });
  return [
    "# Written by railyard-agent, which replaces every change made by others.\n",
    "Default=0x7fff, ipoib : ALL=limited, SELF=full ;\n",
    ...lines,
  ].join("");
}

function replace(path: string, text: string): void {
  try {
    writeDurably(path, text, MODE);
  } catch (cause) {
    throw refuse("unavailable", "the partition file cannot be written", { cause });
  }
}

/** A pid file may outlive its process, and its number be somebody else's by now. */
function subnetManagerPid({ outside: { root }, pidFile }: OpenSmOptions): number {
  try {
    const pid = Number(readFileSync(join(root, pidFile), "utf8").trim());
    const name = Number.isInteger(pid) && readFileSync(join(root, `/proc/${pid}/comm`), "utf8");
    if (pid > 1 && name && name.trim() === "opensm") return pid;
  } catch (cause) {
    throw refuse("unavailable", "opensm does not run: its pid file names no process", { cause });
  }
  throw refuse("unavailable", "opensm does not run: its pid file names another process");
}

interface Place {
  readonly guid: Guid;
  readonly lid: string;
  readonly port: string;
}

async function readPorts({ outside, deadlineMs }: OpenSmOptions): Promise<FabricReading> {
  const places = adapterPorts(await outside.exec("ibnetdiscover", ["--ports"], deadlineMs));
  const ports: FabricPort[] = [];
  const unread: FabricReading["unread"][number][] = [];
  const waiting = places.values();
  let hung = 0;
  const ask = async () => {
    for (const { guid, lid, port } of waiting) {
      try {
        if (hung >= HUNG_MAX) throw refuse("unavailable", "too many others hang");
        const text = await outside.exec("smpquery", ["pkeys", lid, port], deadlineMs);
        ports.push({ guid, pkeys: partitionKeys(text) });
      } catch (thrown) {
        const { code, message } = asRailyardError(thrown);
        if (code === "deadline") hung += 1;
        unread.push({ guid, message });
      }
    }
  };
  await Promise.all(Array.from({ length: ASKED_MAX }, ask));
  return { ports, unread };
}

/** Where each adapter port is reached. Throws `unavailable` for a list that cannot be true. */
export function adapterPorts(text: string): readonly Place[] {
  const places = text.split("\n").flatMap((line): Place[] => {
    const [, lid, port, guid] = ADAPTER_PORT.exec(line) ?? [];
    return lid && port && guid ? [{ guid, lid, port }] : [];
  });
  if (places.length > PORTS_MAX) throw refuse("unavailable", "the fabric tells of too many ports");
  const guids = new Set(places.map(({ guid }) => guid));
  if (guids.size !== places.length) throw refuse("unavailable", "two ports have the same GUID");
  return places;
}

/** The keys of a table that was told in full; empty entries are left out. */
export function partitionKeys(text: string): readonly number[] {
  const rows = text.split("\n").flatMap((line) => KEY_ROW.exec(line)?.[1] ?? []);
  const keys = rows.flatMap((row) => row.trim().split(" ").map(Number));
  const capacity = Number(CAPACITY.exec(text)?.[1] ?? Number.NaN);
  if (keys.length < capacity || keys.length >= capacity + KEYS_PER_ROW || rows.length === 0) {
    throw refuse("unavailable", "smpquery did not tell the whole partition table");
  }
  return keys.filter((key) => (key & 0x7fff) !== 0);
}
