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
  /** Only the first half of one call's settings, or of its VFs, takes hold, then it fails. */
  | { readonly kind: "half" }
  /** `ip link set … vf` sets the neighbouring VF instead: 0 and 1 change places, 2 and 3, … */
  | { readonly kind: "wrong-vf" }
  /** A guest that runs stops by itself. */
  | { readonly kind: "crash" };

/**
 * A rule for calls. A call is a line such as `ip link set dev enp22s0np0 vf 3 mac …`,
 * `write /sys/bus/pci/devices/0000:17:00.0/sriov_numvfs 16`, `guest start ins-1` or `guest list`;
 * `guest runs ins-1` for each guest that is found running.
 */
export interface CallRule {
  readonly id: string;
  /** Regular expression searched in the call's line. */
  readonly call: string;
  readonly effect: CallEffect;
  /** How many calls it hits; absent: every one. */
  readonly times?: number;
  /** Once it hit a call, it hits no other than the same again. */
  readonly sticks?: boolean;
}

/** What is wrong with a device for as long as a rule says so. */
export type DeviceEffect =
  /** Gone from the bus, or reading ones only. */
  | { readonly kind: "vanish" | "dead" }
  /** Without carrier, or with and without it in turns, each time that the machine is read. */
  | { readonly kind: "link-down" | "link-flaps" }
  | { readonly kind: "link-slow"; readonly speedMbps: number }
  /** Plugged into another leaf switch; empty: into none. */
  | { readonly kind: "cable"; readonly leaf: string }
  /** Once, and again after each start: so many VFs that nobody asked for. */
  | { readonly kind: "vf-count"; readonly count: number }
  /** Whenever VFs are made: this one, or every one, is not, and nobody says so. */
  | { readonly kind: "vf-missing"; readonly vf?: number }
  /** Another serial in the firmware of the machine or of a NIC's board. */
  | { readonly kind: "serial"; readonly serial: string };

/** A rule for a device, in force for as long as it stands in the file. */
export interface DeviceRule {
  readonly id: string;
  /** PCI address; for links and cables an interface name; `machine` for its own serial. */
  readonly device: string;
  readonly effect: DeviceEffect;
  /** In force only once a call was made whose line this expression finds. */
  readonly after?: string;
}

export type FaultRule = CallRule | DeviceRule;

/** The rules in force for the machine in `dir`. */
export function readFaults(machine: Machine): readonly FaultRule[] {
  const rules = [...rulesOf(rulesPath(machine)), ...rulesOf(injectedPath(machine))];
  for (const rule of rules) {
    const expression = "device" in rule ? (rule.after ?? "") : rule.call;
    if (isExpression(expression)) continue;
    throw refuse("precondition", `fault rule ${rule.id}: call is no regular expression`);
  }
  return rules;
}

/** Replaces all rules of the machine in `dir`; counts of rules already there go on. */
export function setFaults(dir: string, rules: readonly FaultRule[]): void {
  writeJson(rulesPath(machineIn(dir)), { rules });
}

/** Replaces the rules that the desired state asks for; those set from outside stay beside them. */
export function setInjected(machine: Machine, rules: readonly FaultRule[]): void {
  const path = injectedPath(machine);
  if (JSON.stringify(rules) !== JSON.stringify(rulesOf(path))) writeJson(path, { rules });
}

/** How often each rule fired, by rule id. */
export function firedFaults(dir: string): Readonly<Record<string, number>> {
  return readJson<Record<string, number>>(firedPath(machineIn(dir))) ?? {};
}

/** The device rules in force. */
export function deviceRules(machine: Machine): readonly DeviceRule[] {
  const rules = readFaults(machine).filter((rule) => "device" in rule);
  if (rules.every((rule) => rule.after === undefined)) return rules;
  const fired = firedFaults(machine.dir);
  return rules.filter((rule) => rule.after === undefined || armedKey(rule) in fired);
}

/** Notes that a call was made, for the device rules that wait for it. */
export function arm(machine: Machine, line: string): void {
  for (const rule of readFaults(machine)) {
    if (!("device" in rule) || rule.after === undefined) continue;
    if (new RegExp(rule.after).test(line)) countFired(machine, armedKey(rule));
  }
}

function armedKey({ id }: DeviceRule): string {
  return `${id} armed`;
}

/** The effect of the first rule that hits this call, which is counted; undefined when none does. */
export function strike(machine: Machine, line: string): CallEffect | undefined {
  const rules = readFaults(machine);
  if (rules.length === 0) return undefined;
  const fired = firedFaults(machine.dir);
  for (const rule of rules) {
    if ("device" in rule || !new RegExp(rule.call).test(line)) continue;
    if ((fired[rule.id] ?? 0) >= (rule.times ?? Number.POSITIVE_INFINITY)) continue;
    if (rule.sticks && !isStuckTo(machine, rule.id, line)) continue;
    countFired(machine, rule.id);
    return rule.effect;
  }
  return undefined;
}

export function countFired(machine: Machine, id: string): void {
  const fired = firedFaults(machine.dir);
  writeJson(firedPath(machine), { ...fired, [id]: (fired[id] ?? 0) + 1 });
}

/** Whether the rule's first call was this one; a rule that hit none yet has it as its first. */
function isStuckTo(machine: Machine, id: string, line: string): boolean {
  const path = join(machine.dir, "faults-stuck.json");
  const stuck = readJson<Record<string, string>>(path) ?? {};
  if (stuck[id] === undefined) writeJson(path, { ...stuck, [id]: line });
  return (stuck[id] ?? line) === line;
}

function rulesOf(path: string): readonly FaultRule[] {
  return readJson<{ rules: readonly FaultRule[] }>(path)?.rules ?? [];
}

function injectedPath(machine: Machine): string {
  return join(machine.dir, "faults-injected.json");
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
