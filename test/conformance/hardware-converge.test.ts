// Proves that a made-up machine ends as desired whatever happened on the way: killed between any
// two calls, and through random desired states, faults, reboots and restarts.
import { rebootFakeMachine } from "@railyard/agent/hardware/fake/fake";
import { type FaultRule, setFaults } from "@railyard/agent/hardware/fake/faults";
import type { Hardware } from "@railyard/agent/hardware/hardware";
import { refuse } from "@railyard/lib/errors";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MachineBench, type Wish } from "./hardware-bench.js";

const CHANGES = /^(set|configure|bind|unbind|start|stop|reboot)/;

let bench: MachineBench;

beforeEach(async () => {
  bench = await MachineBench.make();
});

afterEach(() => bench.close());

const A: Wish = { id: "ins-a", pairs: [0], each: 2, boots: 1 };
const B: Wish = { id: "ins-b", pairs: [0, 1], each: 1, boots: 1 };

/** Dies at its `at`-th change: before it, or when it was done but nobody heard. Dead calls fail. */
function mortal(at: number, moment: "before" | "after"): Hardware & { readonly dead: boolean } {
  const hardware = bench.open();
  let changes = 0;
  let dead = false;
  const die = (): never => {
    dead = true;
    throw refuse("unavailable", "killed");
  };
  return new Proxy(hardware as Hardware & { readonly dead: boolean }, {
    get(target, name: keyof Hardware | "dead") {
      if (name === "dead") return dead;
      const method = target[name];
      if (typeof method !== "function") return method;
      return async (...args: never[]) => {
        if (dead) return die();
        const isFatal = CHANGES.test(name) && ++changes === at;
        if (isFatal && moment === "before") return die();
        const answer = await (method as (...all: never[]) => Promise<unknown>)(...args);
        return isFatal ? die() : answer;
      };
    },
  });
}

test.each(["before", "after"] as const)(
  "killed %s any change, it ends the same",
  async (moment) => {
    await bench.start();
    await bench.want([A]);
    await bench.until("the first", () => bench.isExactly([A]));
    await bench.want([B]);
    await bench.until("the second", () => bench.isExactly([B]));
    const { onVfio, vfs, addressed } = await bench.footprint();
    for (let at = 1, died = true; died; at++) {
      for (const wished of [A, B]) {
        await bench.stop();
        const hardware = mortal(at, moment);
        await bench.start(hardware);
        await bench.want([wished]);
        await bench.until("death", () => hardware.dead || bench.isExactly([wished]));
        died = hardware.dead;
        await bench.stop();
        await bench.start();
        await bench.until(`${wished.id} after ${at}`, () => bench.isExactly([wished]));
      }
      expect(await bench.footprint()).toMatchObject({ onVfio, vfs, addressed });
    }
  },
  60_000,
);

const wishes = fc
  .record({
    ids: fc.shuffledSubarray(["ins-a", "ins-b", "ins-c"], { minLength: 2, maxLength: 2 }),
    pairs: fc.constantFrom<number[][]>([], [[0]], [[1]], [[0], [1]], [[0, 1]], [[1, 0]]),
    each: fc.constantFrom(1, 2, 4),
    boots: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ ids, pairs, each, boots }) =>
    pairs.map((p, i): Wish => ({ id: ids[i]!, pairs: p, each, boots })),
  );

const call = fc.record({
  call: fc.constantFrom(
    "^ip link set",
    " vf 1 ",
    "^ip -j",
    "sriov_numvfs",
    "vfio-pci/bind",
    "vfio-pci/unbind",
    "reset",
    "driver_override",
    "guest start",
    "guest stop",
    "guest list",
    "guest reboot",
    "lldpcli",
  ),
  effect: fc.constantFrom(
    { kind: "fail" as const },
    { kind: "drop" as const },
    { kind: "hang" as const },
    { kind: "half" as const },
    { kind: "delay" as const, ms: 3_000 },
  ),
  times: fc.integer({ min: 1, max: 9 }),
});

const device = fc.record({
  kind: fc.constantFrom("vanish" as const, "dead" as const, "link-down" as const),
  index: fc.integer({ min: 0, max: 3 }),
});

const scene = fc.record({
  wishes,
  calls: fc.array(call, { maxLength: 3 }),
  devices: fc.array(device, { maxLength: 1 }),
  lastsMs: fc.constantFrom(0, 2_000, 40_000, 200_000),
  after: fc.constantFrom("go-on" as const, "restart" as const, "reboot" as const),
});
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

/** Rules of one scene; ids must be its own, since counts go on. */
function rulesOf({ calls, devices }: Scene, name: string): FaultRule[] {
  const { gpus, nics } = bench.inventory;
  const places = [...gpus, ...nics];
  return [
    ...calls.map((c, i) => ({ id: `${name}-${i}`, ...c })),
    ...devices.map(({ kind, index }) => {
      const nic = nics[index % nics.length]!;
      const id = `${name}-device`;
      if (kind === "link-down") return { id, device: nic.pfName, effect: { kind } };
      if (kind === "vanish") return { id, device: places[index]!.pciAddress, effect: { kind } };
      return { id, device: nic.pciAddress.replace(/0$/, "1"), effect: { kind } };
    }),
  ];
}

/** The story with boots that never fall: the controller only ever asks for more of them. */
function rising(story: readonly Scene[]): readonly Scene[] {
  const boots = new Map<string, number>();
  return story.map((one) => ({
    ...one,
    wishes: one.wishes.map((wish) => {
      const most = Math.max(wish.boots, boots.get(wish.id) ?? 0);
      boots.set(wish.id, most);
      return { ...wish, boots: most };
    }),
  }));
}

test("after random states, faults and restarts, observed is desired and nothing else", async () => {
  await bench.start();
  let scenes = 0;
  const play = async (told: readonly Scene[]) => {
    const story = rising(told);
    for (const one of story) {
      setFaults(bench.machineDir, rulesOf(one, `scene-${scenes++}`));
      await bench.want(one.wishes);
      await bench.pass(one.lastsMs);
      if (one.after === "go-on") continue;
      await bench.stop();
      if (one.after === "reboot") rebootFakeMachine(bench.machineDir);
      await bench.start();
    }
    setFaults(bench.machineDir, []);
    const end = story.at(-1)?.wishes ?? [];
    await bench.until("the desired state", () => bench.isExactly(end));
    await bench.want([]);
    await bench.until("nothing", () => bench.isExactly([]));
    expect(await bench.footprint()).toMatchObject({ onVfio: [], addressed: [], guests: [] });
  };
  const stories = fc.array(scene, { minLength: 1, maxLength: 4 });
  const limits = { numRuns: 25, interruptAfterTimeLimit: 8_000, endOnFailure: true };
  await fc.assert(fc.asyncProperty(stories, play), limits);
});
