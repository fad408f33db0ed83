// Tier: the agent's SR-IOV code on real virtual functions, inside an emulated hypervisor, told what
// to do by a controller outside. What stands is read by other means than the agent's.
import assert from "node:assert/strict";
import { NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import { IsolationKind } from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import type { Customer } from "../../customer.js";
import { hypervisorNeeds } from "../image/hypervisor-image.js";
import { patiently } from "../patience.js";
import type { Tier } from "../tier.js";
import { GPU, INSTANCE_PROFILE, NETWORK_PROFILE, NIC, PAIRS, VFS } from "./declared.js";
import { LabPlant } from "./plant.js";
import { look, type Seen } from "./seen.js";

/** Emulated, making VFs on eight NICs takes a while. */
const STEP_MS = 120_000;
/** Of the agent's log, after a failure. */
const LINES_SHOWN = 20;
const LINE_SHOWN = 1_500;
const MAC_NONE = "00:00:00:00:00:00";
const VFIO = "vfio-pci";

export const placed: Tier = {
  name: "sriov",
  about: "VFs made, configured, read back, handed over and given back by a placed instance",
  needs: hypervisorNeeds,
  async run({ proof, note }) {
    const plant = await LabPlant.open(note);
    try {
      await proof("an agent on the PCI tree of a hypervisor, cables told by LLDP, is ready", () =>
        ready(plant),
      );
      const customer = await plant.tenant();
      const id = await order(customer);
      await proof(`an instance of ${PAIRS} attachments runs once the agent attests to it`, () =>
        status(customer, id),
      );
      const { rows } = await intended(plant, id);
      const seen = await look(plant.inside);
      await proof(
        `the kernel shows ${VFS} VFs on each NIC, and no driver on those unused`,
        async () => vfsStand(seen),
      );
      await proof("MAC, VLAN, rate, spoof check and trust of each VF are as intended", async () =>
        vfsAre(seen, rows),
      );
      await proof("the VFs and the GPUs are on vfio-pci, the NICs on their own driver", async () =>
        driversAre(seen, rows),
      );
      await proof("attachment k is on the NIC that is cabled to leaf k, beside GPU k", async () =>
        orderIs(seen, rows),
      );
      await customer.delete(id);
      await proof("deleted, all of it is given back: no address, no VLAN, no driver", async () => {
        await patiently("the instance is gone", async () => !(await customer.get(id)), STEP_MS);
        nothingLeft(await look(plant.inside));
      });
      await proof("the strict rule refuses to take a VF out of a group with others", () =>
        strictRefuses(plant, seen),
      );
    } catch (thrown) {
      for (const line of plant.log.slice(-LINES_SHOWN)) note(line.slice(0, LINE_SHOWN));
      throw thrown;
    } finally {
      await plant.close();
    }
  },
};

type Row = Awaited<ReturnType<typeof intended>>["rows"][number];

function intended(plant: LabPlant, id: string) {
  const subject = { $case: "instanceId" as const, value: id };
  return plant.yard.operator.call(NodeServiceService.getPlacedLayout, { subject });
}

async function ready({ yard }: LabPlant): Promise<void> {
  await patiently("the node is ready", () => yard.isReady("lab-s01"), STEP_MS);
}

export async function order(customer: Customer): Promise<string> {
  const network = await customer.network({ name: "lab", profile: NETWORK_PROFILE });
  const subnets: string[] = [];
  for (let rail = 0; rail < PAIRS; rail++) subnets.push((await customer.subnet(network.id)).id);
  const { id } = await customer.instance("one", subnets, { profile: INSTANCE_PROFILE });
  return id;
}

async function status(customer: Customer, id: string): Promise<void> {
  const running = InstanceStatus.INSTANCE_STATUS_RUNNING;
  const arrived = async () => (await customer.get(id))?.status === running;
  await patiently("the instance runs", arrived, STEP_MS).catch(async (cause) => {
    const { status, statusReasons } = (await customer.get(id)) ?? {};
    throw new Error(JSON.stringify({ status, statusReasons }), { cause });
  });
}

async function strictRefuses({ inside }: LabPlant, { pfs }: Seen): Promise<void> {
  const [vf, other] = pfs[0]?.vfs ?? [];
  const [outcome] = await inside.call("strict", [["bindVfio", vf?.address]]);
  const text = `pci function ${vf?.address} shares its iommu group with ${other?.address}`;
  assert.deepEqual(outcome, { error: text, code: "unavailable" });
}

function vfsStand({ pfs }: Seen): void {
  assert.equal(pfs.length, PAIRS);
  for (const { name, pciId, numvfs, vfs } of pfs) {
    assert.deepEqual([name, pciId, numvfs, vfs.length], [name, NIC, VFS, VFS]);
    const unused = vfs.filter(({ mac }) => mac === MAC_NONE);
    assert.deepEqual(
      unused.map(({ driver, vlan }) => [driver, vlan]),
      Array.from({ length: VFS - 1 }, () => ["", 0]),
    );
  }
}

function vfsAre({ pfs }: Seen, rows: readonly Row[]): void {
  assert.equal(rows.length, PAIRS);
  for (const row of rows) {
    const vf = pfs.find(({ address }) => address === row.pfPciAddress)?.vfs[row.vfIndex ?? -1];
    assert.deepEqual(
      [vf?.address, vf?.mac, vf?.vlan, vf?.rateMbps, vf?.spoofCheck, vf?.trust],
      [row.vfPciAddress, row.macAddress, row.isolationId, 1_000, true, false],
    );
    assert.equal(row.isolationKind, IsolationKind.ISOLATION_KIND_VLAN);
  }
}

function driversAre({ pfs, functions }: Seen, rows: readonly Row[]): void {
  const driver = (wanted: string) => functions.find(({ address }) => address === wanted)?.driver;
  for (const { vfPciAddress, gpuPciAddress } of rows) {
    assert.deepEqual([driver(vfPciAddress), driver(gpuPciAddress)], [VFIO, VFIO]);
  }
  for (const pf of pfs) assert.equal(pf.driver, "igb");
}

/** The emulated NIC of pair k has k in its own MAC, and its cable leads to leaf k. */
function orderIs({ pfs }: Seen, rows: readonly Row[]): void {
  const byAddress = [...pfs].sort((a, b) => (a.address < b.address ? -1 : 1));
  for (const [position, row] of rows.entries()) {
    assert.deepEqual([row.position, row.rail], [position, position]);
    assert.equal(row.pfPciAddress, byAddress[position]?.address);
    assert.equal(busOf(row.pfPciAddress) - busOf(row.gpuPciAddress), 1);
  }
}

function busOf(address: string): number {
  return Number.parseInt(address.slice(5, 7), 16);
}

function nothingLeft({ pfs, functions }: Seen): void {
  for (const { vfs, numvfs } of pfs) {
    assert.equal(numvfs, VFS);
    for (const { mac, vlan, rateMbps } of vfs) {
      assert.deepEqual([mac, vlan, rateMbps], [MAC_NONE, 0, 0]);
    }
  }
  const held = functions.filter(({ driver, override }) => driver === VFIO || override !== "");
  assert.deepEqual(held, []);
  assert.equal(functions.filter(({ pciId }) => pciId === GPU).length, PAIRS);
}
