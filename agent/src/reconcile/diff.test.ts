// Tests of the diff: each bucket of steps, and what is never touched.
import { expect, test } from "vitest";
import { compileLayout } from "../layout/layout.js";
import type { ObservedVf } from "../model/observed-vf.js";
import type {
  DesiredAttachment,
  DesiredInstance,
  Inventory,
  Observed,
  ObservedGuest,
} from "../model.js";
import { MAC_NONE, type Situation, View } from "./diff/view.js";
import { diff } from "./diff.js";
import { readBack } from "./facts.js";
import { findings } from "./report.js";

const NICS = ["nic-0", "nic-1"];
const LINKED = { linkSpeedGts: 32, linkWidth: 16, barBytes: 2 ** 24 };
const switchOf = (k: number) => [`0000:0${k}:01.0`, `0000:0${k}:02.0`];

const INVENTORY: Inventory = {
  serial: "S1",
  bootId: "b",
  numaCount: 1,
  vcpu: 8,
  memoryMib: 1024,
  diskGib: 1,
  gpus: [0, 1].map((k) => ({
    deviceId: `gpu-${k}`,
    pciAddress: `0000:0${k}:00.0`,
    pciId: "10de:2330",
    numa: 0,
    path: switchOf(k),
    ...LINKED,
  })),
  nics: NICS.map((deviceId, k) => ({
    deviceId,
    pciAddress: `0000:1${k}:00.0`,
    pciId: "15b3:1021",
    numa: 0,
    path: switchOf(k),
    ...LINKED,
    vfBarBytes: 2 ** 20,
    rdma: "",
    board: "",
    pfName: `eth${k}`,
    permanentMac: `00:00:00:00:00:0${k}`,
    speedGbps: 400,
    vfsMax: 16,
    ports: [{ port: 0, neighbour: "leaf", up: true }],
  })),
  nvSwitches: [],
  fabricManager: false,
  pairs: [0, 1].map((k) => ({ gpu: `gpu-${k}`, nic: `nic-${k}` })),
  warnings: [],
};

/** The instance `ins-<k>` on pair k, with two attachments on VFs 0 and 1. */
function instance(k: number, change: Partial<DesiredInstance> = {}): DesiredInstance {
  const attachments = [0, 1].map(
    (vf): DesiredAttachment => ({
      attachmentId: `a${vf}`,
      position: vf,
      rail: k,
      pair: 0,
      nic: `nic-${k}`,
      vf,
      mac: `02:00:00:00:0${k}:0${vf}`,
      address: `10.0.0.${vf + 5}/24`,
      isolation: { kind: "vlan", id: 100 },
      rateMbps: 200_000,
      mtu: 9000,
      spoofCheck: true,
    }),
  );
  return {
    instanceId: `ins-${k}`,
    name: "one",
    bootCount: 1,
    vcpu: 8,
    memoryMib: 1024,
    gpus: [`gpu-${k}`],
    attachments,
    image: { id: "img", path: "/i", sha256: "", sizeBytes: 1 },
    volumes: [],
    vpcNics: [],
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
    userData: new Uint8Array(),
    sshKeys: [],
    ...change,
  };
}

function freeVf(nic: string, vf: number): ObservedVf {
  const pciAddress = `0000:1${nic.at(-1)}:00.${vf + 1}`;
  const free = { mac: MAC_NONE, vlan: 0, rateMbps: 0, spoofCheck: true, driver: "" };
  return { nic, vf, pciAddress, ...free };
}

/** A machine with nothing in use and two VFs per NIC. */
const IDLE: Observed = {
  vfs: NICS.flatMap((nic) => [freeVf(nic, 0), freeVf(nic, 1)]),
  gpus: INVENTORY.gpus.map(({ deviceId, pciAddress }) => ({ deviceId, pciAddress, driver: "" })),
  nvSwitches: [],
  partitions: [],
  guests: [],
  problems: [],
};

function situation(instances: readonly DesiredInstance[], observed: Observed): Situation {
  return {
    desired: { epoch: 1n, generation: 1n, vfsPerNic: 2, instances, faults: [] },
    observed,
    inventory: INVENTORY,
    layouts: new Map(instances.map((i) => [i.instanceId, compileLayout(INVENTORY, i)])),
  };
}

/** The machine with the devices of `of` ready, not yet in a guest. */
function prepared(of: DesiredInstance, on: Observed = IDLE): Observed {
  const vfs = on.vfs.map((v) => {
    const a = of.attachments.find((x) => x.nic === v.nic && x.vf === v.vf);
    if (!a) return v;
    const { mac, rateMbps, spoofCheck } = a;
    return { ...v, mac, rateMbps, spoofCheck, vlan: a.isolation.id, driver: "vfio-pci" };
  });
  const gpus = on.gpus.map((g) =>
    of.gpus.includes(g.deviceId) ? { ...g, driver: "vfio-pci" } : g,
  );
  return { ...on, vfs, gpus };
}

/** The machine with the guest of `of` running. */
function running(
  of: DesiredInstance,
  change: Partial<ObservedGuest> = {},
  on: Observed = IDLE,
): Observed {
  const observed = prepared(of, on);
  const spec = new View(situation([of], observed)).specOf(of);
  if (!spec) throw new Error("no spec");
  const { instanceId, bootCount, vcpu, memoryMib, functions, addresses } = spec;
  const guest = { instanceId, bootCount, running: true, vcpu, memoryMib, functions, addresses };
  return { ...observed, guests: [...on.guests, { ...guest, ...change }] };
}

function withVf(observed: Observed, at: number, change: Partial<ObservedVf>): Observed {
  return { ...observed, vfs: observed.vfs.map((v, i) => (i === at ? { ...v, ...change } : v)) };
}

const ONE = instance(0);
const FEW_VFS = { ...IDLE, vfs: IDLE.vfs.filter((v) => v.vf === 0) };
const CLEANING = [
  "unbind-device nic-0 0",
  "clear-vf nic-0 0",
  "unbind-device nic-0 1",
  "clear-vf nic-0 1",
  "unbind-device gpu-0",
];

const BUCKETS: readonly (readonly [string, readonly DesiredInstance[], Observed, string[]])[] = [
  ["nothing desired, nothing there", [], IDLE, []],
  ["no vfs yet", [ONE], { ...IDLE, vfs: [] }, ["create-vfs nic-0", "create-vfs nic-1"]],
  ["too few vfs, all free", [], FEW_VFS, ["create-vfs nic-0", "create-vfs nic-1"]],
  [
    "too few vfs, one in use",
    [],
    withVf(FEW_VFS, 0, { vlan: 7 }),
    ["clear-vf nic-0 0", "create-vfs nic-1"],
  ],
  [
    "an instance on an idle machine",
    [ONE],
    IDLE,
    [
      "configure-vf nic-0 0",
      "bind-device nic-0 0",
      "configure-vf nic-0 1",
      "bind-device nic-0 1",
      "bind-device gpu-0",
    ],
  ],
  ["all devices ready", [ONE], prepared(ONE), ["start-guest ins-0"]],
  [
    "one vf whose settings did not take",
    [ONE],
    withVf(prepared(ONE), 1, { vlan: 0 }),
    ["configure-vf nic-0 1"],
  ],
  ["a running guest as desired", [ONE], running(ONE), []],
  ["a guest that boots or died", [ONE], running(ONE, { running: false }), ["start-guest ins-0"]],
  [
    "a vf that lost its rate",
    [ONE],
    withVf(running(ONE), 0, { rateMbps: 0 }),
    ["configure-vf nic-0 0"],
  ],
  [
    "a vf whose link is held down",
    [ONE],
    withVf(running(ONE), 0, { astray: ["state"] }),
    ["configure-vf nic-0 0"],
  ],
  ["a reboot", [instance(0, { bootCount: 2 })], running(ONE), ["reboot-guest ins-0"]],
  ["a boot count that fell", [ONE], running(ONE, { bootCount: 3 }), []],
  ["another size", [instance(0, { vcpu: 4 })], running(ONE), ["stop-guest ins-0"]],
  ["a guest nobody wants", [], running(ONE), ["stop-guest ins-0"]],
  ["devices left over", [], prepared(ONE), CLEANING],
  [
    "a vf left over by somebody unknown, wanted by another",
    [ONE],
    withVf(IDLE, 0, { mac: "02:00:00:00:99:99", vlan: 7, driver: "vfio-pci" }),
    [
      "unbind-device nic-0 0",
      "clear-vf nic-0 0",
      "configure-vf nic-0 1",
      "bind-device nic-0 1",
      "bind-device gpu-0",
    ],
  ],
  [
    "a gpu left over by somebody unknown",
    [],
    { ...IDLE, gpus: prepared(ONE).gpus },
    ["unbind-device gpu-0"],
  ],
  [
    "a guest that lost a device, which is back",
    [ONE],
    withVf(running(ONE), 1, { driver: "" }),
    ["stop-guest ins-0"],
  ],
  [
    "devices of a leaving guest wanted by another",
    [instance(0, { instanceId: "ins-9" })],
    running(ONE),
    ["stop-guest ins-0"],
  ],
  [
    "one leaves, its neighbour comes",
    [instance(1)],
    running(ONE),
    [
      "stop-guest ins-0",
      "configure-vf nic-1 0",
      "bind-device nic-1 0",
      "configure-vf nic-1 1",
      "bind-device nic-1 1",
      "bind-device gpu-1",
    ],
  ],
];

test.each(BUCKETS)("%s", (...[, instances, observed, keys]) => {
  expect(diff(situation(instances, observed)).map((s) => s.key)).toEqual(keys);
});

test("before anything was accepted, nothing is touched", () => {
  const nothing = { ...situation([], running(ONE)), desired: undefined };
  expect(diff(nothing)).toEqual([]);
  expect(findings(nothing, [], []).instances).toMatchObject([
    { instanceId: "ins-0", phase: "present", facts: undefined },
  ]);
});

test("while the guests cannot be read, nothing is touched", () => {
  const problems = [{ deviceId: "" as const, message: "hung" }];
  expect(diff(situation([], { ...prepared(ONE), problems }))).toEqual([]);
});

test("while a nic cannot be read, its instance waits and its neighbour goes on", () => {
  const problems = [{ deviceId: "nic-0", message: "hung" }];
  const vfs = IDLE.vfs.filter((v) => v.nic === "nic-1");
  const steps = diff(situation([ONE, instance(1)], { ...IDLE, vfs, problems }));
  expect(new Set(steps.map((s) => s.instanceId))).toEqual(new Set(["ins-1"]));
});

test("an instance whose device vanished keeps its guest, and fails with the reason", () => {
  const gone = instance(0, { gpus: ["gpu-7"] });
  const at = situation([gone], running(ONE));
  const kept = diff(at).map((s) => s.key);
  expect(kept).toEqual([]);
  expect(findings(at, [], []).instances).toMatchObject([
    { phase: "failed", reason: "gpu-7 is not on this machine" },
  ]);
});

test("isolation that cannot be read back is refused", () => {
  const attachments = ONE.attachments.map((a) => ({
    ...a,
    isolation: { kind: "pkey" as const, id: 5 },
  }));
  const at = situation([instance(0, { attachments })], IDLE);
  expect(diff(at)).toEqual([]);
  expect(findings(at, [], []).instances[0]?.reason).toMatch(/pkey/);
});

test("how a guest ended by itself stands before what is still to do for it", () => {
  const [guest] = running(ONE).guests;
  const at = situation([ONE], { ...running(ONE), guests: [{ ...guest!, running: false }] });
  const down = { ...at, ends: new Map([["ins-0", "qemu was killed by SIGSEGV"]]) };
  const { phase, reason } = findings(down, diff(down), []).instances[0]!;
  expect(phase).toBe("applying");
  expect(reason).toBe("qemu was killed by SIGSEGV; still to do: start-guest ins-0");
});

function factsOf(of: DesiredInstance, observed: Observed) {
  const at = situation([of], observed);
  const layout = at.layouts.get(of.instanceId);
  const guest = observed.guests[0];
  if (!layout?.ok || !guest) throw new Error("nothing to read");
  return readBack(new View(at), guest, layout.layout);
}

test("the facts of a guest as desired are what was desired", () => {
  expect(factsOf(ONE, running(ONE))).toMatchObject({
    instanceId: "ins-0",
    bootCount: 1,
    gpus: ["gpu-0"],
    attachments: ONE.attachments.map(({ position, nic, vf, mac, address, isolation }) => ({
      position,
      nic,
      vf,
      mac,
      address,
      isolation,
    })),
  });
});

test("two vfs in each other's places show in the facts", () => {
  const right = running(ONE);
  const [gpu, first, second] = right.guests[0]?.functions ?? [];
  if (!gpu || !first || !second) throw new Error("no functions");
  const functions = [
    gpu,
    { ...first, hostAddress: second.hostAddress },
    { ...second, hostAddress: first.hostAddress },
  ];
  const wrong = running(ONE, { functions });
  expect(factsOf(ONE, wrong)?.attachments.map((a) => a.vf)).toEqual([1, 0]);
  expect(diff(situation([ONE], wrong)).map((s) => s.key)).toEqual(["stop-guest ins-0"]);
});

test("a function at no place of the layout leaves no facts to tell", () => {
  for (const at of [0, 2]) {
    const functions = running(ONE).guests[0]?.functions.map((f, i) =>
      i === at ? { ...f, guestAddress: "0000:77:00.0" } : f,
    );
    expect(factsOf(ONE, running(ONE, { functions: functions ?? [] }))).toBeUndefined();
  }
});

test("facts are not told of a guest that does not run or holds an unknown function", () => {
  expect(factsOf(ONE, running(ONE, { running: false }))).toBeUndefined();
  const functions = [{ guestAddress: "0000:13:00.0", hostAddress: "0000:99:00.0" }];
  expect(factsOf(ONE, running(ONE, { functions }))).toBeUndefined();
});

test("a report tells positions, devices, and residues apart", () => {
  const other = prepared(instance(1), running(ONE));
  const { instances, residues } = findings(situation([ONE], other), [], []);
  expect(instances).toMatchObject([
    {
      phase: "present",
      reason: "",
      devices: [{ deviceId: "nic-0", vf: 0 }, { deviceId: "nic-0", vf: 1 }, { deviceId: "gpu-0" }],
      attachments: [
        { position: 0, guestPciAddress: "0000:14:00.0", observation: "applied" },
        { position: 1, guestPciAddress: "0000:15:00.0", observation: "applied" },
      ],
    },
  ]);
  expect(residues.map((r) => r.deviceId)).toEqual(["nic-1", "nic-1", "gpu-1"]);
});

test("a position on a nic without link is degraded, one not in the guest is pending", () => {
  const nics = INVENTORY.nics.map((n) => ({ ...n, speedGbps: 0 }));
  const at = { ...situation([ONE], running(ONE)), inventory: { ...INVENTORY, nics } };
  const told = (s: Situation) =>
    findings(s, [], []).instances[0]?.attachments.map((a) => a.observation);
  expect(told(at)).toEqual(["degraded", "degraded"]);
  expect(told(situation([ONE], prepared(ONE)))).toEqual(["pending", "pending"]);
});
