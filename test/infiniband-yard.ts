// A yard with one InfiniBand cluster: two small machines with virtual functions, and the node that
// drives the subnet manager. For tests and the lab; the subnet manager may be a real one.
import { join } from "node:path";
import { createAgent } from "@railyard/agent/agent";
import type { SubnetManager } from "@railyard/agent/hardware/fabric";
import { type Log, silentLog } from "@railyard/lib/log";
import { nodePermissions } from "@railyard/proto/subjects";
import { Customer } from "./customer.js";
import { exampleMzone, type MzoneDocument, Yard, type YardOptions } from "./yard.js";

export const HYPERVISORS = ["ib-s01", "ib-s02"] as const;
export const FABRIC = "ib-sm";
export const PKEYS = [0x101, 0x1ff] as const;
export const INSTANCE_PROFILE = "gx2-h100-ib";
export const CLUSTER = "wdc07-ib-a";

/** The example document with the cluster added to its zone. */
export function infinibandMzone(): MzoneDocument {
  const document = exampleMzone() as MzoneDocument & Record<"profiles" | "hardware", never>;
  const { clusterNetworks, instances } = document.profiles as Record<string, object[]>;
  clusterNetworks?.push({
    ...{ name: "ib-1", family: "hopper", clusterTypes: ["mini-ib"], fabric: "infiniband" },
    ...{ rails: 2, speedGbps: 400, mtu: 4092, railAlignment: "preferred", minRails: 2 },
    ...{ onRailDown: "keep", subnetRouting: true, instanceProfiles: [INSTANCE_PROFILE] },
  });
  instances?.push({
    ...{ name: INSTANCE_PROFILE, vcpu: 8, memoryGiB: 64, numaCount: 1, bandwidthMbps: 1000 },
    gpu: { model: "H100", count: 2, memoryGiB: 80 },
    attachments: { enum: [2, 4], default: 2 },
  });
  (document.hardware as object[]).push({
    ...{ name: "mini-2gpu-ib", vcpu: 16, memoryGiB: 128, diskGiB: 1000 },
    gpus: { count: 2, pci: "10de:2330", model: "H100" },
    nics: { count: 2, pci: "15b3:1021", ports: 1, speedGbps: 400, vfs: 4 },
    ...{ pairing: "pcie-switch", iommu: "strict", nvSwitch: false },
  });
  const zone = document.zones[0] as unknown as Record<"physicalClusters" | "servers", object[]>;
  const rails = [0, 1].map((rail) => ({ rail, leaves: [`ib-leaf-${rail}`] }));
  zone.physicalClusters.push({
    ...{ name: CLUSTER, type: "mini-ib", isolation: { kind: "pkey", range: [...PKEYS] } },
    leafGroups: [{ name: "ib1", rails }],
  });
  const where = { cluster: CLUSTER, leafGroup: "ib1", hardware: "mini-2gpu-ib" };
  for (const [k, name] of HYPERVISORS.entries()) {
    zone.servers.push({ name, serial: `IB100${k}`, ...where, cabling: "standard" });
  }
  zone.servers.push({ name: FABRIC, serial: "IBSM01", role: "fabric", cluster: CLUSTER });
  return document;
}

export class InfinibandYard {
  readonly document = infinibandMzone();

  private constructor(
    readonly yard: Yard,
    private readonly log: Log,
  ) {}

  /** Declared, with its hypervisors' agents ready; the fabric's agent does not run yet. */
  static async open(options: YardOptions = {}): Promise<InfinibandYard> {
    const made = new InfinibandYard(await Yard.open(options), options.log ?? silentLog());
    await made.yard.applyMzone(made.document);
    for (const name of HYPERVISORS) await made.yard.startAgent(name, made.document);
    await made.yard.ready(...HYPERVISORS);
    return made;
  }

  /** Starts the fabric's agent; without a subnet manager of its own it has a made-up one. */
  async startFabric(subnetManager?: SubnetManager): Promise<void> {
    const { yard } = this;
    this.credentials ??= await yard.enroll(FABRIC);
    const { credentials } = this;
    const bus = yard.broker.connect(FABRIC, nodePermissions(credentials.nodeId));
    const agent = createAgent(
      {
        credentials,
        ...{ broker: "127.0.0.1:1", dataDir: yard.nodeDir(FABRIC), logLevel: "silent" },
        ...{ sweepMs: 500, reportMs: 500, helloMs: 5_000 },
        fake: { model: "mini-2gpu", serial: "IBSM01", cabling: [] },
        fabric: { partitionsFile: "/partitions.conf", pidFile: "/opensm.pid" },
      },
      { bus, log: this.log, ...(subnetManager && { subnetManager }) },
    );
    yard.agents.set(FABRIC, agent);
    agent.start();
    await yard.ready(FABRIC);
  }
  private credentials: Awaited<ReturnType<Yard["enroll"]>> | undefined;

  /** Where the made-up fabric is. */
  get fabricDir(): string {
    return join(this.yard.nodeDir(FABRIC), "fabric");
  }

  async customer(account: string): Promise<Customer> {
    return new Customer(await this.yard.tenant(account));
  }

  /** A new cluster network with two subnets, one for each rail. */
  async network(customer: Customer, name: string): Promise<readonly string[]> {
    const { id } = await customer.network({ name, profile: "ib-1" });
    return [(await customer.subnet(id)).id, (await customer.subnet(id)).id];
  }

  /** What the hypervisors' agents saw last. */
  hostPasses() {
    return HYPERVISORS.flatMap((name) => this.yard.agents.get(name)?.lastPass() ?? []);
  }

  close(): Promise<void> {
    return this.yard.close();
  }
}
