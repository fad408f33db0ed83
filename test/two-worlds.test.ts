// Two worlds that differ in what another account does: everything that the first one is answered
// and told is the same, byte by byte. Time stands still unless moved, chance comes from one seed.
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Controller, createController } from "@railyard/controller/controller";
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { ManualClock, settle } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { type Rng, seededRng } from "@railyard/lib/rng";
import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import { Role, TokenServiceService } from "@railyard/proto/gen/railyard/admin/v1/token";
import { ClusterNetworkServiceService } from "@railyard/proto/gen/railyard/v1/cluster_network";
import { ClusterNetworkInterfaceServiceService } from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import { ClusterNetworkSubnetServiceService } from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { ClusterNetworkSubnetReservedIpServiceService } from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import {
  BatchCreateInstancesRequest,
  InstanceServiceService,
} from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceClusterNetworkAttachmentServiceService } from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import {
  CreateHoldRequest,
  PlacementServiceService,
} from "@railyard/proto/gen/railyard/v1/placement";
import { WatchObjectsRequest, WatchServiceService } from "@railyard/proto/gen/railyard/v1/watch";
import { controllerPermissions } from "@railyard/proto/subjects";
import { expect, test } from "vitest";
import { Customer, instanceRequest } from "./customer.js";
import { removeFolder } from "./scratch.js";
import { addNode } from "./tenant/rig.js";
import { until } from "./until.js";
import { type Method, Wire, WireError } from "./wire.js";
import { exampleMzone } from "./yard.js";

const networks = ClusterNetworkServiceService;
const interfaces = ClusterNetworkInterfaceServiceService;
const subnets = ClusterNetworkSubnetServiceService;
const ips = ClusterNetworkSubnetReservedIpServiceService;
const instances = InstanceServiceService;
const attachments = InstanceClusterNetworkAttachmentServiceService;
const placement = PlacementServiceService;
const WHOLE = "gx3d-152x1536-8h100";

const NODES = 24;
const LEASE_MS = 3_000;
const A_STEPS = 60;
const B_STEPS_MAX = 3;
const NAMES = ["one", "two", "three", "four"];

/** A controller in a world of its own, with healthy nodes, and one caller for each account. */
class World {
  readonly clock = new ManualClock();
  private readonly dir = mkdtempSync(join(tmpdir(), "railyard-worlds-"));
  private readonly wires: Wire[] = [];
  private controller!: Controller;
  a!: Person;
  b!: Person;

  static async open(): Promise<World> {
    const world = new World();
    await world.start();
    return world;
  }

  private async start(): Promise<void> {
    const { clock } = this;
    const local = { host: "127.0.0.1", port: 0 };
    const config = { listen: local, adminListen: local, dataDir: this.dir, broker: "127.0.0.1:1" };
    const times = { heartbeatMs: 1_000, leaseMs: LEASE_MS, quarantineMs: 60_000 };
    const rest = { brokerPidFile: "", region: "us-east", reflection: false } as const;
    const bus = new MemoryBroker(clock).connect("controller", controllerPermissions());
    this.controller = await createController(
      { ...config, ...times, ...rest, logLevel: "silent" },
      { bus, log: silentLog(), clock, rng: seededRng("world") },
    );
    await this.controller.start();
    const secret = readFileSync(join(this.dir, "operator.token"), "utf8").trim();
    const operator = this.wire(this.controller.ports.admin, secret);
    await operator.call(MzoneServiceService.applyMzone, {
      source: { $case: "documentJson", value: Buffer.from(JSON.stringify(exampleMzone())) },
      ...{ requestId: "", validateOnly: false, allowDisruption: false },
    });
    await this.addNodes();
    this.a = new Person(await this.tenant(operator, "acme"), seededRng("a"));
    this.b = new Person(await this.tenant(operator, "globex"), seededRng("b"));
  }

  private async addNodes(): Promise<void> {
    const { context: ctx } = this.controller;
    const clusters = await ctx.store.read((tx) => tx.physicalClusters.all());
    const cluster = clusters.find(({ type }) => type === "hopper-roce")?.id ?? "";
    const write: Parameters<typeof addNode>[0]["write"] = (fn) =>
      ctx.store.write({ by: "system:test", method: "Test", at: 0 }, fn);
    for (let i = 0; i < NODES; i++) await addNode({ ctx, write }, `node-${i}`, cluster);
  }

  /** Time goes on; whoever has work is silent, the others go on beating. */
  async silenceHosts(ms: number): Promise<void> {
    const { store, leases } = this.controller.context;
    const idle = await store.read(async (tx) => {
      const nodes = await tx.nodes.all();
      const found: (typeof nodes)[number][] = [];
      for (const node of nodes) {
        if ((await tx.instancesOnNode(node.id)).length === 0) found.push(node);
      }
      return found;
    });
    const pulse = { epoch: 1n, acceptedGeneration: 0n, appliedGeneration: 0n, digest: "" };
    for (let past = 0; past < ms; past += LEASE_MS / 6) {
      for (const { id, session } of idle) {
        if (session) leases.beat(id, { session, ...pulse });
      }
      await this.clock.advance(LEASE_MS / 6);
      await settle();
    }
  }

  private async tenant(operator: Wire, account: string): Promise<Wire> {
    const { secret } = await operator.call(TokenServiceService.createToken, {
      ...{ account, roles: [Role.ROLE_TENANT_ADMIN], name: "" },
      ...{ requestId: "", validateOnly: false },
    });
    return this.wire(this.controller.ports.tenant, secret);
  }

  private wire(port: number, token: string): Wire {
    const wire = new Wire(`127.0.0.1:${port}`, token);
    this.wires.push(wire);
    return wire;
  }

  async close(): Promise<void> {
    for (const wire of this.wires) wire.close();
    const stopped = this.controller.stop();
    await this.clock.advance(5_000);
    await stopped;
    await removeFolder(this.dir);
  }
}

type Kind = "network" | "subnet" | "interface" | "instance" | "hold";
type Made = { readonly id: string; readonly in: string };

/** Does one thing after another, by chance; keeps what it was answered. */
class Person {
  readonly answers: string[] = [];
  private readonly customer: Customer;
  private readonly made: Record<Kind, Made[]> = {
    network: [],
    subnet: [],
    interface: [],
    instance: [],
    hold: [],
  };

  constructor(
    readonly wire: Wire,
    private readonly rng: Rng,
  ) {
    this.customer = new Customer(wire);
  }

  /** Begins with an instance that is never stopped. */
  async settleIn(): Promise<void> {
    await this.network();
    await this.subnet();
    await this.instance();
    this.made.instance.length = 0;
  }

  async act(): Promise<void> {
    const acts = [
      () => this.network(),
      () => this.subnet(),
      () => this.interface(),
      () => this.instance(),
      () => this.lists(),
      () => this.reads(),
      () => this.changes(),
      () => this.removes(),
      () => this.holds(),
      () => this.batch(),
    ];
    await acts[this.rng.int(acts.length)]?.();
  }

  /** Keeps the answer, or the whole refusal. */
  private async ask<Q, R>(method: Method<Q, R>, request: Q): Promise<R | undefined> {
    try {
      const answer = await this.wire.call(method, request);
      this.answers.push(`${method.path} ${text(answer)}`);
      return answer;
    } catch (err) {
      if (!(err instanceof WireError)) throw err;
      this.answers.push(`${method.path} ${err.code} ${err.message} ${text(err.details)}`);
      return undefined;
    }
  }

  /** Runs one of the customer's calls; keeps what it gives. */
  private async kept<T extends { readonly id: string }>(
    what: string,
    run: Promise<T>,
  ): Promise<string | undefined> {
    try {
      const made = await run;
      this.answers.push(`${what} ${text(made)}`);
      return made.id;
    } catch (err) {
      if (!(err instanceof WireError)) throw err;
      this.answers.push(`${what} ${err.code} ${err.message} ${text(err.details)}`);
      return undefined;
    }
  }

  private name(): string {
    return this.rng.int(2) === 0 ? "" : (NAMES[this.rng.int(NAMES.length)] ?? "");
  }

  private pick(kind: keyof Person["made"]): Made {
    const all = this.made[kind];
    return all[this.rng.int(Math.max(1, all.length))] ?? { id: "nothing-there", in: "nothing" };
  }

  private async network(): Promise<void> {
    const id = await this.kept("network", this.customer.network({ name: this.name() }));
    if (id) this.made.network.push({ id, in: "" });
  }

  private async subnet(): Promise<void> {
    const { id: parent } = this.pick("network");
    const id = await this.kept("subnet", this.customer.subnet(parent, { name: this.name() }));
    if (id) this.made.subnet.push({ id, in: parent });
  }

  private async interface(): Promise<void> {
    const subnet = this.pick("subnet");
    const run = this.customer.interface(subnet.in, subnet.id, this.name());
    const id = await this.kept("interface", run);
    if (id) this.made.interface.push({ id, in: subnet.in });
  }

  /** One beside the first: answers about capacity are about everybody. */
  private async instance(): Promise<void> {
    const full = this.made.instance.length === 1;
    const { id: subnet } = this.pick("subnet");
    const count = full ? 3 : 8;
    const run = this.customer.instance(this.name(), Array<string>(count).fill(subnet));
    const id = await this.kept("instance", run);
    if (id) this.made.instance.push({ id, in: "" });
  }

  /** One at a time: answers about capacity are about everybody. */
  private async holds(): Promise<void> {
    const [held] = this.made.hold.splice(0);
    await this.ask(placement.listHolds, { pageSize: 1, pageToken: "" });
    if (held) {
      await this.ask(placement.getHold, { id: held.id });
      await this.ask(placement.deleteHold, { id: held.id, etag: "", validateOnly: false });
      return;
    }
    const shape = { clusterNetworkId: this.pick("network").id, instanceProfile: WHOLE, count: 1 };
    const request = { name: this.name(), shape, ttl: { seconds: 3_600n } };
    const made = await this.ask(placement.createHold, CreateHoldRequest.fromPartial(request));
    if (made?.hold) this.made.hold.push({ id: made.hold.id, in: "" });
  }

  private async batch(): Promise<void> {
    const subnetIds = Array<string>(8).fill(this.pick("subnet").id);
    const { template } = instanceRequest("", subnetIds);
    const request = { template: template!, count: 2, namePrefix: this.name(), validateOnly: true };
    await this.ask(
      instances.batchCreateInstances,
      BatchCreateInstancesRequest.fromPartial(request),
    );
  }

  private async lists(): Promise<void> {
    const page = { pageSize: 2, pageToken: "", orderBy: "" };
    const first = await this.ask(networks.listClusterNetworks, {
      ...page,
      ...{ name: "", resourceGroupId: "", vpcId: "" },
    } as never);
    const pageToken = (first as { nextPageToken?: string } | undefined)?.nextPageToken ?? "";
    await this.ask(networks.listClusterNetworks, {
      ...{ ...page, pageToken, name: "", resourceGroupId: "", vpcId: "" },
    } as never);
    const { id: subnetId, in: clusterNetworkId } = this.pick("subnet");
    const all = { pageSize: 100, pageToken: "", orderBy: "" };
    await this.ask(ips.listClusterNetworkSubnetReservedIps, {
      ...{ ...all, subnetId, clusterNetworkId, name: "", address: "" },
    } as never);
    const filter = { name: "", vpcId: "", clusterNetworkId: "", profile: "", status: 0 };
    await this.ask(instances.listInstances, { ...all, ...filter } as never);
    const { id: instanceId } = this.pick("instance");
    await this.ask(attachments.listInstanceClusterNetworkAttachments, {
      ...{ ...all, instanceId },
    } as never);
  }

  private async reads(): Promise<void> {
    await this.ask(networks.getClusterNetwork, { id: this.pick("network").id });
    const { id, in: clusterNetworkId } = this.pick("interface");
    await this.ask(interfaces.getClusterNetworkInterface, { id, clusterNetworkId });
    await this.ask(instances.getInstance, { id: this.pick("instance").id });
  }

  private async changes(): Promise<void> {
    const { id, in: clusterNetworkId } = this.pick("subnet");
    await this.ask(subnets.updateClusterNetworkSubnet, {
      ...{ id, clusterNetworkId, clusterNetworkSubnet: { name: this.name() } },
      ...{ updateMask: ["name"], etag: "", validateOnly: this.rng.int(4) === 0 },
    } as never);
    const { id: instanceId } = this.pick("instance");
    await this.ask(instances.stopInstance, {
      ...{ id: instanceId, etag: "", force: false, validateOnly: false, requestId: "" },
    } as never);
  }

  private async removes(): Promise<void> {
    const { id, in: clusterNetworkId } = this.pick("interface");
    const wish = { etag: "", validateOnly: false };
    await this.ask(interfaces.deleteClusterNetworkInterface, { id, clusterNetworkId, ...wish });
    const network = { id: this.pick("network").id, cascade: this.rng.int(2) === 0, ...wish };
    await this.ask(networks.deleteClusterNetwork, network);
  }
}

/** Everything in a message, as text. */
function text(message: unknown): string {
  return JSON.stringify(message, (_key, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    return value instanceof Map ? [...value] : value;
  });
}

/** What A is answered and told, while B does as much as `busy` says. */
async function life(busy: boolean): Promise<{ answers: string[]; told: string[]; b: number }> {
  const world = await World.open();
  const { a, b, clock } = world;
  try {
    const request = WatchObjectsRequest.fromPartial({ fromRevision: 0n });
    const watch = a.wire.stream(WatchServiceService.watchObjects, request);
    const noise = seededRng("noise");
    await a.settleIn();
    if (busy) await b.settleIn();
    for (let i = 0; i < A_STEPS; i++) {
      await a.act();
      for (let j = noise.int(B_STEPS_MAX + 1); busy && j > 0; j--) await b.act();
      await clock.advance(20);
    }
    // What happens to an instance on a silent host is nobody's request.
    await world.silenceHosts(4 * LEASE_MS);
    await until("the watch has told all", async () => {
      await clock.advance(20);
      const last = watch.messages.at(-1)?.message;
      return last?.$case === "bookmark" && watch.messages.length > A_STEPS / 2;
    });
    watch.call.cancel();
    const events = watch.messages.flatMap(({ message }) =>
      message?.$case === "event" ? [text(message.value)] : [],
    );
    return { answers: a.answers, told: events, b: b.answers.length };
  } finally {
    await world.close();
  }
}

test("what an account is answered and told does not depend on another one's doings", async () => {
  const alone = await life(false);
  const beside = await life(true);
  expect(beside.b).toBeGreaterThan(A_STEPS);
  expect(beside.answers).toEqual(alone.answers);
  expect(beside.told).toEqual(alone.told);
  const faulted = alone.told.filter((event) => event.includes('"healthState":3'));
  expect(faulted.length).toBeGreaterThan(0);
});
