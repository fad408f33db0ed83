// Tests of NVSwitches: they go with an instance that has every GPU, are bound and taken back like
// other devices, and are no facts.
import { expect, test } from "vitest";
import { compileLayout } from "../layout/layout.js";
import type { DesiredInstance, GuestFunction, Inventory, Observed } from "../model.js";
import { type Situation, View } from "./diff/view.js";
import { diff } from "./diff.js";
import { findings } from "./report.js";

const LINKED = { linkSpeedGts: 32, linkWidth: 16, barBytes: 2 ** 24, numa: 0 };
const SWITCH = "0000:c0:00.0";

const INVENTORY: Inventory = {
  ...{ serial: "S1", bootId: "b", numaCount: 1, vcpu: 8, memoryMib: 1024, diskGib: 1 },
  gpus: [0, 1].map((k) => ({
    ...{ deviceId: `gpu-${k}`, pciAddress: `0000:0${k}:00.0`, pciId: "10de:2330" },
    ...{ path: [`root-${k}`, `up-${k}`, `down-${k}`], ...LINKED },
  })),
  nics: [],
  nvSwitches: [
    {
      ...{ deviceId: "nvswitch-0", pciAddress: SWITCH, pciId: "10de:22a3" },
      ...{ numa: 0, path: ["root-n", "up-n", "down-n"] },
    },
  ],
  fabricManager: true,
  pairs: [],
  warnings: [],
};

function instance(gpus: readonly string[]): DesiredInstance {
  return {
    ...{ instanceId: "ins-0", name: "one", bootCount: 1, vcpu: 8, memoryMib: 1024, gpus },
    attachments: [],
    image: { id: "img", path: "/i", sha256: "", sizeBytes: 1 },
    ...{ volumes: [], vpcNics: [], userData: new Uint8Array(), sshKeys: [] },
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
  };
}

const WHOLE = instance(["gpu-0", "gpu-1"]);
const SHARE = instance(["gpu-0"]);

/** The machine with its GPUs on vfio-pci as wanted, and the NVSwitch on `driver`. */
function situation(of: DesiredInstance, driver: string, guests: Observed["guests"] = []) {
  const gpus = INVENTORY.gpus.map(({ deviceId, pciAddress }) => {
    return { deviceId, pciAddress, driver: of.gpus.includes(deviceId) ? "vfio-pci" : "" };
  });
  const nvSwitches = [{ deviceId: "nvswitch-0", pciAddress: SWITCH, driver }];
  const made: Situation = {
    desired: { epoch: 1n, generation: 1n, vfsPerNic: 0, instances: [of], faults: [] },
    observed: { vfs: [], gpus, nvSwitches, guests, problems: [] },
    inventory: INVENTORY,
    layouts: new Map([[of.instanceId, compileLayout(INVENTORY, of)]]),
  };
  return made;
}

function withGuest(of: DesiredInstance, functions: readonly GuestFunction[]): Situation {
  const { instanceId, bootCount, vcpu, memoryMib } = of;
  const guest = { instanceId, bootCount, vcpu, memoryMib, running: true, addresses: {} };
  return situation(of, "vfio-pci", [{ ...guest, functions }]);
}

test("an instance with every gpu is not started before the nvswitches are bound, too", () => {
  expect(diff(situation(WHOLE, "")).map((s) => s.key)).toEqual(["bind-device nvswitch-0"]);
  const [start] = diff(situation(WHOLE, "vfio-pci"));
  const functions = start?.kind === "start-guest" ? start.guest.functions : [];
  expect(functions.map((f) => f.hostAddress)).toContain(SWITCH);
});

test("an instance with a share of the gpus is started without any nvswitch", () => {
  const [start] = diff(situation(SHARE, ""));
  const functions = start?.kind === "start-guest" ? start.guest.functions : [];
  expect(functions.map((f) => f.hostAddress)).toEqual(["0000:00:00.0"]);
});

test("an nvswitch that nobody has or wants any more is a residue and is taken back", () => {
  const functions = new View(situation(SHARE, "")).specOf(SHARE)?.functions ?? [];
  const left = withGuest(SHARE, functions);
  expect(diff(left).map((s) => s.key)).toEqual(["unbind-device nvswitch-0"]);
  expect(findings(left, [], []).residues).toEqual([{ deviceId: "nvswitch-0" }]);
});

test("a guest that lacks an nvswitch is built anew", () => {
  const functions = new View(situation(WHOLE, "vfio-pci")).specOf(WHOLE)?.functions ?? [];
  expect(diff(withGuest(WHOLE, functions))).toEqual([]);
  const few = functions.filter((f) => f.hostAddress !== SWITCH);
  expect(diff(withGuest(WHOLE, few)).map((s) => s.kind)).toEqual(["stop-guest"]);
});

test("nvswitches are no facts, but a guest that has one elsewhere is not read back", () => {
  const functions = new View(situation(WHOLE, "vfio-pci")).specOf(WHOLE)?.functions ?? [];
  const [seen] = findings(withGuest(WHOLE, functions), [], []).instances;
  expect(seen?.facts?.gpus).toEqual(WHOLE.gpus);
  expect(seen?.view?.tree.filter((row) => row.kind === "nvswitch")).toHaveLength(1);
  const moved = functions.map((f) =>
    f.hostAddress === SWITCH ? { ...f, guestAddress: "0000:fe:00.0" } : f,
  );
  expect(findings(withGuest(WHOLE, moved), [], []).instances[0]?.facts).toBeUndefined();
});
