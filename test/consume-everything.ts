// A yard without agents whose nodes are all alive, asked over sockets by many accounts; what was
// left by an instance counts as seen gone at once. For tests that use everything up.
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Controller, createController } from "@railyard/controller/controller";
import { memberIds } from "@railyard/controller/domain/hold";
import { finishLeaving } from "@railyard/controller/service/instance-leave";
import { tenantTx } from "@railyard/controller/service/tenant";
import type { ReadTx, WriteTx } from "@railyard/controller/store/contract";
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { ManualClock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import { Role, TokenServiceService } from "@railyard/proto/gen/railyard/admin/v1/token";
import { controllerPermissions } from "@railyard/proto/subjects";
import { Customer } from "./customer.js";
import { removeFolder } from "./scratch.js";
import { addNode } from "./tenant/rig.js";
import { Wire } from "./wire.js";
import { exampleMzone } from "./yard.js";

const LEASE_MS = 24 * 3_600_000;
const LOCAL = { host: "127.0.0.1", port: 0 };
const ROWS = { filter: {}, limit: 1_000 };

/** An account with a network and a subnet. */
export interface Tenant {
  readonly account: AccountId;
  readonly secret: string;
  readonly customer: Customer;
  readonly networkId: string;
  readonly subnetId: string;
}

export class WholeYard {
  readonly clock = new ManualClock();
  readonly tenants: Tenant[] = [];
  private readonly dir = mkdtempSync(join(tmpdir(), "railyard-everything-"));
  private readonly wires: Wire[] = [];
  private controller!: Controller;

  /** `groups`: how many nodes there are in each leaf group. */
  static async open(groups: readonly number[], accounts: number): Promise<WholeYard> {
    const yard = new WholeYard();
    await yard.start(groups, accounts);
    return yard;
  }

  private async start(groups: readonly number[], accounts: number): Promise<void> {
    const bus = new MemoryBroker(this.clock).connect("controller", controllerPermissions());
    const where = { listen: LOCAL, adminListen: LOCAL, dataDir: this.dir, broker: "127.0.0.1:1" };
    const times = { heartbeatMs: 1_000, leaseMs: LEASE_MS, quarantineMs: 1_000 };
    const rest = { brokerPidFile: "", region: "us-east", reflection: false } as const;
    const parts = { bus, log: silentLog(), clock: this.clock, rng: seededRng("everything") };
    const config = { ...where, ...times, ...rest, logLevel: "silent" as const };
    this.controller = await createController(config, parts);
    await this.controller.start();
    const secret = readFileSync(join(this.dir, "operator.token"), "utf8").trim();
    const operator = this.wire(this.controller.ports.admin, secret);
    await operator.call(MzoneServiceService.applyMzone, {
      source: { $case: "documentJson", value: Buffer.from(JSON.stringify(exampleMzone())) },
      ...{ requestId: "", validateOnly: false, allowDisruption: false },
    });
    for (const [group, size] of groups.entries()) {
      for (let i = 0; i < size; i++) await this.addNode(`node-${group}-${i}`, `group-${group}`);
    }
    for (let i = 0; i < accounts; i++) this.tenants.push(await this.tenant(operator, `acc-${i}`));
  }

  private async addNode(id: string, leafGroup: string): Promise<void> {
    const { context: ctx } = this.controller;
    const clusters = await this.read((tx) => tx.physicalClusters.all());
    const cluster = clusters.find(({ type }) => type === "hopper-roce")?.id ?? "";
    await addNode({ ctx, write: (fn) => this.write(fn) }, id, cluster);
    await this.write(async (tx) => {
      const node = await tx.nodes.get(id as never);
      if (node) await tx.nodes.update({ ...node, leafGroup });
    });
  }

  private async tenant(operator: Wire, account: string): Promise<Tenant> {
    const { secret } = await operator.call(TokenServiceService.createToken, {
      ...{ account, roles: [Role.ROLE_TENANT_ADMIN], name: "" },
      ...{ requestId: "", validateOnly: false },
    });
    const customer = new Customer(this.wire(this.controller.ports.tenant, secret));
    const { id: networkId } = await customer.network();
    const { id: subnetId } = await customer.subnet(networkId);
    return { account: account as AccountId, secret, customer, networkId, subnetId };
  }

  /** The tenants' listener. */
  get server(): string {
    return `127.0.0.1:${this.controller.ports.tenant}`;
  }

  private wire(port: number, token: string): Wire {
    const wire = new Wire(`127.0.0.1:${port}`, token);
    this.wires.push(wire);
    return wire;
  }

  read<T>(fn: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.controller.context.store.read(fn);
  }

  private write<T>(fn: (tx: WriteTx) => Promise<T>): Promise<T> {
    return this.controller.context.store.write({ by: "system:test", method: "Test", at: 0 }, fn);
  }

  /** Every instance that leaves its node is seen gone. */
  async seeAllGone(): Promise<void> {
    await this.write(async (tx) => {
      const at = this.clock.now();
      for (const row of (await tx.everyone.instances.list(ROWS)).rows) {
        if (row.placement?.phase !== "leaving") continue;
        const given = { at, rng: seededRng(row.id), quarantineMs: 0 };
        await finishLeaving(tenantTx(tx, row.account), given, row);
      }
    });
  }

  /** Who claims which GPU and VF, and who should: one line for each, in order. */
  claims() {
    return this.read(async (tx) => {
      const devices: string[] = [];
      const claimants: string[] = [];
      for (const { nodeId, gpus, vfs } of await tx.claims.all()) {
        devices.push(...gpus.map(({ deviceId }) => `${nodeId} ${deviceId}`));
        devices.push(...vfs.map(({ nic, vf }) => `${nodeId} ${nic} ${vf}`));
        claimants.push(...gpus.map(({ instanceId }) => instanceId));
      }
      const holds = (await tx.everyone.holds.list(ROWS)).rows;
      const placed = (await tx.everyone.instances.list(ROWS)).rows.filter((row) => row.placement);
      const wanted = [...placed.map(({ id }) => id), ...holds.flatMap((hold) => memberIds(hold))];
      const sorted = (ids: Iterable<string>) => [...ids].sort();
      return { devices, claimants: sorted(new Set(claimants)), wanted: sorted(wanted) };
    });
  }

  /** Everything that is counted and not back at nothing. */
  leaks() {
    return this.read(async (tx) => {
      const left: string[] = [];
      for (const { nodeId } of await tx.claims.all()) left.push(`claims on ${nodeId}`);
      for (const { id } of await tx.nodes.all()) {
        const { vcpu, memoryMib, diskGib } = await tx.claims.ofNode(id);
        if (vcpu + memoryMib + diskGib > 0) left.push(`amounts of ${id}`);
      }
      for (const { account, subnetId } of this.tenants) {
        const mine = tx.account(account);
        for (const { subject, used } of await mine.quotas.counts()) {
          const own = subject === "cluster-networks" || subject === "subnets-per-network";
          if (used !== (own ? 1 : 0)) left.push(`${used} ${subject} of ${account}`);
        }
        const subnet = await mine.subnets.get(subnetId as never);
        if (subnet?.availableCount !== 251) left.push(`addresses of ${account}`);
      }
      for (const { id } of (await tx.everyone.instances.list(ROWS)).rows) left.push(id);
      for (const { id } of (await tx.everyone.holds.list(ROWS)).rows) left.push(id);
      return left;
    });
  }

  async close(): Promise<void> {
    for (const wire of this.wires) wire.close();
    const stopped = this.controller.stop();
    await this.clock.advance(5_000);
    await stopped;
    await removeFolder(this.dir);
  }
}
