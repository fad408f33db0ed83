// Shows which arguments ip is given and what is understood of its answers.
import { expect, test } from "vitest";
import { parseVfs, setArguments, showPermanentMac, vfsShower } from "./ip-link.js";

const SETTINGS = { mac: "02:00:00:00:00:05", vlan: 101, rateMbps: 200_000, spoofCheck: true };

test("one command sets everything, with trust off", () => {
  expect(setArguments({ pfName: "enp23s0np0", vf: 3 }, SETTINGS).join(" ")).toBe(
    "link set dev enp23s0np0 vf 3 mac 02:00:00:00:00:05 vlan 101 max_tx_rate 200000 " +
      "spoofchk on trust off",
  );
});

test("what is astray is read, and set back without a word about the rest", () => {
  const seen = { vf: 0, address: "02:00:00:00:00:05", link_state: "disable", trust: true };
  const text = JSON.stringify([{ vfinfo_list: [{ ...seen, rate: { max_tx: 0, min_tx: 10 } }] }]);
  expect(parseVfs(text)[0]?.astray).toEqual(["state", "min-rate", "trust"]);
  const well = { ...seen, link_state: "auto", trust: false, rate: { max_tx: 5, min_tx: 0 } };
  expect(parseVfs(JSON.stringify([{ vfinfo_list: [well] }]))[0]).not.toHaveProperty("astray");
  const place = { pfName: "eth0", vf: 0 };
  const line = setArguments(place, { ...SETTINGS, astray: ["state", "min-rate"] }).join(" ");
  expect(line).toContain("trust off state auto min_tx_rate 0");
});

test("a VLAN that is tagged with a priority or by another protocol is astray", () => {
  const read = (tag: object) =>
    parseVfs(JSON.stringify([{ vfinfo_list: [{ vf: 0, vlan_list: [tag] }] }]))[0];
  const seen = read({ vlan: 7, qos: 3, protocol: "802.1ad" });
  expect(seen).toMatchObject({ vlan: 7, astray: ["vlan-priority", "vlan-protocol"] });
  expect(read({ vlan: 7, protocol: "802.1q" })).not.toHaveProperty("astray");
});

test.each([
  [{ pfName: "eth0;reboot", vf: 0 }, SETTINGS],
  [{ pfName: "-force", vf: 0 }, SETTINGS],
  [{ pfName: "a-name-that-is-too-long", vf: 0 }, SETTINGS],
  [{ pfName: "eth0", vf: 1.5 }, SETTINGS],
  [
    { pfName: "eth0", vf: 0 },
    { ...SETTINGS, mac: "02:00:00:00:00" },
  ],
  [
    { pfName: "eth0", vf: 0 },
    { ...SETTINGS, vlan: -1 },
  ],
  [
    { pfName: "eth0", vf: 0 },
    { ...SETTINGS, rateMbps: Number.NaN },
  ],
])("%j with %j is refused", (place, settings) => {
  expect(() => setArguments(place, settings)).toThrow(expect.objectContaining({ code: "invalid" }));
});

test("both the newer and the older spelling of a VF are read", () => {
  const newer = {
    vf: 1,
    address: "02:00:00:00:00:0A",
    vlan_list: [{ vlan: 7 }],
    rate: { max_tx: 100, min_tx: 0 },
    spoofchk: true,
  };
  const older = { vf: 0, mac: "02:00:00:00:00:0b", vlan: 8, tx_rate: 50, spoofchk: false };
  expect(parseVfs(JSON.stringify([{ vfinfo_list: [newer, older] }]))).toEqual([
    { vf: 0, mac: "02:00:00:00:00:0b", vlan: 8, rateMbps: 50, spoofCheck: false },
    { vf: 1, mac: "02:00:00:00:00:0a", vlan: 7, rateMbps: 100, spoofCheck: true },
  ]);
});

test("an interface without VFs has none, and an answer that is not JSON is a failure", () => {
  expect(parseVfs('[{"ifname":"eth0"}]')).toEqual([]);
  expect(() => parseVfs("")).toThrow(expect.objectContaining({ code: "unavailable" }));
});

test("the permanent MAC is the one behind a changed address", async () => {
  const answer = '[{"address":"02:00:00:00:00:01","permaddr":"B8:00:00:00:00:01"}]';
  const outside = { root: "/", write: async () => {}, exec: async () => answer };
  expect(await showPermanentMac(outside, "eth0", 1000)).toBe("b8:00:00:00:00:01");
});

test("the same words of ip are understood once, other words anew, of each NIC apart", async () => {
  const said = new Map([["eth0", 1]]);
  const exec = async (_: string, args: readonly string[]) => {
    const vlan = said.get(args.at(-1) ?? "") ?? 7;
    return JSON.stringify([{ vfinfo_list: [{ vf: 0, vlan_list: [{ vlan }] }] }]);
  };
  const show = vfsShower({ root: "/", exec, write: async () => undefined }, 1_000);
  const first = await show("eth0");
  expect(await show("eth0")).toBe(first);
  expect((await show("eth1"))[0]?.vlan).toBe(7);
  said.set("eth0", 2);
  expect((await show("eth0"))[0]?.vlan).toBe(2);
});
