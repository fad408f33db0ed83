// What the host is called, for people to read: CPU, memory, operating system, board. Nothing may be
// decided by it. The library runs small commands through a shell, so only these five of its calls
// are allowed, and it is used nowhere else.
import { type Clock, withDeadline } from "@railyard/lib/clock";
import { baseboard, cpu, mem, osInfo, system } from "systeminformation";

const DEADLINE_MS = 10_000;

/** Texts for display; empty for what is not told. */
export interface HostDisplay {
  readonly cpu: string;
  readonly memoryMib: number;
  readonly os: string;
  readonly kernel: string;
  readonly system: string;
  readonly board: string;
}

/** Asks this machine once. Errors: `deadline`. */
export async function readHostDisplay(clock: Clock): Promise<HostDisplay> {
  const asked = Promise.all([cpu(), mem(), osInfo(), system(), baseboard()]);
  const limit = { ms: DEADLINE_MS, what: "description of the host" };
  const [processor, memory, os, machine, board] = await withDeadline(clock, limit, asked);
  return {
    cpu: words(processor.manufacturer, processor.brand),
    memoryMib: Math.floor(memory.total / 2 ** 20),
    os: words(os.distro, os.release),
    kernel: words(os.kernel),
    system: words(machine.manufacturer, machine.model),
    board: words(board.manufacturer, board.model),
  };
}

// The library passes firmware texts on as they are.
function words(...parts: readonly unknown[]): string {
  const texts = parts.map((part) => String(part ?? "").replace(/[^ -~]/g, " "));
  return texts
    .map((text) => text.trim())
    .filter((text) => text !== "" && text !== "-")
    .join(" ");
}
