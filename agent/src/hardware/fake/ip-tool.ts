// Pretends to be iproute2 on a made-up machine: `link set … vf …` and `-j -d link show`. Complaints
// are those of the real tool; undefined options are refused, so that a misspelt call is noticed.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CallEffect } from "./faults.js";
import type { Machine } from "./machine.js";
import { readVfRecords, type VfRecord, writeVfRecords } from "./sriov.js";
import { get, linkName, NET } from "./tree.js";

/** What the tool prints and, when it fails, complains about. */
export type ToolOutcome = { readonly output: string } | { readonly complaint: string };

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
const MULTICAST = 1;

/** Runs the pretended tool, with what a fault makes of it. */
export function runIp(
  machine: Machine,
  args: readonly string[],
  effect?: CallEffect["kind"],
): ToolOutcome {
  const [object, verb, dev, name = "", ...rest] = args.filter((arg) => !/^-[jd]$/.test(arg));
  if (object !== "link" || dev !== "dev") return { complaint: "Object is unknown" };
  if (!existsSync(join(machine.root, NET, name))) {
    return { complaint: `Device "${name}" does not exist.` };
  }
  if (verb === "show") return { output: JSON.stringify([show(machine, name)]) };
  if (verb === "set") return setVf(machine, name, afflicted(rest, effect));
  return { complaint: `Command "${verb}" is unknown, try "ip link help".` };
}

function afflicted(
  words: readonly string[],
  effect: CallEffect["kind"] | undefined,
): readonly string[] {
  if (effect === "half") return words.slice(0, words.length / 2);
  if (effect !== "wrong-vf") return words;
  const [vfWord = "", number = "", ...options] = words;
  return [vfWord, String(Number(number) ^ 1), ...options];
}

function show(machine: Machine, name: string): object {
  const { root } = machine;
  const shown = (file: string) => get(root, `${NET}/${name}/${file}`);
  const pf = linkName(root, `${NET}/${name}/device`);
  const records = readVfRecords(machine, pf);
  return {
    ifname: name,
    mtu: Number(shown("mtu")),
    operstate: shown("operstate").toUpperCase(),
    link_type: "ether",
    address: shown("address"),
    ...(records.length > 0 && { vfinfo_list: records.map(showVf) }),
  };
}

function showVf(record: VfRecord, vf: number): object {
  return {
    vf,
    link_type: "ether",
    address: record.mac,
    broadcast: "ff:ff:ff:ff:ff:ff",
    ...(record.vlan > 0 && { vlan_list: [{ vlan: record.vlan }] }),
    rate: { max_tx: record.maxTxRate, min_tx: record.minTxRate ?? 0 },
    spoofchk: record.spoofCheck,
    link_state: record.linkState ?? "auto",
    trust: record.trust,
    query_rss_en: false,
  };
}

function setVf(machine: Machine, name: string, words: readonly string[]): ToolOutcome {
  const [vfWord, number, ...options] = words;
  if (vfWord !== "vf") return { complaint: `Error: either "dev" is duplicate, or "${vfWord}"` };
  const pf = linkName(machine.root, `${NET}/${name}/device`);
  const records = readVfRecords(machine, pf);
  const record = records[Number(number)];
  if (record === undefined) return { complaint: "RTNETLINK answers: Invalid argument" };
  for (let i = 0; i + 1 < options.length; i += 2) {
    const complaint = setOption(record, options[i] ?? "", options[i + 1] ?? "");
    if (complaint !== undefined) return { complaint };
  }
  writeVfRecords(machine, pf, records);
  return { output: "" };
}

function setOption(record: VfRecord, option: string, value: string): string | undefined {
  if (option === "mac") {
    if (!MAC.test(value) || Number.parseInt(value.slice(0, 2), 16) & MULTICAST) {
      return `Invalid "mac" value "${value}"`;
    }
    record.mac = value.toLowerCase();
  } else if (option === "vlan" && Number(value) <= 4095) record.vlan = Number(value);
  else if (option === "max_tx_rate") record.maxTxRate = Number(value);
  else if (option === "min_tx_rate") record.minTxRate = Number(value);
  else if (option === "state") record.linkState = value;
  else if (option === "spoofchk") record.spoofCheck = value === "on";
  else if (option === "trust") record.trust = value === "on";
  else return `Invalid "${option}" value "${value}"`;
  return undefined;
}
