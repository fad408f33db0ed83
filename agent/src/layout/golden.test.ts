// Compiles every legal share of every model's machine as production discovery sees it, and compares
// with files that people can read. RAILYARD_UPDATE_GOLDEN=1 writes them anew.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@railyard/lib/clock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFakeHardware } from "../hardware/fake/fake.js";
import type { Hardware, MachineFacts } from "../hardware/hardware.js";
import { inventoryOf } from "../inventory.js";
import type { DesiredInstance, GuestTreeRow, GuestView, Inventory, Layout } from "../model.js";
import { guestView } from "./guest-view.js";
import { compileLayout } from "./layout.js";
import { distances } from "./path-class.js";

const DIR = join(import.meta.dirname, "golden");
const UPDATE = process.env.RAILYARD_UPDATE_GOLDEN === "1";
/** Legal numbers of GPUs: the whole node, and the shares that a fabric manager knows. */
const MODELS: readonly (readonly [model: string, counts: readonly number[]])[] = [
  ["hgx-h100", [8, 4, 2, 1]],
  ["hgx-h200", [8, 4, 2, 1]],
  ["mini-2gpu", [2, 1]],
];
const PER_GPU = [1, 2, 4];
const VCPU_PER_GPU = 20;
const MEMORY_MIB_PER_GPU = 204_800;

function instanceOn({ pairs }: Inventory, count: number, perGpu: number): DesiredInstance {
  const taken = pairs.slice(0, count);
  const attachments = taken.flatMap(({ nic }, pair) =>
    Array.from({ length: perGpu }, (_, vf) => ({ pair, nic, vf })),
  );
  return {
    instanceId: "ins-golden",
    name: "golden",
    bootCount: 1,
    vcpu: VCPU_PER_GPU * count,
    memoryMib: MEMORY_MIB_PER_GPU * count,
    gpus: taken.map(({ gpu }) => gpu),
    attachments: attachments.map(({ pair, nic, vf }, position) => ({
      ...{ attachmentId: `a${position}`, position, rail: pair, pair, nic, vf },
      mac: `02:00:00:00:00:${position.toString(16).padStart(2, "0")}`,
      // One subnet for each rail, so that only several attachments of a rail share one.
      address: `10.0.${pair}.${4 + vf}/24`,
      isolation: { kind: "vlan", id: 100 },
      rateMbps: 400_000 / perGpu,
      mtu: 9000,
      spoofCheck: true,
    })),
    image: { id: "img", path: "/img", sha256: "", sizeBytes: 1 },
    volumes: [],
    vpcNics: [],
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
    userData: new Uint8Array(),
    sshKeys: [],
  };
}

interface Compiled {
  readonly layout: Layout;
  readonly view: GuestView;
}

function compiled(facts: MachineFacts, count: number, perGpu: number): Compiled {
  const inventory = inventoryOf(facts);
  const instance = instanceOn(inventory, count, perGpu);
  const result = compileLayout(inventory, instance);
  if (!result.ok) throw new Error(result.problem.message);
  const { layout } = result;
  const hostOf = (id: string, vf?: number) => {
    const all = [...inventory.gpus, ...inventory.nics, ...inventory.nvSwitches];
    const device = all.find((d) => d.deviceId === id)!;
    if (vf === undefined) return device.pciAddress;
    return facts.functions.find((f) => f.address === device.pciAddress)!.vfs[vf]!;
  };
  const functions = [
    ...[...layout.gpus, ...layout.nvSwitches].map(({ deviceId, guestAddress }) => {
      return { guestAddress, hostAddress: hostOf(deviceId) };
    }),
    ...layout.attachments.map(({ nic, vf, guestAddress }) => {
      return { guestAddress, hostAddress: hostOf(nic, vf) };
    }),
  ].sort((a, b) => (a.guestAddress < b.guestAddress ? -1 : 1));
  return { layout, view: guestView({ inventory, instance, layout, functions }) };
}

function treeLine({ depth, kind, address, index, numa, gpuDistance }: GuestTreeRow): string {
  const which = index < 0 ? "" : ` ${index}`;
  const where = numa < 0 ? "" : ` numa ${numa}`;
  const far = gpuDistance && ` ${gpuDistance} to its gpu`;
  return `${"  ".repeat(depth)}${address} ${kind}${which}${where}${far}`;
}

function document({ view }: Compiled): string {
  const pairs = view.qemuArguments.flatMap((a, i, all) => (i % 2 ? [] : [`${a} ${all[i + 1]}`]));
  const sections = [
    ["guest", view.tree.map(treeLine).join("\n")],
    ["qemu", pairs.join("\n")],
    ["nccl topology", view.ncclTopologyXml],
    ["nccl environment", view.ncclEnvironment],
    ["network settings", view.networkSettings],
    ["kernel settings", view.kernelSettings],
  ];
  return sections.map(([title, text]) => `## ${title}\n${text?.trimEnd()}\n`).join("\n");
}

const CASES = MODELS.map(([model, counts]) => {
  const shares = counts.flatMap((count) => PER_GPU.map((perGpu) => ({ count, perGpu })));
  return { model, shares };
});

describe.each(CASES)("$model", ({ model, shares }) => {
  let dir: string;
  let hardware: Hardware;
  let facts: MachineFacts;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "railyard-golden-"));
    const clock = new ManualClock();
    hardware = createFakeHardware({ dir, model, serial: "GOLDEN", cabling: [], clock });
    const bare = await hardware.readFacts();
    for (const { pciAddress } of inventoryOf(bare).nics) {
      await hardware.setVfCount(pciAddress, Math.max(...PER_GPU));
    }
    facts = await hardware.readFacts();
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  test.each(shares)("$count gpus with $perGpu attachments each", ({ count, perGpu }) => {
    const text = document(compiled(facts, count, perGpu));
    const path = join(DIR, fileName(model, count, perGpu));
    if (UPDATE) {
      mkdirSync(DIR, { recursive: true });
      writeFileSync(path, text);
    }
    expect(text).toBe(readFileSync(path, "utf8"));
  });

  test.each(shares)("$count gpus with $perGpu attachments each lie as on the host", (share) => {
    const { layout } = compiled(facts, share.count, share.perGpu);
    const { guest, host } = distances(inventoryOf(facts), layout);
    expect(host).toHaveLength(share.count * share.count * share.perGpu);
    expect(guest).toEqual(host);
  });

  test("what the guest's owner gets names nothing of the host", () => {
    const { gpus, nics, nvSwitches, serial } = inventoryOf(facts);
    const { qemuArguments, ...owners } = compiled(facts, gpus.length, 2).view;
    const text = JSON.stringify(owners);
    for (const device of [...gpus, ...nics, ...nvSwitches])
      expect(text).not.toContain(device.deviceId);
    for (const { permanentMac, pfName } of nics) {
      expect(text).not.toContain(permanentMac);
      expect(text).not.toContain(pfName);
    }
    expect(text).not.toContain(serial);
    expect(qemuArguments.join(" ")).toContain(gpus[0]!.pciAddress);
  });
});

test("there is no golden file without a case", () => {
  const names = CASES.flatMap(({ model, shares }) =>
    shares.map(({ count, perGpu }) => fileName(model, count, perGpu)),
  );
  expect(readdirSync(DIR).sort()).toEqual(names.sort());
});

function fileName(model: string, count: number, perGpu: number): string {
  return `${model}-${count}-gpus-${perGpu}-each.txt`;
}
