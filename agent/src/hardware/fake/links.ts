// Links of a made-up machine as faults have them: down, slow, or now this and now that. Knows the
// interfaces' attributes, not what the faults are for.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./machine.js";
import { get, NET, put } from "./tree.js";

const DOWN = { carrier: "0", operstate: "down", speed: "-1" };

/** Returns the speed from before; undefined when there is no such interface. */
export function spoilLink(machine: Machine, name: string, speedMbps = 0): string | undefined {
  if (!existsSync(join(machine.root, NET, name))) return undefined;
  const before = get(machine.root, `${NET}/${name}/speed`);
  const slow = { carrier: "1", operstate: "up", speed: String(speedMbps) };
  setLink(machine, name, speedMbps > 0 ? slow : DOWN);
  return before;
}

export function restoreLink(machine: Machine, name: string, speed: string): void {
  setLink(machine, name, { carrier: "1", operstate: "up", speed });
}

/** Turns a flapping link over. `speed`: what it shows while it is up. */
export function turnLink(machine: Machine, name: string, speed: string): void {
  const carrier = `${NET}/${name}/carrier`;
  if (!existsSync(join(machine.root, carrier))) return;
  if (get(machine.root, carrier) === "1") spoilLink(machine, name);
  else restoreLink(machine, name, speed);
}

function setLink(
  { root }: Machine,
  name: string,
  shown: { readonly carrier: string; readonly operstate: string; readonly speed: string },
): void {
  if (!existsSync(join(root, NET, name))) return;
  for (const [file, text] of Object.entries(shown)) put(root, `${NET}/${name}/${file}`, text);
}
