// Tests of what profiles permit and what machines have room for.
import { expect, test } from "vitest";
import type { HardwareKind } from "./physical-cluster.js";
import { type AttachmentCount, type InstanceProfile, membersOn, usualCount } from "./profile.js";

const HGX: HardwareKind = {
  ...{ name: "hgx", vcpu: 200, memoryGib: 2048, diskGib: 100, fabricManager: true },
  gpus: { count: 8, pci: "10de:2330", model: "H100" },
  nics: { count: 8, pci: "15b3:1021", ports: 2, speedGbps: 400, vfs: 16 },
  ...{ pairing: "pcie-switch", iommu: "strict", lab: false },
};

function profile(over: Partial<InstanceProfile>): InstanceProfile {
  return {
    ...{ name: "p", family: "gpu", vcpu: 10, memoryGib: 10, diskGib: 0, numaCount: 1 },
    ...{ bandwidthMbps: 1, attachments: undefined, attachmentLayout: "blocked", gpu: undefined },
    ...over,
  };
}

const gpu = (count: number) => ({ manufacturer: "NVIDIA", model: "H100", count, memoryGib: 80 });

test.each<[AttachmentCount | undefined, number]>([
  [undefined, 0],
  [{ kind: "dependent" }, 0],
  [{ kind: "enum", values: [32, 8, 16], default: 16 }, 16],
  [{ kind: "enum", values: [32, 8, 16] }, 8],
  [{ kind: "range", min: 4, max: 12, step: 4 }, 4],
])("of the counts %o the usual one is %i", (attachments, usual) => {
  expect(usualCount(profile({ attachments }))).toBe(usual);
});

test("an empty server has room for as many members as GPUs and amounts allow", () => {
  expect(membersOn(HGX, profile({ gpu: gpu(2) }), false)).toBe(4);
  expect(membersOn(HGX, profile({ gpu: gpu(2), vcpu: 60 }), false)).toBe(3);
  expect(membersOn(HGX, profile({ memoryGib: 1024 }), false)).toBe(2);
  expect(membersOn(HGX, profile({ gpu: gpu(3) }), false)).toBe(0);
  expect(membersOn(HGX, profile({ gpu: { ...gpu(8), model: "H200" } }), false)).toBe(0);
});

test("of members with attachments it has room for one: all are on the same rails", () => {
  expect(membersOn(HGX, profile({ gpu: gpu(2) }), true)).toBe(1);
});
