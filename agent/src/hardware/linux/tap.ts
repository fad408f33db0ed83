// Makes and removes TAP interfaces and puts them into bridges, through iproute2. It knows neither
// guests nor networks.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { invalidField } from "@railyard/lib/errors";
import { readLink } from "./attributes.js";
import { NET } from "./net.js";
import type { Outside } from "./outside.js";

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const TOOL_DEADLINE_MS = 10_000;
const HASH_CHARS = 9;

/** Throws `invalid` for a name that no interface may have. */
export function checkInterface(field: string, name: string): void {
  if (!NAME.test(name)) throw invalidField(field, "must be an interface name");
}

/** Throws `invalid` for anything but six lower-case octets with colons. */
export function checkMac(mac: string): void {
  if (!MAC.test(mac)) throw invalidField("mac", "must be six lower-case octets with colons");
}

/** Whether an interface of that name is there. */
export function hasInterface(outside: Outside, name: string): boolean {
  return readLink(join(outside.root, NET, name)) !== undefined;
}

/** Runs one `ip link` command. */
export async function ipLink(outside: Outside, args: readonly string[]): Promise<void> {
  await outside.exec("ip", ["link", ...args], TOOL_DEADLINE_MS);
}

/** Makes a TAP unless it is there; a QEMU of user `uid` may then use it without further rights. */
export async function makeTap(outside: Outside, name: string, uid?: number): Promise<void> {
  checkInterface("tap", name);
  if (hasInterface(outside, name)) return;
  const owner = uid === undefined ? [] : ["user", String(uid)];
  const args = ["tuntap", "add", "dev", name, "mode", "tap", ...owner];
  await outside.exec("ip", args, TOOL_DEADLINE_MS);
}

/** Does nothing when there is none. */
export async function removeInterface(outside: Outside, name: string): Promise<void> {
  checkInterface("interface", name);
  if (hasInterface(outside, name)) await ipLink(outside, ["delete", "dev", name]);
}

/** The name of an instance's TAP, the same every time; 15 characters are all that Linux allows. */
export function vpcTapName(instanceId: string, index: number): string {
  const hash = createHash("sha256").update(instanceId).digest("hex").slice(0, HASH_CHARS);
  return `ryv${hash}${index}`;
}

export interface VpcPort {
  readonly tap: string;
  readonly bridge: string;
  readonly mac: string;
  readonly uid?: number;
}

/**
 * Puts a guest's VPC interface into the bridge: it may speak with its own MAC only, and to the
 * bridge's uplink only, not to guests beside it. Source: bridge(8), `locked` and `isolated`.
 */
export async function makeVpcPort(outside: Outside, port: VpcPort): Promise<void> {
  const { tap, bridge, mac, uid } = port;
  checkInterface("bridge", bridge);
  checkMac(mac);
  if (!hasInterface(outside, bridge)) {
    await ipLink(outside, ["add", "name", bridge, "type", "bridge"]);
    await ipLink(outside, ["set", "dev", bridge, "up"]);
  }
  await makeTap(outside, tap, uid);
  await ipLink(outside, ["set", "dev", tap, "master", bridge]);
  await outside.exec(
    "bridge",
    ["link", "set", "dev", tap, "learning", "off", "locked", "on", "isolated", "on"],
    TOOL_DEADLINE_MS,
  );
  const entry = ["fdb", "replace", mac, "dev", tap, "master", "static"];
  await outside.exec("bridge", entry, TOOL_DEADLINE_MS);
  await ipLink(outside, ["set", "dev", tap, "up"]);
}
