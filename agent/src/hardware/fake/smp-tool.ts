// Pretends to be smpquery on a made-up machine: tells the switch at the other end of an InfiniBand
// cable of `machine.json`. It must not know any other fabric.
import type { ToolOutcome } from "./ip-tool.js";
import { type Machine, readIdentity } from "./machine.js";

const CALL = /^-C mlx5_(\d+) -P (\d+) -D nodedesc 0,(\d+)$/;

/** Runs `smpquery -C <device> -P <port> -D nodedesc 0,<port>`, the only call it knows. */
export function runSmpquery(machine: Machine, args: readonly string[]): ToolOutcome {
  const [, nic, port, hop] = CALL.exec(args.join(" ")) ?? [];
  if (nic === undefined || port !== hop) return { complaint: "unknown command" };
  const leaf = readIdentity(machine)?.cabling[Number(nic)]?.[Number(port) - 1] ?? "";
  if (leaf === "") return { complaint: "failed: can't resolve destination port" };
  return { output: `Node Description:${".".repeat(20)}MF0;${leaf}:MQM9700/U1\n` };
}
