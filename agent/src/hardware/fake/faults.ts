// Fault rules of a made-up machine: which calls or devices they hit, what they do, how often. They
// stand in files of the machine's directory, so that they outlive the agent and can be set from
// outside.
import { join } from "node:path";
import { refuse } from "@railyard/lib/errors";
import { type Machine, machineIn, readJson, writeJson } from "./machine.js";

/** What happens to a call instead of, or before, what it asks for. */
export type CallEffect =
  | { readonly kind: "fail"; readonly message?: string }
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "hang" }
  /** The call says that it succeeded, and nothing is done. */
  | { readonly kind: "drop" }
  /** Only the first half of the settings of one `ip link set` takes hold, then it fails. */
  | { readonly kind: "half" };

/**
 * A rule for calls. A call is a line such as `ip link set dev enp22s0np0 vf 3 mac …`,
 * `write /sys/bus/pci/devices/0000:17:00.0/sriov_numvfs 16`, `guest start ins-1` or `guest list`.
 */
export interface CallRule {
  readonly id: string;
  /** Regular expression searched in the call's line. */
  readonly call: string;
  readonly effect: CallEffect;
  /** How many calls it hits; absent: every one. */
  readonly times?: number;
}

/** A rule for a device, in force for as long as it stands in the file. */
export interface DeviceRule {
  readonly id: string;
  /** PCI address, or for `link-down` an interface name. */
  readonly device: string;
  /** Gone from the bus, reading ones only, or without carrier. */
  readonly effect: { readonly kind: "vanish" | "dead" | "link-down" };
}

export type FaultRule = CallRule | DeviceRule;

/** The rules in force for the machine in `dir`. */
export function readFaults(machine: Machine): readonly FaultRule[] {
  const rules = readJson<{ rules: readonly FaultRule[] }>(rulesPath(machine))?.rules ?? [];
  for (const rule of rules) {
    if ("device" in rule || isExpression(rule.call)) continue;
    throw refuse("precondition", `fault rule ${rule.id}: call is no regular expression`);
  }
  return rules;
}

/** Replaces all rules of the machine in `dir`; counts of rules already there go on. */
export function setFaults(dir: string, rules: readonly FaultRule[]): void {
  writeJson(rulesPath(machineIn(dir)), { rules });
}

/** How often each rule fired, by rule id. */
export function firedFaults(dir: string): Readonly<Record<string, number>> {
  return readJson<Record<string, number>>(firedPath(machineIn(dir))) ?? {};
}

/** The effect of the first rule that hits this call, which is counted; undefined when none does. */
export function strike(machine: Machine, line: string): CallEffect | undefined {
  const rules = readFaults(machine);
  if (rules.length === 0) return undefined;
  const fired = firedFaults(machine.dir);
  for (const rule of rules) {
    if ("device" in rule || !new RegExp(rule.call).test(line)) continue;
    if ((fired[rule.id] ?? 0) >= (rule.times ?? Number.POSITIVE_INFINITY)) continue;
    countFired(machine, rule.id);
    return rule.effect;
  }
  return undefined;
}

export function countFired(machine: Machine, id: string): void {
  const fired = firedFaults(machine.dir);
  writeJson(firedPath(machine), { ...fired, [id]: (fired[id] ?? 0) + 1 });
}

function rulesPath(machine: Machine): string {
  return join(machine.dir, "faults.json");
}

function firedPath(machine: Machine): string {
  return join(machine.dir, "faults-fired.json");
}

function isExpression(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    // Its message would tell no more than that.
    return false;
  }
}
