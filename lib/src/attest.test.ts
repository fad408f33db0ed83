// Proves that every attested fact changes the digest and that nothing else does.
import { expect, test } from "vitest";
import { factsDigest, type InstanceFacts, nodeDigest } from "./attest.js";

const attachment = {
  position: 0,
  nic: "nic-a",
  vf: 0,
  mac: "02:00:00:00:00:01",
  isolation: { kind: "vlan" as const, id: 100 },
  rateMbps: 400_000,
  spoofCheck: true,
  address: "10.0.0.5/24",
};
const facts: InstanceFacts = {
  instanceId: "ins-1",
  bootCount: 1,
  vcpu: 152,
  memoryMib: 1024,
  gpus: ["gpu-a", "gpu-b"],
  attachments: [attachment, { ...attachment, position: 1, vf: 1, mac: "02:00:00:00:00:02" }],
};

test("every fact changes the digest", () => {
  const first = facts.attachments[0] ?? attachment;
  const rest = facts.attachments.slice(1);
  const changed: InstanceFacts[] = [
    { ...facts, instanceId: "ins-2" },
    { ...facts, bootCount: 2 },
    { ...facts, vcpu: 1 },
    { ...facts, memoryMib: 1 },
    { ...facts, gpus: ["gpu-b", "gpu-a"] },
    { ...facts, attachments: rest },
    { ...facts, attachments: [...facts.attachments].reverse() },
    ...[
      { nic: "nic-b" },
      { vf: 7 },
      { mac: "02:00:00:00:00:09" },
      { isolation: { kind: "vlan" as const, id: 101 } },
      { isolation: { kind: "vni" as const, id: 100 } },
      { rateMbps: 1 },
      { spoofCheck: false },
      { address: "10.0.0.6/24" },
      { position: 5 },
    ].map((change) => ({ ...facts, attachments: [{ ...first, ...change }, ...rest] })),
  ];
  const digests = new Set([facts, ...changed].map(factsDigest));
  expect(digests.size).toBe(changed.length + 1);
});

test("members beside the facts and the order of keys do not matter", () => {
  const { attachments, ...rest } = facts;
  const shuffled = { attachments, extra: 1, ...rest };
  expect(factsDigest(shuffled)).toBe(factsDigest(facts));
});

test("a node's digest does not depend on the order in which instances were found", () => {
  const a = new Map([
    ["ins-1", "x"],
    ["ins-2", "y"],
  ]);
  const b = new Map([...a].reverse());
  expect(nodeDigest(a)).toBe(nodeDigest(b));
  expect(nodeDigest(a)).not.toBe(nodeDigest(new Map()));
});
