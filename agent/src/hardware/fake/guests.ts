// Pretends to run guests: each is a file below the made-up machine, which outlives the agent. It
// takes a function only from vfio-pci and only once, as the kernel would; nothing in it is computed
// from a wish.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Clock, sleep } from "@railyard/lib/clock";
import { invalidField, refuse } from "@railyard/lib/errors";
import type { GuestFunction, GuestSpec, ObservedGuest } from "../../model.js";
import type { Guests } from "../linux/guests.js";
import { PretendSerial } from "./console.js";
import { driverOf } from "./drivers.js";
import { strike } from "./faults.js";
import { guestsDir, type Machine, readJson, writeJson } from "./machine.js";
import { isOnBus } from "./tree.js";

/** A guest as its definition stands on disk. */
export interface GuestFile {
  readonly instanceId: string;
  readonly name: string;
  readonly bootCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly functions: readonly GuestFunction[];
  readonly addresses: Readonly<Record<string, string>>;
  /** Wall time from which it runs, milliseconds since 1970. */
  readonly runsFromMs: number;
  /** It stopped by itself, and stays so until it is started anew. */
  readonly crashed?: true;
}

const CRASHED = "the pretended guest crashed";
const ID = /^[-0-9A-Za-z_]{1,64}$/;

/** Guests of a made-up machine; each boot takes `bootMs`. */
export function pretendGuests(machine: Machine, clock: Clock, bootMs: number): Guests {
  const call = async (line: string, act: () => void) => {
    if (await survivesFaults(machine, clock, `guest ${line}`)) act();
  };
  const runsFromMs = () => clock.now() + bootMs;
  const guest = (id: string) => readJson<GuestFile>(pathOf(machine, id));
  const serial = new PretendSerial(clock, guest);
  return {
    async list() {
      const guests: ObservedGuest[] = [];
      await call("list", () => {
        const now = clock.now();
        guests.push(...readGuests(machine).map((guest) => observe(guest, { now, bootMs })));
      });
      for (const [at, guest] of guests.entries()) {
        if (!guest.running || !crashes(machine, guest.instanceId)) continue;
        serial.hangUp(guest.instanceId);
        guests[at] = { ...guest, running: false, ended: CRASHED };
      }
      return guests;
    },
    start: ({ desired: _, layout: __, ...spec }) =>
      call(`start ${spec.instanceId}`, () => startGuest(machine, spec, runsFromMs())),
    stop: (id) =>
      call(`stop ${id}`, () => {
        rmSync(pathOf(machine, id), { force: true });
        serial.hangUp(id);
      }),
    reboot: (id, bootCount) =>
      call(`reboot ${id} ${bootCount}`, () => {
        const guest = readJson<GuestFile>(pathOf(machine, id));
        if (guest === undefined) throw refuse("unavailable", `guest ${id} does not run`);
        const { crashed: _, ...defined } = guest;
        writeJson(pathOf(machine, id), { ...defined, bootCount, runsFromMs: runsFromMs() });
      }),
    console: async (id) => serial.reach(id),
  };
}

/** Guests over the devices of the machine that the agent runs on, kept as files in `dir`. */
export function pretendGuestsOn(dir: string, clock: Clock): Guests {
  return pretendGuests({ dir, root: "/" }, clock, 0);
}

/** All guests of the machine, in instance id order. */
function readGuests(machine: Machine): readonly GuestFile[] {
  const dir = guestsDir(machine);
  mkdirSync(dir, { recursive: true });
  const names = readdirSync(dir).filter((name) => name.endsWith(".json"));
  return names.sort().flatMap((name) => readJson<GuestFile>(join(dir, name)) ?? []);
}

/** Host addresses of all functions that guests hold. */
export function heldFunctions(machine: Machine): ReadonlySet<string> {
  return functionsOf(readGuests(machine));
}

function functionsOf(guests: readonly GuestFile[]): ReadonlySet<string> {
  return new Set(guests.flatMap((guest) => guest.functions.map((fn) => fn.hostAddress)));
}

/** Whether a fault has this running guest stop by itself; then it has. */
function crashes(machine: Machine, id: string): boolean {
  if (strike(machine, `guest runs ${id}`)?.kind !== "crash") return false;
  const path = pathOf(machine, id);
  writeJson(path, { ...readJson<GuestFile>(path), crashed: true });
  return true;
}

function startGuest(
  machine: Machine,
  spec: Omit<GuestSpec, "desired" | "layout">,
  runsFromMs: number,
): void {
  const path = pathOf(machine, spec.instanceId);
  const present = readJson<GuestFile>(path);
  if (present && !present.crashed) {
    if (present.bootCount === spec.bootCount) return;
    throw refuse("unavailable", `guest ${spec.instanceId} already runs`);
  }
  const others = readGuests(machine).filter((one) => one.instanceId !== spec.instanceId);
  const held = functionsOf(others);
  for (const { hostAddress } of spec.functions) {
    const free = isOnBus(machine.root, hostAddress) && !held.has(hostAddress);
    if (!free || driverOf(machine.root, hostAddress) !== "vfio-pci") {
      throw refuse("unavailable", `pci function ${hostAddress} cannot be given to a guest`);
    }
  }
  const { instanceId, name, bootCount, vcpu, memoryMib, functions, addresses } = spec;
  const guest = { instanceId, name, bootCount, vcpu, memoryMib, functions, addresses, runsFromMs };
  writeJson(path, guest satisfies GuestFile);
}

// A wall clock that went back, before the boot began, must not make a guest boot again.
function observe(
  { name: _, runsFromMs, crashed, ...guest }: GuestFile,
  { now, bootMs }: { readonly now: number; readonly bootMs: number },
): ObservedGuest {
  const functions = [...guest.functions].sort((a, b) =>
    a.guestAddress < b.guestAddress ? -1 : Number(a.guestAddress > b.guestAddress),
  );
  const booted = now >= runsFromMs || now < runsFromMs - bootMs;
  const seen = { ...guest, functions, running: booted && crashed !== true };
  return crashed ? { ...seen, ended: CRASHED } : seen;
}

// False when the call is to do nothing and say that it did.
async function survivesFaults(machine: Machine, clock: Clock, line: string): Promise<boolean> {
  const effect = strike(machine, line);
  if (effect?.kind === "delay") await sleep(clock, effect.ms);
  if (effect?.kind === "hang") await new Promise(() => {});
  if (effect?.kind === "fail" || effect?.kind === "half") {
    const message = effect.kind === "fail" ? effect.message : undefined;
    throw refuse("unavailable", `${line}: ${message ?? "failed"}`);
  }
  return effect?.kind !== "drop";
}

function pathOf(machine: Machine, instanceId: string): string {
  if (!ID.test(instanceId)) throw invalidField("instanceId", "must be an id");
  return join(guestsDir(machine), `${instanceId}.json`);
}
