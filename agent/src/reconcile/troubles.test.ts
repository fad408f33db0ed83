// Tests of what operators are told of a pass beside the inventory's own warnings.
import { expect, test } from "vitest";
import type { Desired, Inventory } from "../model.js";
import { astray, ownerless, tooNarrow, unread, withTroubles } from "./troubles.js";

test("what could not be read is named, the guests too", () => {
  expect(
    unread([
      { deviceId: "nic-1", message: "ip: hung" },
      { deviceId: "", message: "is its file system mounted?" },
    ]),
  ).toEqual([
    { kind: "unread", deviceId: "nic-1", message: "ip: hung" },
    {
      kind: "unread",
      deviceId: "",
      message: "the guests could not be read: is its file system mounted?",
    },
  ]);
});

test("a failed step is told here only where no instance tells it", () => {
  const failed = (instanceId: string) => ({ key: "clear-vf nic-1 0", instanceId, reason: "EBUSY" });
  expect(ownerless([failed("ins-1"), failed("")])).toEqual([
    { kind: "step-failed", deviceId: "", message: "clear-vf nic-1 0: EBUSY" },
  ]);
});

test("an interface that carries less than is wanted on it is told, with how much", () => {
  const nics = [
    { deviceId: "nic-1", pfName: "pf1", mtu: 1_500 },
    { deviceId: "nic-2", pfName: "pf2", mtu: 9_000 },
    { deviceId: "nic-3", pfName: "pf3" },
  ] as unknown as Inventory["nics"];
  const attachments = nics.flatMap(({ deviceId: nic }) => [
    { nic, mtu: 4_200 },
    { nic, mtu: 9_000 },
  ]);
  const wanted = { instances: [{ attachments }] } as unknown as Desired;
  expect(tooNarrow({ nics }, wanted)).toEqual([
    {
      kind: "mtu-too-small",
      deviceId: "nic-1",
      message: "pf1 carries frames of 1500 bytes, and 9000 are wanted on it",
    },
  ]);
  expect(tooNarrow({ nics }, undefined)).toEqual([]);
});

test("of partitions those are told that are not as desired", () => {
  const seen = (pkey: number, reason: string) => ({ pkey, members: [], others: [], reason });
  expect(astray([seen(0x101, ""), seen(0x102, "1 port(s) amiss")])).toEqual([
    { kind: "partition-astray", deviceId: "", message: "pkey-0x0102: 1 port(s) amiss" },
  ]);
});

test("troubles come before what the inventory warns of, and not without end", () => {
  const own = { kind: "no-kvm", deviceId: "", message: "" };
  const inventory = { warnings: [own] } as Partial<Inventory> as Inventory;
  expect(withTroubles(inventory, [])).toBe(inventory);
  const trouble = { kind: "unread", deviceId: "", message: "" };
  const { warnings } = withTroubles(inventory, Array(1_000).fill(trouble));
  expect([warnings[0], warnings[64], warnings.length]).toEqual([trouble, own, 65]);
});
