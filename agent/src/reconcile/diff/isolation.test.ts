// Which kind of membership a VF can carry, and how it is told that it does.
import { expect, test } from "vitest";
import type { ObservedVf } from "../../model/observed-vf.js";
import type { DesiredAttachment } from "../../model.js";
import { isAsDesired, isConfigured, MAC_NONE } from "./view.js";

const FREE: ObservedVf = {
  nic: "nic-0",
  vf: 0,
  pciAddress: "fa01:00:00.0",
  mac: MAC_NONE,
  vlan: 0,
  rateMbps: 0,
  spoofCheck: true,
  driver: "",
};
const MAC = "02:00:00:00:00:01";
const WANTED = { ...FREE, mac: MAC, isolation: { kind: "vni", id: 2_000 } } as unknown;

test("a vni is there only where the node tells of it, and a vlan of that number is none", () => {
  const wanted = WANTED as DesiredAttachment;
  expect(isAsDesired({ ...FREE, mac: MAC, vni: 2_000 }, wanted)).toBe(true);
  expect(isAsDesired({ ...FREE, mac: MAC, vni: 2_001 }, wanted)).toBe(false);
  expect(isAsDesired({ ...FREE, mac: MAC, vlan: 2_000 }, wanted)).toBe(false);
  const vlan = { ...wanted, isolation: { kind: "vlan" as const, id: 2_000 } };
  expect(isAsDesired({ ...FREE, mac: MAC, vni: 2_000 }, vlan)).toBe(false);
});

test("a vf that is in a network is in use, whatever its address", () => {
  expect(isConfigured({ ...FREE, vni: 0 })).toBe(false);
  expect(isConfigured({ ...FREE, vni: 2_000 })).toBe(true);
});
