// Sets and reads VFs through iproute2. Checks every argument's shape before the tool may see it;
// knows the tool's words and its JSON, not why a setting is wanted.
import { invalidField, refuse } from "@railyard/lib/errors";
import type { VfStray } from "../../model/observed-vf.js";
import type { VfReading, VfSettings } from "../hardware.js";
import type { Outside } from "./outside.js";

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const VF_MAX = 1023;
const VLAN_MAX = 4094;
const RATE_MAX = 2 ** 32 - 1;

/**
 * Set only where it is read otherwise, since not every driver knows each. Trust is set anyway, and
 * a VLAN set without a word about its tag has no priority and is of 802.1Q.
 */
const SET_BACK: Readonly<Record<VfStray, readonly string[]>> = {
  state: ["state", "auto"],
  "min-rate": ["min_tx_rate", "0"],
  trust: [],
  "vlan-priority": [],
  "vlan-protocol": [],
};
const CUSTOMER_TAG = "802.1Q";

/** One object of the tool's JSON. */
type Told = Readonly<Record<string, unknown>>;

/** Which VF of which physical function. */
export interface VfPlace {
  readonly pfName: string;
  readonly vf: number;
}

/** Sets everything about one VF in one command; trust is always off. Errors: see `Hardware`. */
export async function setVf(
  outside: Outside,
  place: VfPlace & { readonly deadlineMs: number },
  settings: VfSettings,
): Promise<void> {
  await outside.exec("ip", setArguments(place, settings), place.deadlineMs);
}

/**
 * Shows all VFs of a physical function as its driver tells them, in VF order. What the tool said
 * last of each physical function is remembered: the same text means the same.
 */
export function vfsShower(
  outside: Outside,
  deadlineMs: number,
): (pfName: string) => Promise<readonly VfReading[]> {
  const known = new Map<string, { readonly text: string; readonly vfs: readonly VfReading[] }>();
  return async (pfName) => {
    checkName(pfName);
    const args = ["-j", "-d", "link", "show", "dev", pfName];
    const text = await outside.exec("ip", args, deadlineMs);
    const before = known.get(pfName);
    if (before?.text === text) return before.vfs;
    const vfs = parseVfs(text);
    known.set(pfName, { text, vfs });
    return vfs;
  };
}

/** The address that the hardware brought along, for an interface whose address was changed. */
export async function showPermanentMac(
  outside: Outside,
  name: string,
  deadlineMs: number,
): Promise<string> {
  checkName(name);
  const text = await outside.exec("ip", ["-j", "-d", "link", "show", "dev", name], deadlineMs);
  const link = parseLink(text);
  return String(link.permaddr ?? link.address ?? "").toLowerCase();
}

/** The arguments of `ip` for these settings. Throws `invalid` for a value of the wrong shape. */
export function setArguments({ pfName, vf }: VfPlace, settings: VfSettings): readonly string[] {
  checkName(pfName);
  checkNumber("vf", vf, VF_MAX);
  checkNumber("vlan", settings.vlan, VLAN_MAX);
  // Hardware that encapsulates by itself is nothing that this tool could set up.
  if (settings.pkey !== undefined) throw invalidField("pkey", "cannot be set on an ethernet vf");
  if (settings.vni !== undefined) throw invalidField("vni", "cannot be set on a vf");
  checkNumber("rateMbps", settings.rateMbps, RATE_MAX);
  if (!MAC.test(settings.mac)) {
    throw invalidField("mac", "must be six lower-case hexadecimal octets with colons");
  }
  const target = ["link", "set", "dev", pfName, "vf", String(vf)];
  const address = ["mac", settings.mac, "vlan", String(settings.vlan)];
  const rate = ["max_tx_rate", String(settings.rateMbps)];
  const trust = ["spoofchk", settings.spoofCheck ? "on" : "off", "trust", "off"];
  const back = (settings.astray ?? []).flatMap((stray) => SET_BACK[stray]);
  return [...target, ...address, ...rate, ...trust, ...back];
}

/** Reads `vfinfo_list` of `ip -j -d link show`; no list means no VFs. */
export function parseVfs(text: string): readonly VfReading[] {
  const list = parseLink(text).vfinfo_list;
  if (!Array.isArray(list)) return [];
  return list.map(readVf).sort((a, b) => a.vf - b.vf);
}

function readVf(entry: unknown): VfReading {
  const vf = record(entry);
  const tag = Array.isArray(vf.vlan_list) ? record(vf.vlan_list[0]) : vf;
  const astray = straysOf(vf, tag);
  // Older versions say `mac` and `tx_rate`, newer ones `address` and `rate.max_tx`.
  return {
    vf: number(vf.vf),
    mac: String(vf.address ?? vf.mac ?? "").toLowerCase(),
    vlan: number(tag.vlan),
    rateMbps: number(record(vf.rate).max_tx ?? vf.tx_rate),
    spoofCheck: vf.spoofchk === true || vf.spoofchk === "on",
    ...(astray.length > 0 && { astray }),
  };
}

/** Drivers that know no state, rate or trust tell none, nor does the tool of a plain tag. */
function straysOf(vf: Told, tag: Told): readonly VfStray[] {
  const protocol = tag.protocol ?? CUSTOMER_TAG;
  const strays: (readonly [VfStray, boolean])[] = [
    ["state", vf.link_state !== undefined && vf.link_state !== "auto"],
    ["min-rate", number(record(vf.rate).min_tx) > 0],
    ["trust", vf.trust === true || vf.trust === "on"],
    ["vlan-priority", number(tag.qos) > 0],
    ["vlan-protocol", String(protocol).toUpperCase() !== CUSTOMER_TAG],
  ];
  return strays.flatMap(([stray, is]) => (is ? [stray] : []));
}

function parseLink(text: string): Told {
  try {
    const links: unknown = JSON.parse(text);
    return record(Array.isArray(links) ? links[0] : undefined);
  } catch (cause) {
    throw refuse("unavailable", "ip did not answer in JSON", { cause });
  }
}

function record(value: unknown): Told {
  return isTold(value) ? value : {};
}

function isTold(value: unknown): value is Told {
  return typeof value === "object" && value !== null;
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function checkName(name: string): void {
  if (!NAME.test(name)) throw invalidField("pfName", "must be an interface name");
}

function checkNumber(field: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw invalidField(field, `must be a whole number from 0 to ${max}`);
  }
}
