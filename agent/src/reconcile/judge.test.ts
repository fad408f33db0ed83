// Tests of when a look is thought through anew, and when it means the same as the one before.
import { expect, test } from "vitest";
import type { Desired, Inventory, ObservedGuest } from "../model.js";
import { Judge } from "./judge.js";
import type { Reading } from "./observe.js";

const DESIRED: Desired = {
  ...{ epoch: 1n, generation: 1n, vfsPerNic: 0 },
  ...{ instances: [], faults: [], partitions: [] },
};
const NO_ENDS = new Map<string, string>();

function guest(change: Partial<ObservedGuest> = {}): ObservedGuest {
  const counts = { bootCount: 1, vcpu: 1, memoryMib: 1 };
  return { instanceId: "ins-1", running: true, ...counts, functions: [], addresses: {}, ...change };
}

function reading(
  change: { readonly guests?: readonly ObservedGuest[]; readonly inventory?: object } = {},
): Reading {
  const { guests = [guest()], inventory } = change;
  const none = { gpus: [], nics: [], pairs: [], warnings: [], nvSwitches: [] };
  const host = { serial: "S1", bootId: "b", numaCount: 1, vcpu: 8, memoryMib: 64, diskGib: 1 };
  const whole: Inventory = { ...host, ...none, fabricManager: false, ...inventory };
  const devices = { vfs: [], gpus: [], nvSwitches: [], partitions: [], problems: [] };
  return { inventory: whole, observed: { ...devices, guests } };
}

test("a machine that looks the same means the same, and is not thought through again", () => {
  const judge = new Judge();
  const first = judge.judge(DESIRED, reading(), NO_ENDS);
  expect(judge.judge(DESIRED, reading(), new Map())).toBe(first);
  expect(first.pending.map(({ kind }) => kind)).toContain("stop-guest");
});

const CHANGES: readonly (readonly [string, Parameters<Judge["judge"]>])[] = [
  ["other wishes", [{ ...DESIRED }, reading(), NO_ENDS]],
  ["a guest that ended", [DESIRED, reading({ guests: [guest({ running: false })] }), NO_ENDS]],
  ["a guest that is gone", [DESIRED, reading({ guests: [] }), NO_ENDS]],
  ["another machine", [DESIRED, reading({ inventory: { bootId: "c" } }), NO_ENDS]],
  ["how a guest ended", [DESIRED, reading(), new Map([["ins-1", "it crashed"]])]],
];

test.each(CHANGES)("%s is judged anew", (_, args) => {
  const judge = new Judge();
  const first = judge.judge(DESIRED, reading(), NO_ENDS);
  const second = judge.judge(...args);
  expect(second).not.toBe(first);
  expect(second).toEqual(new Judge().judge(...args));
});

test("ends that are noted later do not change what was judged before", () => {
  const judge = new Judge();
  const ends = new Map<string, string>();
  const first = judge.judge(DESIRED, reading(), ends);
  ends.set("ins-1", "it crashed");
  expect(judge.judge(DESIRED, reading(), ends)).not.toBe(first);
});
