// A controller's dispatch over a real store and a broker in memory, with the example's servers and
// one of them enrolled. Time stands still unless told to move.
import { readFileSync } from "node:fs";
import { storedCatalog } from "@railyard/controller/catalog/stored";
import { Inbox } from "@railyard/controller/dispatch/inbox";
import { type FailPoint, Relay } from "@railyard/controller/dispatch/relay";
import type { Instance } from "@railyard/controller/domain/instance";
import type { Node } from "@railyard/controller/domain/node";
import type { Mutation, ServiceContext } from "@railyard/controller/service/context";
import { Leases } from "@railyard/controller/service/leases";
import { applyMzone } from "@railyard/controller/service/mzone";
import { createJoinToken } from "@railyard/controller/service/node";
import type { WriteTx } from "@railyard/controller/store/contract";
import { openSqlite } from "@railyard/controller/store/sqlite";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { ManualClock, settle } from "@railyard/lib/clock";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { createSigner, newSeed } from "@railyard/lib/sign";
import { controllerPermissions } from "@railyard/proto/subjects";
import { parse } from "yaml";

const EXAMPLE = new URL("../../deploy/mzone.example.yaml", import.meta.url);
const NODE = "wdc07-a-r01-s01";
const CAUSE = { by: "system:test", method: "test", at: 1 };

export function call<V>(method: string): Mutation<V, V> {
  return {
    principal: { id: "tok", account: undefined, roles: ["operator"] },
    method,
    requestId: undefined,
    requestHash: "",
    validateOnly: false,
    answer: (value) => value,
    encode: () => new Uint8Array(),
    decode: () => {
      throw new Error("not repeated here");
    },
  };
}

/** A controller's dispatch over a real store and a broker in memory, with one enrolled node. */
export class DispatchYard {
  readonly clock = new ManualClock();
  readonly broker = new MemoryBroker(this.clock);
  readonly signer = createSigner(newSeed(seededRng("key")));
  readonly points: FailPoint[] = [];
  ctx!: ServiceContext;
  relay!: Relay;
  inbox!: Inbox;
  nodeId!: NodeId;

  async open(): Promise<this> {
    const { clock } = this;
    const log = silentLog();
    const onFatal = (err: unknown) => {
      throw err;
    };
    this.ctx = {
      store: await openSqlite({ path: ":memory:", clock, log, onFatal }),
      clock,
      rng: seededRng("yard"),
      log,
      catalog: storedCatalog(),
      leases: new Leases(clock, 5_000),
      nudgeRelay: () => this.relay?.nudge(),
      nudgeEnrolment: () => undefined,
      settings: { region: "us-east", quarantineMs: 1_000 },
    };
    await applyMzone(this.ctx, call("ApplyMzone"), parse(readFileSync(EXAMPLE, "utf8")));
    const { publicKey } = createBusIdentity();
    const input = { nodeName: NODE, publicKey };
    this.nodeId = (await createJoinToken(this.ctx, call("CreateJoinToken"), input)).node.id;
    const bus = this.broker.connect("controller", controllerPermissions());
    this.relay = new Relay({
      ctx: this.ctx,
      bus,
      signer: this.signer,
      periodMs: 1_000,
      failpoint: (name) => void this.points.push(name),
    });
    this.inbox = new Inbox({
      ctx: this.ctx,
      bus,
      signingPublicKey: this.signer.publicKey,
      heartbeatMs: 1_000,
      onWelcome: (nodeId) => this.relay.welcomed(nodeId),
      onNews: () => undefined,
    });
    bus.onReconnect(() => this.relay.reconnected());
    this.inbox.start();
    this.relay.start();
    return this;
  }

  node(): Promise<Node> {
    return this.ctx.store.read(async (tx) => (await tx.nodes.get(this.nodeId))!);
  }

  instance(id: InstanceId): Promise<Instance | undefined> {
    return this.ctx.store.read((tx) => tx.everyone.instances.get(id));
  }

  write<T>(fn: (tx: WriteTx) => Promise<T>): Promise<T> {
    return this.ctx.store.write(CAUSE, fn);
  }

  async pass(ms = 50): Promise<void> {
    await this.clock.advance(ms);
    await settle();
    await this.clock.advance(10);
  }

  async close(): Promise<void> {
    const stopped = Promise.all([this.inbox.stop(), this.relay.stop()]);
    await this.clock.advance(10_000);
    await stopped;
    await this.ctx.store.close();
  }
}
