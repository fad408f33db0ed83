// Asks which switch stands at the other end of each cable: lldpd for Ethernet, the switch itself
// for InfiniBand. Knows the tools' formats, not what the names mean.
import { refuse } from "@railyard/lib/errors";
import type { RdmaDevice } from "../hardware.js";
import type { Outside } from "./outside.js";

/** No declared switch has a longer name. */
const NAME_LENGTH_MAX = 128;
/** Of what a neighbour calls itself: what moves a terminal's cursor, or turns text around. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** Switch name by the name of what the cable is plugged into. */
export type Cables = ReadonlyMap<string, string>;

/** By interface name; an interface with several neighbours, or none, is absent. */
export async function readNeighbours(outside: Outside, deadlineMs: number): Promise<Cables> {
  return parseNeighbours(
    await outside.exec("lldpcli", ["-f", "json", "show", "neighbors"], deadlineMs),
  );
}

/**
 * By `<RDMA device>/<port>`, for the active InfiniBand ports. Errors: as `Outside.exec`; a machine
 * without such ports asks no tool.
 */
export async function readInfinibandNeighbours(
  outside: Outside,
  devices: readonly RdmaDevice[],
  deadlineMs: number,
): Promise<Cables> {
  const ports = devices.flatMap(({ name, ports }) =>
    ports.filter((p) => p.infiniband && p.active).map(({ port }) => ({ name, port })),
  );
  const seen = ports.map(async ({ name, port }) => {
    // A directed route of one hop out of this port ends at whatever the cable ends at.
    const where = ["-C", name, "-P", String(port), "-D"];
    const text = await outside.exec("smpquery", [...where, "nodedesc", `0,${port}`], deadlineMs);
    return [cableOf(name, port), parseNodeDescription(text)] as const;
  });
  return new Map(await Promise.all(seen));
}

/** The device with its ports' neighbours as `cables` tell. */
export function withNeighbours(device: RdmaDevice, cables: Cables): RdmaDevice {
  const ports = device.ports.map((port) => {
    return { ...port, neighbour: cables.get(cableOf(device.name, port.port)) ?? "" };
  });
  return { ...device, ports };
}

function cableOf(name: string, port: number): string {
  return `${name}/${port}`;
}

/**
 * Reads smpquery's `Node Description:....<text>`. Managed switches describe themselves as
 * `MF0;<name>:<model>/U1`, of which the name is the switch's; others by any text.
 */
export function parseNodeDescription(text: string): string {
  const description = /^Node Description:\.*(.*)$/m.exec(text)?.[1]?.trim() ?? "";
  return plain(/^MF\d+;([^:]+):/.exec(description)?.[1] ?? description);
}

/** Reads lldpcli's JSON, which shows one interface as an object and several as a list. */
export function parseNeighbours(text: string): Cables {
  const seen = new Map<string, string>();
  const crowded = new Set<string>();
  for (const [name, details] of listOf(parse(text)).flatMap((entry) => Object.entries(entry))) {
    if (seen.has(name)) crowded.add(name);
    seen.set(name, plain(chassisName(details)));
  }
  // Two neighbours on one cable means an unmanaged switch between: which one it is cannot be told.
  for (const name of crowded) seen.delete(name);
  return seen;
}

function plain(name: string): string {
  return name.replace(UNPRINTABLE, "?").slice(0, NAME_LENGTH_MAX);
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
