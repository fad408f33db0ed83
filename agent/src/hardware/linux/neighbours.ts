// Asks lldpd which switch stands at the other end of each interface's cable. Knows lldpcli's JSON,
// not what the names mean.
import { refuse } from "@railyard/lib/errors";
import type { Outside } from "./outside.js";

/** Switch name by interface name; an interface with several neighbours, or none, is absent. */
export async function readNeighbours(
  outside: Outside,
  deadlineMs: number,
): Promise<ReadonlyMap<string, string>> {
  return parseNeighbours(
    await outside.exec("lldpcli", ["-f", "json", "show", "neighbors"], deadlineMs),
  );
}

/** Reads lldpcli's JSON, which shows one interface as an object and several as a list. */
export function parseNeighbours(text: string): ReadonlyMap<string, string> {
  const seen = new Map<string, string>();
  const crowded = new Set<string>();
  for (const [name, details] of listOf(parse(text)).flatMap((entry) => Object.entries(entry))) {
    if (seen.has(name)) crowded.add(name);
    seen.set(name, chassisName(details));
  }
  // Two neighbours on one cable means an unmanaged switch between: which one it is cannot be told.
  for (const name of crowded) seen.delete(name);
  return seen;
}

function parse(text: string): unknown {
  try {
    return field(field(JSON.parse(text), "lldp"), "interface");
  } catch (cause) {
    throw refuse("unavailable", "lldpcli did not answer in JSON", { cause });
  }
}

function listOf(value: unknown): readonly object[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((item): item is object => typeof item === "object" && item !== null);
}

// A chassis that tells its name is keyed by it; one that does not shows its fields at once.
function chassisName(details: unknown): string {
  const chassis = field(details, "chassis");
  const id = field(field(chassis, "id"), "value");
  if (typeof id === "string") return id;
  return typeof chassis === "object" && chassis !== null ? (Object.keys(chassis)[0] ?? "") : "";
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
