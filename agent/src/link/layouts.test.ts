// Tests of when a layout is told: once, and again with new facts, another layout or a new welcome.
import type { InstanceFacts } from "@railyard/lib/attest";
import { expect, test } from "vitest";
import type { GuestView, InstanceReport } from "../model.js";
import { ToldLayouts } from "./layouts.js";

const VIEW: GuestView = {
  tree: [],
  ncclTopologyXml: "<system/>",
  ncclEnvironment: "",
  networkSettings: "",
  kernelSettings: "",
  qemuArguments: ["-device", "vfio-pci"],
};

function report(instanceId: string, view: GuestView | undefined, bootCount = 1): InstanceReport {
  const facts: InstanceFacts = {
    ...{ instanceId, bootCount, vcpu: 1, memoryMib: 1 },
    ...{ gpus: [], attachments: [] },
  };
  const rest = { reason: "", attachments: [], devices: [], failures: [] };
  return { instanceId, phase: "present", facts, view, ...rest };
}

test("a layout is told once for the same facts", () => {
  const told = new ToldLayouts();
  expect([...told.untold([report("a", VIEW)]).keys()]).toEqual(["a"]);
  expect(told.untold([report("a", VIEW)]).size).toBe(0);
  expect(told.untold([report("a", VIEW, 2)]).size).toBe(1);
  expect(told.untold([report("a", { ...VIEW, kernelSettings: "x" }, 2)]).size).toBe(1);
});

test("a new welcome, and an instance that was away, are told afresh", () => {
  const told = new ToldLayouts();
  told.untold([report("a", VIEW)]);
  told.forget();
  expect(told.untold([report("a", VIEW)]).size).toBe(1);
  told.untold([]);
  expect(told.untold([report("a", VIEW)]).size).toBe(1);
});

test("a guest that does not stand as desired has no layout to tell", () => {
  expect(new ToldLayouts().untold([report("a", undefined)]).size).toBe(0);
});

test("what does not fit into one report goes out with the next", () => {
  const told = new ToldLayouts();
  const large = { ...VIEW, networkSettings: "x".repeat(300_000) };
  const all = ["a", "b", "c"].map((id) => report(id, large));
  expect([...told.untold(all).keys()]).toEqual(["a"]);
  expect([...told.untold(all).keys()]).toEqual(["b"]);
  expect(told.hasMore).toBe(true);
  expect([...told.untold(all).keys()]).toEqual(["c"]);
  expect(told.hasMore).toBe(false);
  expect(told.untold(all).size).toBe(0);
});
