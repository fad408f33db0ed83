// Tests of NVSwitches: they go with an instance that has every GPU, are bound and taken back like
// other devices, and are no facts. An instance with a share of the GPUs has a partition instead.
import { expect, test } from "vitest";
import { compileLayout } from "../layout/layout.js";
import type {
  DesiredInstance,
  GuestFunction,
  Inventory,
  Observed,
  ObservedPartition,
} from "../model.js";
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

/** The one that every share here has: with the first GPU alone. */
const JOINED: ObservedPartition = { id: 7, active: true, gpus: ["gpu-0"] };
const PARTED: ObservedPartition = { ...JOINED, active: false };

const WHOLE = instance(["gpu-0", "gpu-1"]);
const SHARE = instance(["gpu-0"]);

/** The machine with its GPUs on vfio-pci as wanted, and the NVSwitch on `driver`. */
function situation(of: DesiredInstance, driver: string, seen: Partial<Observed> = {}) {
  const gpus = INVENTORY.gpus.map(({ deviceId, pciAddress }) => {
    return { deviceId, pciAddress, driver: of.gpus.includes(deviceId) ? "vfio-pci" : "" };
  });
  const nvSwitches = [{ deviceId: "nvswitch-0", pciAddress: SWITCH, driver }];
  const made: Situation = {
    desired: { epoch: 1n, generation: 1n, vfsPerNic: 0, instances: [of], faults: [] },
    observed: {
      ...{ vfs: [], gpus, nvSwitches, guests: [], problems: [] },
      partitions: of === SHARE ? [JOINED] : [PARTED],
      ...seen,
    },
    inventory: INVENTORY,
    layouts: new Map([[of.instanceId, compileLayout(INVENTORY, of)]]),
  };
  return made;
}

function withGuest(
  of: DesiredInstance,
  functions: readonly GuestFunction[],
  partition = of === SHARE ? JOINED : PARTED,
): Situation {
  const { instanceId, bootCount, vcpu, memoryMib } = of;
  const guest = { instanceId, bootCount, vcpu, memoryMib, running: true, addresses: {} };
  const seen = { guests: [{ ...guest, functions }], partitions: [partition] };
  return situation(of, "vfio-pci", seen);
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

/** With no instance wanted any more. */
function deserted(seen: Partial<Observed>): Situation {
  const left = situation(SHARE, "", seen);
  return { ...left, desired: { ...left.desired!, instances: [] }, layouts: new Map() };
}

const keys = (of: Situation) => diff(of).map((step) => step.key);
const held = { guestAddress: "0000:21:00.0", hostAddress: "0000:00:00.0" };

test("a share is not started before its partition is active, and says what is to be done", () => {
  const parted = situation(SHARE, "", { partitions: [PARTED] });
  expect(keys(parted)).toEqual(["activate-partition 7"]);
  expect(findings(parted, diff(parted), []).instances[0]).toMatchObject({
    ...{ phase: "applying", reason: "still to do: activate-partition 7" },
  });
  expect(keys(situation(SHARE, ""))).toEqual(["start-guest ins-0"]);
});

test("a guest whose partition is not active is left alone, but is not as desired", () => {
  const functions = new View(situation(SHARE, "")).specOf(SHARE)?.functions ?? [];
  expect(findings(withGuest(SHARE, functions), [], []).instances[0]?.phase).toBe("present");
  const parted = withGuest(SHARE, functions, PARTED);
  expect(keys(parted)).toEqual(["unbind-device nvswitch-0"]);
  const [seen] = findings(parted, [], []).instances;
  expect(seen).toMatchObject({ phase: "applying", facts: undefined });
  expect(seen?.reason).toContain("partition is not active");
});

test.each([
  ["has exactly its GPUs", { partitions: [{ ...PARTED, gpus: ["gpu-1"] }] }],
  ["could not be read", { partitions: [], problems: [{ deviceId: "nvswitches", message: "" }] }],
  ["is still active", { partitions: [PARTED, { id: 0, active: true, gpus: ["gpu-0", "gpu-1"] }] }],
] as const)("a share waits, and says why, while a partition %s", (why, seen) => {
  const waiting = situation(SHARE, "", seen);
  expect(diff(waiting).filter(({ instanceId }) => instanceId === "ins-0")).toEqual([]);
  expect(findings(waiting, diff(waiting), []).instances[0]?.reason).toContain(why);
});

test("a share waits for a fabric manager, without which there is no partition", () => {
  const made = situation(SHARE, "", { partitions: [] });
  const alone = { ...made, inventory: { ...INVENTORY, fabricManager: false } };
  expect(keys(alone)).toEqual([]);
  expect(findings(alone, [], []).instances[0]?.reason).toContain("no Fabric Manager");
});

test("a partition stays active for as long as a guest has a GPU of it, and is parted then", () => {
  const { guests } = withGuest(SHARE, [held]).observed;
  expect(keys(deserted({ guests }))).toEqual(["stop-guest ins-0"]);
  expect(keys(deserted({}))).toEqual(["deactivate-partition 7"]);
  expect(keys(deserted({ partitions: [PARTED] }))).toEqual(["unbind-device gpu-0"]);
});

test("a GPU of an active partition that nobody wants is a residue", () => {
  expect(findings(deserted({}), [], []).residues).toEqual([{ deviceId: "gpu-0" }]);
  const free = { gpus: [{ deviceId: "gpu-0", pciAddress: "0000:00:00.0", driver: "" }] };
  expect(findings(deserted(free), [], []).residues).toEqual([{ deviceId: "gpu-0" }]);
  expect(findings(deserted({ ...free, partitions: [PARTED] }), [], []).residues).toEqual([]);
});

test("what may be active but could not be read is neither parted nor given to anybody", () => {
  const problems = [{ deviceId: "nvswitches", message: "" }];
  const left = deserted({ problems });
  expect(keys(left)).toEqual([]);
  expect(findings(left, [], []).residues).toEqual([{ deviceId: "gpu-0" }]);
  const wanted = situation(WHOLE, "vfio-pci", { partitions: [JOINED], problems });
  expect(keys(wanted)).toEqual([]);
  expect(findings(wanted, [], []).instances[0]?.reason).toContain("may be still active");
  const same = situation(SHARE, "", { problems });
  expect(keys(same)).toEqual([]);
  expect(findings(same, [], []).instances[0]?.reason).toContain("could not be read");
});

test("an instance with every gpu waits until no partition is active", () => {
  const partitions = [JOINED];
  expect(keys(situation(WHOLE, "vfio-pci", { partitions }))).toEqual(["deactivate-partition 7"]);
});
