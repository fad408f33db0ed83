// Lets the device rules of a made-up machine take hold, and undoes them once they are gone:
// vanished functions, functions that read ones only, links without carrier.
import { existsSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { driverOf, release } from "./drivers.js";
import { countFired, type DeviceRule, readFaults } from "./faults.js";
import { goneDir, type Machine, readJson, writeJson } from "./machine.js";
import { removeVfs } from "./sriov.js";
import { DEVICES, directoryOf, get, makeDir, NET, put, writeConfig } from "./tree.js";

type Kind = DeviceRule["effect"]["kind"];

/** One device rule in force, and what must be known to undo it. */
interface Affliction {
  readonly kind: Kind;
  readonly device: string;
  readonly before: string;
}

/** Brings the tree in line with the device rules. Cheap when there are none. */
export function afflict(machine: Machine): void {
  const path = join(machine.dir, "afflictions.json");
  const rules = readFaults(machine).filter((rule) => "device" in rule);
  const standing = readJson<Affliction[]>(path) ?? [];
  if (rules.length === 0 && standing.length === 0) return;
  const stays = standing.filter((one) => rules.some((rule) => isFor(rule, one)));
  for (const one of standing) if (!stays.includes(one)) undo(machine, one);
  const fresh = rules.filter((rule) => !stays.some((one) => isFor(rule, one)));
  const added = fresh.flatMap((rule) => {
    const before = inflict(machine, rule.effect.kind, rule.device);
    if (before === undefined) return [];
    countFired(machine, rule.id);
    return { kind: rule.effect.kind, device: rule.device, before };
  });
  if (added.length > 0 || stays.length < standing.length) writeJson(path, [...stays, ...added]);
}

function isFor(rule: DeviceRule, one: Affliction): boolean {
  return rule.effect.kind === one.kind && rule.device === one.device;
}

// Returns what was there before; undefined when there is no such device.
function inflict(machine: Machine, kind: Kind, device: string): string | undefined {
  const { root } = machine;
  if (kind === "link-down") {
    const netdev = join(NET, device);
    if (!existsSync(join(root, netdev))) return undefined;
    const speed = get(root, `${netdev}/speed`);
    setLink(root, netdev, { carrier: "0", operstate: "down", speed: "-1" });
    return speed;
  }
  if (existsSync(join(goneDir(machine), device))) return "";
  if (!existsSync(join(root, DEVICES, device))) return undefined;
  if (kind === "dead") writeConfig(root, directoryOf(root, device), "dead");
  else vanish(machine, device);
  return "";
}

function undo(machine: Machine, { kind, device, before }: Affliction): void {
  const { root } = machine;
  if (kind === "link-down") {
    setLink(root, join(NET, device), { carrier: "1", operstate: "up", speed: before });
  } else if (kind === "vanish") {
    comeBack(machine, device);
  } else if (existsSync(join(root, DEVICES, device))) {
    const dir = directoryOf(root, device);
    const id = (name: string) => get(root, `${dir}/${name}`).slice(2);
    writeConfig(root, dir, { vendor: id("vendor"), device: id("device") });
  }
}

function setLink(
  root: string,
  netdev: string,
  shown: { readonly carrier: string; readonly operstate: string; readonly speed: string },
): void {
  if (!existsSync(join(root, netdev))) return;
  for (const [name, text] of Object.entries(shown)) put(root, `${netdev}/${name}`, text);
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
