// Shows that injected faults reach made-up machines only, and that a real one says so.
import { expect, test } from "vitest";
import type { Hardware } from "../hardware/hardware.js";
import type { InjectedFault } from "../model/fault.js";
import type { Desired } from "../model.js";
import { injectFaults } from "./faults.js";

const FAULT: InjectedFault = { id: "flt-1", kind: "link-down", step: "" };
const desired = (faults: readonly InjectedFault[]): Desired => {
  return { epoch: 1n, generation: 1n, vfsPerNic: 0, instances: [], faults };
};

function machine(fake: boolean, told: (readonly InjectedFault[])[]): Hardware {
  const setFaults: Hardware["setFaults"] = async (faults) => void told.push(faults);
  return { fake, setFaults } as Partial<Hardware> as Hardware;
}

test("a made-up machine is told all faults, and that there are none any more", async () => {
  const told: (readonly InjectedFault[])[] = [];
  expect(await injectFaults(machine(true, told), undefined)).toEqual([]);
  expect(await injectFaults(machine(true, told), desired([FAULT]))).toEqual([]);
  expect(await injectFaults(machine(true, told), desired([]))).toEqual([]);
  expect(told).toEqual([[FAULT], []]);
});

test("a real machine is told nothing; its operator is warned", async () => {
  const told: (readonly InjectedFault[])[] = [];
  expect(await injectFaults(machine(false, told), desired([]))).toEqual([]);
  expect(await injectFaults(machine(false, told), desired([FAULT]))).toMatchObject([
    { kind: "faults-refused", deviceId: "" },
  ]);
  expect(told).toEqual([]);
});
