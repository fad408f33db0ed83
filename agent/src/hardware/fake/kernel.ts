// The pretended kernel of a made-up machine: what attribute writes and tools do to the tree below
// it. Keeps nothing in memory: all state is in the machine's directory, as a real machine's is
// outside its agent.
import { type Clock, sleep, withDeadline } from "@railyard/lib/clock";
import type { RailyardError } from "@railyard/lib/errors";
import { commandLine, type Outside, toolFailed, writeRefused } from "../linux/outside.js";
import { afflict } from "./afflict.js";
import { bind, overrideDriver, unbind, type WriteOutcome } from "./drivers.js";
import { arm, type CallEffect, countFired, deviceRules, strike } from "./faults.js";
import { runFmpm } from "./fmpm-tool.js";
import { heldFunctions } from "./guests.js";
import { runIp, type ToolOutcome } from "./ip-tool.js";
import { runLldpcli } from "./lldp-tool.js";
import type { Machine } from "./machine.js";
import { runSmpquery } from "./smp-tool.js";
import { dropVfs, setNumVfs } from "./sriov.js";
import { directoryOf, hasAttribute, isOnBus, put } from "./tree.js";

const DEVICE_ATTRIBUTE = /^\/sys\/bus\/pci\/devices\/([^/]+)\/([^/]+)$/;
const GUID_ATTRIBUTE = /^\/sys\/bus\/pci\/devices\/[^/]+\/sriov\/\d+\/(node|port|policy)$/;
const DRIVER_ATTRIBUTE = /^\/sys\/bus\/pci\/drivers\/([^/]+)\/(bind|unbind)$/;

/** The made-up machine's side of the door. */
export function pretendKernel(machine: Machine, clock: Clock): Outside {
  return {
    root: machine.root,
    write(path, value, deadlineMs) {
      const what = `write to ${path}`;
      return withDeadline(clock, { ms: deadlineMs, what }, write(machine, clock, { path, value }));
    },
    exec(tool, args, deadlineMs) {
      const line = commandLine(tool, args);
      const failed = (complaint: string) => toolFailed(tool, args, complaint);
      const run: ToolCall["run"] = (effect) => {
        if (tool === "ip") return runIp(machine, args, effect);
        if (tool === "fmpm") return runFmpm(machine, args);
        if (tool === "smpquery") return runSmpquery(machine, args);
        return tool === "lldpcli" ? runLldpcli(machine, args) : { complaint: "is not installed" };
      };
      const result = call(machine, clock, { line, failed, run });
      return withDeadline(clock, { ms: deadlineMs, what: line }, result);
    },
  };
}

interface ToolCall {
  readonly line: string;
  readonly failed: (complaint: string) => RailyardError;
  readonly run: (effect: CallEffect["kind"] | undefined) => ToolOutcome;
}

async function call(machine: Machine, clock: Clock, tool: ToolCall): Promise<string> {
  afflict(machine);
  arm(machine, tool.line);
  const effect = strike(machine, tool.line);
  if (effect?.kind === "delay") await sleep(clock, effect.ms);
  if (effect?.kind === "hang") return never();
  if (effect?.kind === "drop") return "";
  if (effect?.kind === "fail") throw tool.failed(effect.message ?? "failed");
  const outcome = tool.run(effect?.kind);
  if ("complaint" in outcome) throw tool.failed(outcome.complaint);
  if (effect?.kind === "half") throw tool.failed("RTNETLINK answers: Input/output error");
  return outcome.output;
}

async function write(
  machine: Machine,
  clock: Clock,
  { path, value }: { readonly path: string; readonly value: string },
): Promise<void> {
  afflict(machine);
  const line = `write ${path} ${value.trim()}`;
  arm(machine, line);
  const effect = strike(machine, line);
  if (effect?.kind === "delay") await sleep(clock, effect.ms);
  if (effect?.kind === "hang") return never();
  if (effect?.kind === "drop") return;
  if (effect?.kind === "half") writeHalf(machine, path, value);
  if (effect?.kind === "fail" || effect?.kind === "half") throw writeRefused(path, "EIO");
  const outcome = setAttribute(machine, path, value);
  if (outcome === "hang") return never();
  if (outcome !== "ok") throw writeRefused(path, outcome);
}

// Of the attributes only the number of VFs has halves.
function writeHalf(machine: Machine, path: string, value: string): void {
  const half = String(Math.floor(Number(value) / 2));
  if (path.endsWith("/sriov_numvfs")) setAttribute(machine, path, half);
}

function makeVfs(machine: Machine, address: string, count: number): WriteOutcome {
  const outcome = setNumVfs(machine, { address, inUse: heldFunctions(machine) }, count);
  for (const { id, device, effect } of outcome === "ok" ? deviceRules(machine) : []) {
    if (effect.kind !== "vf-missing" || device !== address) continue;
    dropVfs(machine, address, effect.vf);
    if (count > 0) countFired(machine, id);
  }
  return outcome;
}

function setAttribute(machine: Machine, path: string, value: string): WriteOutcome {
  const [, driver, verb] = DRIVER_ATTRIBUTE.exec(path) ?? [];
  if (driver !== undefined) {
    const address = value.trim();
    if (verb === "bind") return bind(machine.root, driver, address);
    return unbind(machine.root, { driver, address }, heldFunctions(machine).has(address));
  }
  if (GUID_ATTRIBUTE.test(path)) return setGuid(machine, path, value.trim());
  const [, address = "", name] = DEVICE_ATTRIBUTE.exec(path) ?? [];
  if (!isOnBus(machine.root, address)) return "ENODEV";
  switch (name) {
    case "sriov_numvfs":
      return makeVfs(machine, address, Number(value));
    case "sriov_drivers_autoprobe":
      put(machine.root, `${directoryOf(machine.root, address)}/${name}`, value.trim());
      return "ok";
    case "driver_override":
      return overrideDriver(machine.root, address, value);
    case "reset":
      return "ok";
    default:
      return "EACCES";
  }
}

function setGuid({ root }: Machine, path: string, value: string): WriteOutcome {
  if (!hasAttribute(root, path)) return "ENODEV";
  const form = path.endsWith("/policy") ? /^(Down|Up|Follow)$/ : /^[0-9a-f]{2}(:[0-9a-f]{2}){7}$/;
  if (!form.test(value)) return "EINVAL";
  put(root, path, value);
  return "ok";
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
