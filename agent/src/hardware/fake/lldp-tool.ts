// Pretends to be lldpcli on a made-up machine: tells the cables of `machine.json`, as long as the
// link is up, in the shapes that the real tool uses.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { deviceRules } from "./faults.js";
import type { ToolOutcome } from "./ip-tool.js";
import { type Machine, readIdentity } from "./machine.js";
import { netdevName, nicAddress } from "./places.js";
import { get, NET } from "./tree.js";

/** Runs `lldpcli -f json show neighbors`, the only call it knows. */
export function runLldpcli(machine: Machine, args: readonly string[]): ToolOutcome {
  if (args.join(" ") !== "-f json show neighbors") return { complaint: "unknown command" };
  const identity = readIdentity(machine);
  if (identity === undefined) return { complaint: "no machine" };
  const moved = movedCables(machine);
  const seen = identity.cabling.flatMap((leaves, nic) =>
    leaves.flatMap((plugged, port): readonly object[] => {
      const name = netdevName(nicAddress(nic), port);
      const leaf = moved.get(name) ?? plugged;
      if (leaf === "" || !hasCarrier(machine, name)) return [];
      const neighbour = { via: "LLDP", chassis: chassis(leaf), port: portOf(identity.serial, nic) };
      return [{ [name]: neighbour }];
    }),
  );
  // The real tool shows a single neighbour as an object, several as a list.
  const shown = seen.length === 1 ? seen[0] : seen;
  return { output: JSON.stringify({ lldp: seen.length === 0 ? {} : { interface: shown } }) };
}

function movedCables(machine: Machine): ReadonlyMap<string, string> {
  return new Map(
    deviceRules(machine).flatMap(({ device, effect }) =>
      effect.kind === "cable" ? [[device, effect.leaf] as const] : [],
    ),
  );
}

function hasCarrier({ root }: Machine, name: string): boolean {
  const netdev = join(NET, name);
  return existsSync(join(root, netdev)) && get(root, `${netdev}/carrier`) === "1";
}

function chassis(leaf: string): object {
  return { [leaf]: { id: { type: "local", value: leaf }, descr: "leaf switch" } };
}

function portOf(serial: string, nic: number): object {
  return { id: { type: "ifname", value: `Ethernet${nic + 1}` }, descr: serial, ttl: "120" };
}
