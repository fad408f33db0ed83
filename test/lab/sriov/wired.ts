// Tier: two emulated hypervisors, wired together. What the agent's code sets on VFs keeps tenants
// apart: frames pass within a VLAN and not between VLANs, and a VF keeps its address. The NICs sit
// below root ports, so that every VF has an IOMMU group of its own.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "../../scratch.js";
import type { Cable } from "../hypervisor.js";
import {
  type HypervisorImage,
  hypervisorImage,
  hypervisorNeeds,
} from "../image/hypervisor-image.js";
import { type Call, Inside } from "../inside.js";
import { cableBetween } from "../leaf.js";
import { patiently } from "../patience.js";
import type { Tier } from "../tier.js";
import { look } from "./seen.js";

const MEMORY_MIB = 1_024;
const VLANS = [100, 200] as const;
const PASS_MS = 60_000;
const FORGED_MAC = "02:00:00:99:99:99";

export const wired: Tier = {
  name: "sriov-wire",
  about: "two hypervisors: isolation by VLAN, a refused MAC, IOMMU groups under the strict rule",
  needs: hypervisorNeeds,
  async run({ proof, note }) {
    const folder = mkdtempSync(join(tmpdir(), "railyard-wire-"));
    const image = await hypervisorImage(note);
    note("booting two emulated hypervisors");
    const booted: Inside[] = [];
    try {
      const cables = await cableBetween();
      const boot = (cable: Cable, at: number) => bootOne({ image, folder, cable, number: at + 1 });
      booted.push(...(await Promise.all(cables.map(boot))));
      const [one, two] = booted;
      assert(one && two);
      await proof("below root ports the strict rule lets each VF and GPU go to vfio-pci", () =>
        strictBinds(one),
      );
      await Promise.all(booted.map((inside, at) => makeTenants(inside, at + 1)));
      await proof("VFs of one VLAN reach each other over the wire", async () => {
        await reaches(one, VLANS[0], addressOf(2, 0));
        await reaches(one, VLANS[1], addressOf(2, 1));
      });
      await proof("VFs of different VLANs do not, with the same addresses", async () => {
        assert(!(await pings(one, VLANS[0], addressOf(2, 1))));
        assert(!(await pings(two, VLANS[1], addressOf(1, 0))));
      });
      await proof("a tenant cannot change the MAC address of its VF", () => changedMac(one));
    } finally {
      await Promise.all(booted.map((inside) => inside.stop()));
      await removeFolder(folder);
    }
  },
};

function bootOne(one: {
  readonly image: HypervisorImage;
  readonly folder: string;
  readonly cable: Cable;
  readonly number: number;
}): Promise<Inside> {
  const { image, cable, number } = one;
  const folder = join(one.folder, String(number));
  mkdirSync(folder);
  const machine = { image, folder, number, serial: `LAB${number}`, cables: [cable] };
  return Inside.boot({ ...machine, pairs: 1, below: "root-port", memoryMib: MEMORY_MIB });
}

async function done(inside: Inside, calls: readonly Call[]): Promise<readonly unknown[]> {
  const outcomes = await inside.call("strict", calls);
  return outcomes.map((outcome) => {
    if ("error" in outcome) throw new Error(outcome.error);
    return outcome.ok;
  });
}

async function strictBinds(inside: Inside): Promise<void> {
  const [pf] = (await look(inside)).pfs;
  assert(pf);
  await done(inside, [["setVfCount", pf.address, VLANS.length]]);
  const { pfs, functions } = await look(inside);
  const gpu = functions.find(({ pciId }) => pciId === "1234:1111");
  const all = [gpu?.address, ...(pfs[0]?.vfs ?? []).map(({ address }) => address)];
  assert.equal(all.length, 1 + VLANS.length);
  await done(
    inside,
    all.map((address) => ["bindVfio", address] as const),
  );
  const driver = async () => {
    const found = (await look(inside)).functions.filter(({ address }) => all.includes(address));
    return found.map((fn) => fn.driver);
  };
  assert.deepEqual(
    await driver(),
    all.map(() => "vfio-pci"),
  );
  await done(
    inside,
    all.map((address) => ["unbindVfio", address] as const),
  );
  assert.deepEqual(
    await driver(),
    all.map(() => ""),
  );
}

function macOf(number: number, vf: number): string {
  return `02:00:00:00:0${number}:0${vf}`;
}

function addressOf(number: number, vf: number): string {
  return `10.0.0.${number}${vf}`;
}

/** One tenant a VF, each a network namespace named after its VLAN. */
async function makeTenants(inside: Inside, number: number): Promise<void> {
  const [pf] = (await look(inside)).pfs;
  assert(pf);
  const counts = [0, VLANS.length].map((count) => ["setVfCount", pf.address, count] as const);
  await done(inside, counts);
  // The driver starts its port anew for other VFs, and takes no rate while it has no link.
  await inside.ask(`until grep -q 1 /sys/class/net/${pf.name}/carrier; do sleep 0.1; done`);
  const settings = VLANS.map((vlan, vf) => {
    const wanted = { mac: macOf(number, vf), vlan, rateMbps: 0, spoofCheck: true };
    return ["configureVf", pf.name, vf, wanted] as const;
  });
  await done(inside, settings);
  const { pfs } = await look(inside);
  for (const { vf, vlan, mac, address } of pfs[0]?.vfs ?? []) {
    assert.deepEqual([vlan, mac], [VLANS[vf], macOf(number, vf)]);
    await inside.ask(`
      set -e
      echo igbvf >/sys/bus/pci/devices/${address}/driver_override
      echo ${address} >/sys/bus/pci/drivers_probe
      until name=$(ls /sys/bus/pci/devices/${address}/net 2>/dev/null); do sleep 0.1; done
      ip netns add vlan${vlan}
      ip link set "$name" netns vlan${vlan} name eth0
      ip -n vlan${vlan} addr add ${addressOf(number, vf)}/24 dev eth0
      ip -n vlan${vlan} link set eth0 up
    `);
  }
}

async function pings(inside: Inside, vlan: number, to: string): Promise<boolean> {
  const ping = `busybox ping -c 2 -W 2 ${to}`;
  const said = await inside.ask(`ip netns exec vlan${vlan} ${ping} || true`);
  return / 0% packet loss/.test(said);
}

function reaches(inside: Inside, vlan: number, to: string): Promise<boolean> {
  return patiently(`vlan ${vlan} reaches ${to}`, () => pings(inside, vlan, to), PASS_MS);
}

/**
 * The driver of the physical function refuses the change, so that the address stays and its traffic
 * goes on. (Frames forged some other way are beyond an emulated NIC, which checks none.)
 */
async function changedMac(inside: Inside): Promise<void> {
  const tenant = `ip -n vlan${VLANS[0]} link`;
  const said = await inside.ask(`
    ${tenant} set eth0 down
    ${tenant} set eth0 address ${FORGED_MAC} && echo taken
    ${tenant} set eth0 up
    ${tenant} show eth0
  `);
  assert(!said.includes("taken") && said.includes(macOf(1, 0)), said);
  await reaches(inside, VLANS[0], addressOf(2, 0));
}
