// Mutates the way in which the agent applies, one step or one value at a time: whatever is left out
// or done otherwise while the hardware says yes, the instance is never attested, and it is once the
// mutation is gone.
import type { Hardware, VfSettings } from "@railyard/agent/hardware/hardware";
import type { GuestFunction, GuestSpec, Step } from "@railyard/agent/model";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MachineBench, type Wish } from "./hardware-bench.js";

const A: Wish = { id: "ins-a", pairs: [0, 1], each: 2, boots: 1 };
const REBOOTED: Wish = { ...A, boots: 2 };
const LESS: Wish = { id: "ins-a", pairs: [0], each: 2, boots: 1 };
/** On the same devices, with other addresses. */
const B: Wish = { ...A, id: "ins-b" };
/** Long enough for retries with their back-off, looked at in slices. */
const SLICES = 20;
const SLICE_MS = 6_000;

let bench: MachineBench;
let mutant: Partial<Hardware> = {};

beforeEach(() => openBench());

async function openBench(model?: string): Promise<void> {
  mutant = {};
  bench = await MachineBench.make(model);
  const real = bench.open();
  const chosen = new Proxy(real, {
    get: (_, name) => Reflect.get(mutant, name) ?? Reflect.get(real, name),
  });
  await bench.start(chosen);
}

afterEach(() => bench.close());

const nothing = async () => undefined;

/** What is wanted is not attested in all that time, and comes when the mutation is gone. */
async function neverUntilHealed(wishes: readonly Wish[]): Promise<void> {
  await bench.want(wishes);
  for (let i = 0; i < SLICES; i++) {
    await bench.pass(SLICE_MS);
    expect(bench.isExactly(wishes)).toBe(false);
  }
  mutant = {};
  await bench.until("what is wanted", () => bench.isExactly(wishes));
}

async function stands(wishes: readonly Wish[]): Promise<void> {
  await bench.want(wishes);
  await bench.until("the first", () => bench.isExactly(wishes));
}

interface Drop {
  /** Undefined: a machine that nobody used yet. */
  readonly before: readonly Wish[] | undefined;
  readonly wanted: readonly Wish[];
  readonly without: (real: Hardware) => Partial<Hardware>;
  /** Another machine than the usual one. */
  readonly model?: string;
}

const PARTED = {
  model: "mini-2gpu-nvswitch",
  without: () => ({ setPartition: nothing }),
};

const isVf = (address: string) => !address.endsWith(".0");

/** Per kind of step: what is changed, and the hardware that says yes and leaves it. */
const DROPS: Readonly<Record<Step["kind"], readonly Drop[]>> = {
  "create-vfs": [{ before: undefined, wanted: [A], without: () => ({ setVfCount: nothing }) }],
  "configure-vf": [{ before: [], wanted: [A], without: () => ({ configureVf: nothing }) }],
  "bind-device": [isVf, (address: string) => !isVf(address)].map((hits) => ({
    before: [],
    wanted: [A],
    without: ({ bindVfio }) => ({
      bindVfio: async (address: string) => (hits(address) ? undefined : bindVfio(address)),
    }),
  })),
  "activate-partition": [{ ...PARTED, before: [], wanted: [LESS] }],
  "deactivate-partition": [[], [A]].map((wanted) => ({ ...PARTED, before: [LESS], wanted })),
  "start-guest": [{ before: [], wanted: [A], without: () => ({ startGuest: nothing }) }],
  "reboot-guest": [{ before: [A], wanted: [REBOOTED], without: () => ({ rebootGuest: nothing }) }],
  "stop-guest": [[], [LESS], [B]].map((wanted) => ({
    before: [A],
    wanted,
    without: () => ({ stopGuest: nothing }),
  })),
  "unbind-device": [
    { before: [A], wanted: [], without: () => ({ unbindVfio: nothing }) },
    {
      before: [A],
      wanted: [B],
      without: ({ unbindVfio }) => ({
        unbindVfio: async (address: string) => (isVf(address) ? undefined : unbindVfio(address)),
      }),
    },
  ],
  "clear-vf": [{ before: [A], wanted: [], without: () => ({ configureVf: nothing }) }],
};

const CASES = Object.entries(DROPS).flatMap(([kind, drops]) =>
  drops.map((drop, i) => [`${kind} ${i + 1}`, drop] as const),
);

test.each(CASES)("without the step %s what is wanted is never attested", async (_, drop) => {
  if (drop.model) {
    await bench.close();
    await openBench(drop.model);
  }
  if (drop.before) await stands(drop.before);
  mutant = drop.without(bench.open());
  await neverUntilHealed(drop.wanted);
});

const WRONG_SETTINGS: readonly (readonly [string, (settings: VfSettings) => VfSettings])[] = [
  ["another mac", (s) => ({ ...s, mac: s.mac.replace(/..$/, "ee") })],
  ["no mac", (s) => ({ ...s, mac: "00:00:00:00:00:00" })],
  ["another vlan", (s) => ({ ...s, vlan: s.vlan + 1 })],
  ["no vlan", (s) => ({ ...s, vlan: 0 })],
  ["another rate", (s) => ({ ...s, rateMbps: s.rateMbps / 2 })],
  ["no rate", (s) => ({ ...s, rateMbps: 0 })],
  ["no spoof check", (s) => ({ ...s, spoofCheck: false })],
];

test.each(WRONG_SETTINGS)("a vf that is given %s is never attested", async (_, wrong) => {
  const { configureVf } = bench.open();
  mutant = {
    configureVf: (name, vf, settings) =>
      configureVf(name, vf, vf === 1 && settings.vlan > 0 ? wrong(settings) : settings),
  };
  await neverUntilHealed([A]);
});

test("settings that reach another vf are never attested", async () => {
  const { configureVf } = bench.open();
  mutant = { configureVf: (name, vf, settings) => configureVf(name, vf ^ 1, settings) };
  await neverUntilHealed([A]);
});

type Change = (spec: GuestSpec) => Partial<GuestSpec>;

const functions = (change: (all: readonly GuestFunction[]) => readonly GuestFunction[]): Change => {
  return (spec) => ({ functions: change(spec.functions) });
};

/** Functions 1 and 2 are VFs of the first GPU's NIC, 4 one of the second's. */
function swapped(a: number, b: number): Change {
  return functions((all) =>
    all.map((fn, i) => {
      const from = i === a ? b : i === b ? a : i;
      return { ...fn, hostAddress: all[from]?.hostAddress ?? "" };
    }),
  );
}

const WRONG_GUESTS: readonly (readonly [string, Change])[] = [
  ["two positions of one nic swapped", swapped(1, 2)],
  ["two positions of two nics swapped", swapped(2, 4)],
  ["the gpus swapped", swapped(0, 3)],
  ["a position missing", functions((all) => all.slice(0, -1))],
  ["no functions", functions(() => [])],
  ["a position elsewhere", functions((all) => all.map(elsewhere))],
  ["no addresses", () => ({ addresses: {} })],
  ["an address too few", ({ addresses }) => ({ addresses: fewer(addresses) })],
  ["fewer cpus", ({ vcpu }) => ({ vcpu: vcpu - 1 })],
  ["less memory", ({ memoryMib }) => ({ memoryMib: memoryMib - 1 })],
];

function elsewhere(fn: GuestFunction, at: number): GuestFunction {
  return at === 5 ? { ...fn, guestAddress: "0000:77:00.0" } : fn;
}

function fewer(addresses: GuestSpec["addresses"]): GuestSpec["addresses"] {
  return Object.fromEntries(Object.entries(addresses).slice(1));
}

test.each(WRONG_GUESTS)("a guest started with %s is never attested", async (_, change) => {
  const { startGuest } = bench.open();
  mutant = { startGuest: (spec) => startGuest({ ...spec, ...change(spec) }) };
  await neverUntilHealed([A]);
});
