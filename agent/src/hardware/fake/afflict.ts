// Lets the device rules of a made-up machine take hold, and undoes them once they are gone. What a
// cable is plugged into is told by the tool that is asked for it.
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { driverOf, release } from "./drivers.js";
import { countFired, type DeviceEffect, type DeviceRule, deviceRules } from "./faults.js";
import { restoreLink, spoilLink, turnLink } from "./links.js";
import { goneDir, type Machine, readJson, writeJson } from "./machine.js";
import { vitalProductData } from "./nic.js";
import { removeVfs, setNumVfs } from "./sriov.js";
import { DEVICES, directoryOf, get, makeDir, NET, put, putBytes, writeConfig } from "./tree.js";

type Kind = DeviceEffect["kind"];

const PRODUCT_SERIAL = "/sys/class/dmi/id/product_serial";

/** One device rule in force, and what must be known to undo it. */
interface Affliction {
  readonly kind: Kind;
  readonly device: string;
  readonly before: string;
}

/** Brings the tree in line with the device rules. Cheap when there are none. */
export function afflict(machine: Machine): void {
  const path = afflictionsPath(machine);
  const rules = deviceRules(machine);
  const standing = readJson<Affliction[]>(path) ?? [];
  if (rules.length === 0 && standing.length === 0) return;
  const stays = standing.filter((one) => rules.some((rule) => isFor(rule, one)));
  for (const one of standing) if (!stays.includes(one)) undo(machine, one);
  const fresh = rules.filter((rule) => !stays.some((one) => isFor(rule, one)));
  const added = fresh.flatMap((rule) => {
    const before = inflict(machine, rule.effect, rule.device);
    if (before === undefined) return [];
    countFired(machine, rule.id);
    return { kind: rule.effect.kind, device: rule.device, before };
  });
  if (added.length > 0 || stays.length < standing.length) writeJson(path, [...stays, ...added]);
}

/** Turns over what flaps; once per look at the machine. */
export function flap(machine: Machine): void {
  const standing = readJson<Affliction[]>(afflictionsPath(machine)) ?? [];
  for (const { kind, device, before } of standing) {
    if (kind === "link-flaps") turnLink(machine, device, before);
  }
}

function afflictionsPath({ dir }: Machine): string {
  return join(dir, "afflictions.json");
}

function isFor(rule: DeviceRule, one: Affliction): boolean {
  return rule.effect.kind === one.kind && rule.device === one.device;
}

// Returns what was there before; undefined when there is no such device.
function inflict(machine: Machine, effect: DeviceEffect, device: string): string | undefined {
  const { root } = machine;
  switch (effect.kind) {
    case "link-down":
      return spoilLink(machine, device);
    case "link-slow":
      return spoilLink(machine, device, effect.speedMbps);
    case "link-flaps":
      return existsSync(join(root, NET, device)) ? get(root, `${NET}/${device}/speed`) : undefined;
    case "cable":
    case "vf-missing":
      return "";
    case "serial":
      return inflictSerial(machine, device, effect.serial);
    default:
      return inflictFunction(machine, effect, device);
  }
}

function inflictFunction(
  machine: Machine,
  effect: Extract<DeviceEffect, { kind: "vanish" | "dead" | "vf-count" }>,
  address: string,
): string | undefined {
  const { root } = machine;
  if (existsSync(join(goneDir(machine), address))) return "";
  if (!existsSync(join(root, DEVICES, address))) return undefined;
  if (effect.kind === "vf-count") {
    removeVfs(machine, address);
    setNumVfs(machine, { address, inUse: new Set() }, effect.count);
  } else if (effect.kind === "dead") writeConfig(root, directoryOf(root, address), "dead");
  else vanish(machine, address);
  return "";
}

function inflictSerial(machine: Machine, device: string, serial: string): string | undefined {
  const { root } = machine;
  if (device === "machine") {
    const before = get(root, PRODUCT_SERIAL);
    put(root, PRODUCT_SERIAL, serial);
    return before;
  }
  if (!existsSync(join(root, DEVICES, device))) return undefined;
  const path = `${directoryOf(root, device)}/vpd`;
  const before = readFileSync(join(root, path)).toString("base64");
  putBytes(root, path, vitalProductData(serial));
  return before;
}

function undo(machine: Machine, one: Affliction): void {
  const { root } = machine;
  const { kind, device, before } = one;
  if (kind === "link-down" || kind === "link-slow" || kind === "link-flaps") {
    restoreLink(machine, device, before);
  } else if (kind === "serial" && device === "machine") {
    put(root, PRODUCT_SERIAL, before);
  } else if (kind === "vanish") {
    comeBack(machine, device);
  } else if (existsSync(join(root, DEVICES, device))) {
    revive(machine, one);
  }
}

function revive({ root }: Machine, { kind, device, before }: Affliction): void {
  const dir = directoryOf(root, device);
  const id = (name: string) => get(root, `${dir}/${name}`).slice(2);
  if (kind === "serial") putBytes(root, `${dir}/vpd`, Buffer.from(before, "base64"));
  if (kind === "dead") writeConfig(root, dir, { vendor: id("vendor"), device: id("device") });
}

// The places on the bus and among the interfaces go; a PF takes its VFs along, and what a guest had
// is not given back to it.
function vanish(machine: Machine, address: string): void {
  const { root } = machine;
  const dir = directoryOf(root, address);
  makeDir(machine.dir, "gone/net");
  if (existsSync(join(root, dir, "sriov_numvfs"))) removeVfs(machine, address);
  if (existsSync(join(root, dir, "net"))) {
    for (const name of readdirSync(join(root, dir, "net"))) {
      renameSync(join(root, NET, name), join(goneDir(machine), "net", name));
    }
  }
  if (driverOf(root, address) === "vfio-pci") release(root, address);
  renameSync(join(root, DEVICES, address), join(goneDir(machine), address));
}

function comeBack(machine: Machine, address: string): void {
  const { root } = machine;
  const waiting = join(goneDir(machine), address);
  renameSync(waiting, join(root, DEVICES, address));
  const net = join(root, directoryOf(root, address), "net");
  if (!existsSync(net)) return;
  for (const name of readdirSync(net)) {
    renameSync(join(goneDir(machine), "net", name), join(root, NET, name));
  }
}
