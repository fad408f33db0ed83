// Who is there in the overlay tier, and what is found: two instances of one cluster network, one of
// another with the same addresses. Every method holds one thing against what the guests see.
import assert from "node:assert/strict";
import type { Customer } from "../../customer.js";
import { patiently } from "../patience.js";
import { HYPERVISORS, MTU } from "./declared.js";
import { managementAddressOf } from "./fabric.js";
import { Guest, type GuestNic, type Probe } from "./guest.js";
import type { OverlayPlant } from "./plant.js";
import { typeByRailctl } from "./railctl.js";
import type { Told } from "./tenancy.js";
import * as tenancy from "./tenancy.js";

const GONE_MS = 120_000;
const VPC_BRIDGE = "railyard-vpc";
const VPC_GATEWAY = "192.168.77.1";
const VPC_GUEST = "192.168.77.11";
const FORGED_MAC = "02:00:00:99:99:99";

/** An instance and the hands that its owner has in it. */
interface Resident {
  readonly id: string;
  readonly guest: Guest;
  readonly told: readonly Told[];
}

export class Scene {
  private readonly residents = new Map<string, Resident>();
  private readonly subnets = new Map<string, readonly string[]>();

  private constructor(
    private readonly plant: OverlayPlant,
    private readonly customer: Customer,
  ) {}

  /** `one` and `two` are in the network red, `three` is in blue. */
  static async open(plant: OverlayPlant): Promise<Scene> {
    const scene = new Scene(plant, await plant.tenant());
    const { customer, subnets } = scene;
    for (const name of ["red", "blue"]) {
      subnets.set(name, await tenancy.orderNetwork(customer, name));
    }
    return scene;
  }

  /** One after the other: each has the machine's only processor for its boot. */
  async run(): Promise<void> {
    await this.moveIn("one", "red");
    await this.moveIn("two", "red");
    await this.moveIn("three", "blue");
    const ids = [...this.residents.values()].map(({ id }) => id);
    const places = await Promise.all(ids.map((id) => this.plant.whereabouts(id)));
    assert.deepEqual(places.map(({ host }) => host).sort(), HYPERVISORS);
  }

  /** The shell works it out: what is typed would not do. */
  async typed(): Promise<void> {
    const { id, guest } = this.resident("one");
    await guest.leave();
    await typeByRailctl(this.customer, id, { line: "echo LAB-$((6 * 7))", wanted: "LAB-42" });
  }

  async inOrder(): Promise<void> {
    for (const { guest, told } of this.residents.values()) seenInOrder(await guest.nics(), told);
  }

  async beside(): Promise<void> {
    for (const { guest, told } of this.residents.values()) {
      const nics = clusterNics(await guest.nics());
      const switches = told.map(({ gpu }, at) => [gpu, nics[at]?.path.at(-2)] as const);
      const byGpu = new Map(switches);
      assert.deepEqual(
        switches,
        told.map(({ gpu }) => [gpu, byGpu.get(gpu)]),
      );
      assert.equal(new Set(byGpu.values()).size, byGpu.size);
    }
  }

  async peersAnswer(): Promise<void> {
    const [one, two] = [this.resident("one"), this.resident("two")];
    const rails = ({ told }: Resident) => told.map(({ rail }) => rail);
    assert.deepEqual(rails(two), rails(one));
    await answer(one, probesOf(two));
    await answer(two, probesOf(one));
  }

  async carriesMtu(): Promise<void> {
    const [one, two] = [this.resident("one"), this.resident("two")];
    for (const nic of clusterNics(await one.guest.nics())) assert.equal(nic.mtu, MTU);
    await answer(
      one,
      probesOf(two).map((probe) => ({ ...probe, bytes: MTU })),
    );
  }

  async othersDoNot(): Promise<void> {
    const [one, two, three] = [this.resident("one"), this.resident("two"), this.resident("three")];
    const places = ({ told }: Resident) => told.map(({ address, rail }) => [address, rail]);
    assert.deepEqual(places(three), places(one));
    await silence(three, probesOf(two));
    const lines = (await three.guest.ask("cat /proc/net/arp")).split("\n");
    const met = lines.filter((line) => line.includes("cluster") && !line.includes(" 0x0 "));
    assert.deepEqual(met, []);
  }

  /** With nothing set but what the layout tells its owner to say. */
  async settles(): Promise<void> {
    const [one, two] = [this.resident("one"), this.resident("two")];
    const names = one.told.map(({ position }) => `cluster${position}`);
    await one.guest.ask(
      names.map((n) => `ip addr flush dev ${n}; ip link set ${n} mtu 1500`).join("\n"),
    );
    await one.guest.ask(await tenancy.networkSettings(this.customer, one.id));
    await this.carriesMtu();
    await answer(two, probesOf(one));
  }

  /** The port of its bridge is locked to its own address. */
  async forges(): Promise<void> {
    const [one, two] = [this.resident("one"), this.resident("two")];
    const change = (mac?: string) =>
      one.guest.ask(`ip link set cluster0 down; ip link set cluster0 address ${mac} up`);
    const probe = probesOf(two).slice(0, 1);
    await change(FORGED_MAC);
    await silence(one, probe);
    await change(one.told[0]?.mac);
    await answer(one, probe);
  }

  async keepsOffVpc(): Promise<void> {
    const one = this.resident("one");
    const { guest, id, told } = one;
    const { host } = await this.plant.whereabouts(id);
    await this.plant.inside(host, `ip addr add ${VPC_GATEWAY}/24 dev ${VPC_BRIDGE}`);
    await guest.ask(`ip addr replace ${VPC_GUEST}/24 dev vpc0`);
    await answer(one, [{ to: VPC_GATEWAY, by: "vpc0" }]);
    const management = managementAddressOf(HYPERVISORS.indexOf(host));
    for (const to of [VPC_GATEWAY, management]) {
      await silence(
        one,
        told.map(({ position }) => ({ to, by: `cluster${position}` })),
      );
    }
    // Whoever asks for the gateway's address is remembered by it.
    const met = await this.plant.inside(host, `ip neigh show nud all dev ${VPC_BRIDGE}`);
    assert(met.includes(VPC_GUEST), met);
    for (const { mac } of told) assert(!met.includes(mac), met);
    const peer = this.resident("two").told[0]?.address;
    const said = await this.plant.inside(
      host,
      `busybox ping -c 2 -W 2 -I ${VPC_BRIDGE} ${peer} || true`,
    );
    assert.match(said, / 100% packet loss/);
  }

  async outlives(): Promise<void> {
    const { id, guest } = this.resident("one");
    const before = await this.plant.whereabouts(id);
    await this.plant.killAgent(before.host);
    const two = this.resident("two");
    await answer(two, probesOf(this.resident("one")));
    await guest.leave();
    const applied = await this.plant.yard.node(before.host);
    await this.plant.startAgent(before.host);
    await patiently(
      "the agent reports again",
      async () => {
        const node = await this.plant.yard.node(before.host);
        return node.session !== applied.session && this.plant.yard.isReady(before.host);
      },
      GONE_MS,
    );
    await tenancy.hasStatus(this.customer, id);
    assert.deepEqual(await this.plant.whereabouts(id), before);
    await this.meet("one", id);
    await answer(this.resident("one"), probesOf(two));
  }

  /** The second attachment goes ahead of the first: they are on one rail. */
  async moves(): Promise<void> {
    const { id, guest, told } = this.resident("three");
    await guest.leave();
    const [first, second] = told;
    assert(first && second);
    await tenancy.stop(this.customer, id);
    await tenancy.move(this.customer, {
      id,
      what: second.attachmentId,
      before: first.attachmentId,
    });
    await tenancy.start(this.customer, id);
    await this.meet("three", id);
    const after = this.resident("three");
    const macs = [second, first, ...told.slice(2)].map(({ mac }) => mac);
    assert.deepEqual(
      after.told.map(({ mac }) => mac),
      macs,
    );
    seenInOrder(await after.guest.nics(), after.told);
  }

  /** `four` of blue gets the hypervisor and the addresses of `two` of red. */
  async replaced(): Promise<void> {
    const [one, two, three] = [this.resident("one"), this.resident("two"), this.resident("three")];
    await this.remove("two");
    await this.moveIn("four", "blue");
    const four = this.resident("four");
    const addresses = ({ told }: Resident) => told.map(({ address }) => address);
    assert.deepEqual(addresses(four), addresses(two));
    await silence(one, probesOf(four));
    await answer(
      three,
      four.told.map(({ address }) => {
        const at = three.told.findIndex((row) => blockOf(row.address) === blockOf(address));
        return { to: address, by: `cluster${at}` };
      }),
    );
  }

  async clears(): Promise<void> {
    for (const host of HYPERVISORS) assert.notEqual(await this.traces(host), "", host);
    await Promise.all([...this.residents.keys()].map((name) => this.remove(name)));
    for (const host of HYPERVISORS) assert.equal(await this.traces(host), "", host);
  }

  /** What guests left on a hypervisor: addresses, ports in networks, tunnels and VPC ports. */
  private traces(host: string): Promise<string> {
    return this.plant.inside(
      host,
      `grep -l qemu /proc/[0-9]*/comm 2>/dev/null
      ip -br link | grep -E "^ry[xv]"
      bridge vlan show | grep "^ry[0-9]"
      bridge fdb show | grep -E "^02:.* ry.* static"
      true`,
    );
  }

  private async moveIn(name: string, network: string): Promise<void> {
    const subnets = this.subnets.get(network) ?? [];
    await this.meet(name, await tenancy.orderInstance(this.customer, name, subnets));
  }

  /** Waits until an instance runs and its guest answers. */
  private async meet(name: string, id: string): Promise<void> {
    await tenancy.hasStatus(this.customer, id);
    const guest = await Guest.reach(this.customer, id);
    this.residents.set(name, { id, guest, told: await tenancy.told(this.customer, id) });
  }

  private async remove(name: string): Promise<void> {
    const { id, guest } = this.resident(name);
    await guest.leave();
    await this.customer.delete(id);
    await patiently(`${name} is gone`, async () => !(await this.customer.get(id)), GONE_MS);
    this.residents.delete(name);
  }

  private resident(name: string): Resident {
    const found = this.residents.get(name);
    if (!found) throw new Error(`${name} is not there`);
    return found;
  }
}

/** The addresses of a resident, each by the asker's attachment at the same position. */
function probesOf({ told }: Resident): readonly Probe[] {
  return told.map(({ position, address }) => ({ to: address, by: `cluster${position}` }));
}

async function answer({ guest }: Resident, probes: readonly Probe[]): Promise<void> {
  const back = await guest.answered(probes);
  assert.deepEqual(back, probes, "what did not answer");
}

async function silence({ guest }: Resident, probes: readonly Probe[]): Promise<void> {
  assert.deepEqual(await guest.answered(probes), [], "what answered");
}

function clusterNics(nics: readonly GuestNic[]): readonly GuestNic[] {
  return nics.filter(({ name }) => name.startsWith("cluster"));
}

function seenInOrder(nics: readonly GuestNic[], told: readonly Told[]): void {
  assert.deepEqual(
    clusterNics(nics).map(({ pciAddress, mac, name }) => [pciAddress, mac, name]),
    told.map(({ guestPciAddress, mac, position }) => [guestPciAddress, mac, `cluster${position}`]),
  );
  // By their places alone: the VPC's is on the root bus, ahead of them all.
  assert.equal(nics[0]?.name, "vpc0");
}

/** The subnet that an address is in; those of the lab have sixteen addresses each. */
function blockOf(address: string): string {
  return address.replace(/\d+$/, (last) => String(Number(last) >> 4));
}
