// Faults of the desired state as rules of a made-up machine. The translation is pure but for the
// one fault that is no rule: a restart, which happens once.
import { join } from "node:path";
import type { InjectedFault } from "../../model/fault.js";
import { type CallRule, type DeviceRule, type FaultRule, setInjected } from "./faults.js";
import {
  type Machine,
  type MachineIdentity,
  readIdentity,
  readJson,
  writeJson,
} from "./machine.js";
import { findModel, type HardwareModel } from "./models.js";
import { gpuAddress, netdevName, nicAddress } from "./places.js";

const SLOW_SHARE = 0.5;
const UNKNOWN_LEAF = "leaf-unknown";
const NO_MAC = "00:00:00:00:00:00";

/** The outside call that each kind of step is made of. */
const STEP_CALLS: Readonly<Record<string, string>> = {
  "stop-guest": "^guest stop ",
  "unbind-device": "^write \\S+/drivers/vfio-pci/unbind ",
  "clear-vf": `^ip link set dev \\S+ vf \\d+ mac ${NO_MAC} `,
  "create-vfs": "^write \\S+/sriov_numvfs ",
  "configure-vf": `^ip link set dev \\S+ vf \\d+ mac (?!${NO_MAC})`,
  "bind-device": "^write \\S+/drivers/vfio-pci/bind ",
  "activate-partition": "^fmpm -a ",
  "deactivate-partition": "^fmpm -d ",
  "start-guest": "^guest start ",
  "reboot-guest": "^guest reboot ",
};
const ANY_STEP = "^(write |ip link set |fmpm -[ad] |guest (start|stop|reboot) )";
const NO_CALL = "(?!)";

/**
 * Brings the machine's rules in line with these faults, all of them; `restart` is called when one
 * that was not there before asks for it.
 */
export function inject(
  machine: Machine,
  faults: readonly InjectedFault[],
  restart: () => void,
): void {
  const identity = readIdentity(machine);
  const model = identity && findModel(identity.model);
  if (!model) return;
  setInjected(
    machine,
    faults.flatMap((fault) => rulesFor(fault, { model, identity })),
  );
  const path = join(machine.dir, "faults-restarts.json");
  const before = readJson<readonly string[]>(path) ?? [];
  const wanted = faults.filter(({ kind }) => kind === "machine-reboots").map(({ id }) => id);
  if (wanted.join() === before.join()) return;
  // Noted first: a process killed in between restarts the machine once too little, never twice.
  writeJson(path, wanted);
  if (wanted.some((id) => !before.includes(id))) restart();
}

interface Made {
  readonly model: HardwareModel;
  readonly identity: MachineIdentity;
}

/** The rules that make one fault; none for those that are no matter of devices and calls. */
function rulesFor(fault: InjectedFault, made: Made): readonly FaultRule[] {
  const { portSpeedMbps } = made.model.nic;
  switch (fault.kind) {
    case "vf-dropped": {
      const { vfIndex: vf } = fault;
      const effect = { kind: "vf-missing", ...(vf !== undefined && { vf }) } as const;
      return onDevices(fault, nicsOf(fault, made).map(nicAddress), effect);
    }
    case "vf-swapped":
      return [swap(fault, made)];
    case "link-down":
      return onDevices(fault, portsOf(fault, made), { kind: "link-down" });
    case "link-slow": {
      const speedMbps = portSpeedMbps * SLOW_SHARE;
      return onDevices(fault, portsOf(fault, made), { kind: "link-slow", speedMbps });
    }
    case "gpu-lost":
      return onDevices(fault, gpusOf(fault, made), { kind: "vanish" });
    case "wrong-neighbour":
      return nicsOf(fault, made).flatMap((nic) => cabled(fault, nic, made));
    case "apply-fails":
      return [onStep(fault, { kind: "fail", message: "an injected fault" })];
    case "apply-hangs":
      return [onStep(fault, { kind: "hang" })];
    case "guest-crashes":
      return [{ ...onCall(fault, "^guest runs "), effect: { kind: "crash" } }];
    case "machine-hangs":
    case "machine-reboots":
      return [];
  }
}

function onDevices(
  { id }: InjectedFault,
  devices: readonly string[],
  effect: DeviceRule["effect"],
): readonly FaultRule[] {
  return devices.map((device) => ({ id: `${id} ${device}`, device, effect }));
}

function onCall({ id, times }: InjectedFault, call: string): Omit<CallRule, "effect"> {
  return { id, call, ...(times !== undefined && { times }) };
}

function onStep(fault: InjectedFault, effect: CallRule["effect"]): CallRule {
  const { step } = fault;
  if (step === "") return { ...onCall(fault, ANY_STEP), effect, sticks: true };
  return { ...onCall(fault, STEP_CALLS[step] ?? NO_CALL), effect };
}

/** A VF and its neighbour: 0 and 1, 2 and 3, … */
function swap(fault: InjectedFault, made: Made): CallRule {
  const { vfIndex } = fault;
  const vf = vfIndex === undefined ? "\\d+" : `(${vfIndex}|${vfIndex ^ 1})`;
  const call = `^ip link set dev (${portsOf(fault, made).join("|")}) vf ${vf} `;
  return { ...onCall(fault, call), effect: { kind: "wrong-vf" } };
}

/** The NIC's first port where the next NIC's should be. */
function cabled(fault: InjectedFault, nic: number, made: Made): readonly FaultRule[] {
  const { cabling } = made.identity;
  const [own] = cabling[nic] ?? [];
  const [next] = cabling[(nic + 1) % cabling.length] ?? [];
  const leaf = next === undefined || next === own ? UNKNOWN_LEAF : next;
  return onDevices(fault, [netdevName(nicAddress(nic), 0)], { kind: "cable", leaf });
}

function gpusOf({ gpuIndex }: InjectedFault, { model }: Made): readonly string[] {
  const all = Array.from({ length: pairsOf(model) }, (_, pair) => gpuAddress(pair)).sort();
  return gpuIndex === undefined ? all : all.slice(gpuIndex, gpuIndex + 1);
}

/** NICs by their place among the switches, which is the rail that they are cabled to. */
function nicsOf({ rail }: InjectedFault, { model }: Made): readonly number[] {
  const all = Array.from({ length: pairsOf(model) }, (_, nic) => nic);
  return rail === undefined ? all : all.slice(rail, rail + 1);
}

function portsOf(fault: InjectedFault, made: Made): readonly string[] {
  const ports = Array.from({ length: made.model.nic.ports }, (_, port) => port);
  return nicsOf(fault, made).flatMap((nic) => ports.map((p) => netdevName(nicAddress(nic), p)));
}

function pairsOf({ sockets, switchesPerSocket }: HardwareModel): number {
  return sockets * switchesPerSocket;
}
