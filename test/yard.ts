// A whole yard in one process: production controller, production agents, made-up machines below
// them, the bus in memory, gRPC over loopback. One fixture for every test that wants the system as
// a whole.
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, createAgent } from "@railyard/agent/agent";
import type { AgentConfig, Credentials, FakeMachine } from "@railyard/agent/config";
import { parseYaml } from "@railyard/cli/yaml-source";
import { type Controller, createController } from "@railyard/controller/controller";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { type Clock, systemClock } from "@railyard/lib/clock";
import { type Log, silentLog } from "@railyard/lib/log";
import type { Rng } from "@railyard/lib/rng";
import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import {
  ListNodesRequest,
  NodeServiceService,
  NodeState,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import { Role, TokenServiceService } from "@railyard/proto/gen/railyard/admin/v1/token";
import { controllerPermissions, nodePermissions } from "@railyard/proto/subjects";
import { ROOT } from "./root.js";
import { removeFolder } from "./scratch.js";
import { until } from "./until.js";
import { Wire } from "./wire.js";

const EXAMPLE = join(ROOT, "deploy", "mzone.example.yaml");
const FAST_MS = 100;
const ALL_NODES = ListNodesRequest.fromPartial({ pageSize: 100 });

/** The parts of an mzone document that tests look at or change. */
export interface MzoneDocument {
  metadata: { name: string; generation: number };
  profiles: {
    clusterNetworks: {
      name: string;
      minRails: number;
      onRailDown: string;
      instanceProfiles: string[];
      [field: string]: unknown;
    }[];
    instances: { name: string; [field: string]: unknown }[];
  };
  catalog: {
    volumes: { id: string }[];
    vpcSubnets: { id: string; name: string; vpc: string; zone: string }[];
  };
  zones: {
    name: string;
    physicalClusters: {
      name: string;
      leafGroups: { name: string; rails: { rail: number; leaves: string[] }[] }[];
    }[];
    servers: {
      name: string;
      serial: string;
      cluster: string;
      leafGroup: string;
      hardware: string;
      cabling: string;
    }[];
  }[];
}

/** A fresh copy of the example document. */
export function exampleMzone(): MzoneDocument {
  const parsed = parseYaml("mzone.example.yaml", readFileSync(EXAMPLE, "utf8"));
  if (parsed.t !== "ok") throw new Error("the example does not parse");
  return parsed.source.value as MzoneDocument;
}

export interface YardOptions {
  readonly log?: Log;
  /** The bus's delivery; default: every message once, at once. */
  readonly quarantineMs?: number;
  /** How long one heartbeat keeps a node alive; more than two heartbeats. */
  readonly leaseMs?: number;
  /** Calls that one account may have under way; 0: as many as come. */
  readonly accountCallsMax?: number;
  /** The controller's clock; default: the system's. */
  readonly clock?: Clock;
  /** The controller's chance; default: the system's. */
  readonly rng?: Rng;
  /** The agents' clock; default: the system's. */
  readonly agentClock?: Clock;
}

export class Yard {
  readonly broker = new MemoryBroker(systemClock());
  readonly agents = new Map<string, Agent>();
  private readonly wires: Wire[] = [];
  private readonly credentials = new Map<string, Credentials>();
  operator!: Wire;
  operatorToken = "";

  private constructor(
    readonly dir: string,
    public controller: Controller,
    private readonly options: YardOptions,
  ) {}

  /** A running controller with an empty store; nothing declared yet. */
  static async open(options: YardOptions = {}): Promise<Yard> {
    const dir = mkdtempSync(join(tmpdir(), "railyard-yard-"));
    const yard = new Yard(dir, undefined as unknown as Controller, options);
    await yard.startController();
    return yard;
  }

  async startController(): Promise<void> {
    const dataDir = join(this.dir, "controller");
    const { accountCallsMax } = this.options;
    this.controller = await createController(
      {
        listen: { host: "127.0.0.1", port: 0 },
        adminListen: { host: "127.0.0.1", port: 0 },
        dataDir,
        broker: "127.0.0.1:1",
        brokerPidFile: "",
        region: "us-east",
        heartbeatMs: FAST_MS,
        leaseMs: this.options.leaseMs ?? 3_000,
        quarantineMs: this.options.quarantineMs ?? 600_000,
        reflection: true,
        logLevel: "silent",
        ...(accountCallsMax !== undefined && { accountCallsMax }),
      },
      {
        bus: this.broker.connect("controller", controllerPermissions()),
        log: this.options.log ?? silentLog(),
        ...(this.options.clock && { clock: this.options.clock }),
        ...(this.options.rng && { rng: this.options.rng }),
      },
    );
    await this.controller.start();
    this.operatorToken = readFileSync(join(dataDir, "operator.token"), "utf8").trim();
    this.operator = this.wire(this.controller.ports.admin, this.operatorToken);
  }

  async applyMzone(document: MzoneDocument = exampleMzone()) {
    return this.operator.call(MzoneServiceService.applyMzone, {
      source: { $case: "documentJson", value: Buffer.from(JSON.stringify(document)) },
      requestId: "",
      validateOnly: false,
      allowDisruption: false,
    });
  }

  /** Enrols a declared node and remembers its credentials. */
  async enroll(nodeName: string): Promise<Credentials> {
    const identity = createBusIdentity();
    const { joinToken } = await this.operator.call(NodeServiceService.createJoinToken, {
      nodeName,
      publicKey: identity.publicKey,
      requestId: "",
      validateOnly: false,
    });
    if (!joinToken) throw new Error("no join token");
    const credentials = {
      nodeId: joinToken.nodeId,
      nodeName,
      incarnation: Number(joinToken.incarnation),
      seed: identity.seed,
      controllerPublicKey: joinToken.controllerPublicKey,
    };
    this.credentials.set(nodeName, credentials);
    return credentials;
  }

  /**
   * Starts the agent of a declared server of `document` on its made-up machine, enrolling it first.
   */
  async startAgent(nodeName: string, document = exampleMzone()): Promise<Agent> {
    const credentials = this.credentials.get(nodeName) ?? (await this.enroll(nodeName));
    const agent = this.makeAgent(
      credentials,
      this.nodeDir(nodeName),
      machineOf(document, nodeName),
    );
    this.agents.set(nodeName, agent);
    agent.start();
    return agent;
  }

  /** A further agent process of a node, with a data directory of its own. */
  makeAgent(credentials: Credentials, dataDir: string, fake: FakeMachine): Agent {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const config: AgentConfig = {
      credentials,
      broker: "127.0.0.1:1",
      dataDir,
      logLevel: "silent",
      sweepMs: 1_000,
      reportMs: 1_000,
      helloMs: 5_000,
      fake,
    };
    const bus = this.broker.connect(credentials.nodeName, nodePermissions(credentials.nodeId));
    const { log = silentLog(), agentClock } = this.options;
    return createAgent(config, { bus, log, ...(agentClock && { clock: agentClock }) });
  }

  async stopAgent(nodeName: string): Promise<void> {
    await this.agents.get(nodeName)?.stop();
    this.agents.delete(nodeName);
  }

  nodeDir(nodeName: string): string {
    return join(this.dir, "nodes", nodeName);
  }

  /** Where the made-up machine of a node is, for fault rules. */
  machineDir(nodeName: string): string {
    return join(this.nodeDir(nodeName), "machine");
  }

  async node(nodeName: string) {
    const { nodes } = await this.operator.call(NodeServiceService.listNodes, ALL_NODES);
    return nodes.find(({ name }) => name === nodeName);
  }

  /** Waits until every named node is ready. */
  async ready(...nodeNames: string[]): Promise<void> {
    await until("nodes ready", async () => {
      const { nodes } = await this.operator.call(NodeServiceService.listNodes, ALL_NODES);
      const ready = nodes.filter(({ state }) => state === NodeState.NODE_STATE_READY);
      return nodeNames.every((name) => ready.some((node) => node.name === name));
    });
  }

  /** A caller with a token of `account`. */
  async tenant(account: string, ...roles: Role[]): Promise<Wire> {
    return (await this.tenantWithSecret(account, ...roles)).wire;
  }

  /** The same, with the bearer token that it uses. */
  async tenantWithSecret(account: string, ...roles: Role[]) {
    const { secret } = await this.operator.call(TokenServiceService.createToken, {
      account,
      roles: roles.length > 0 ? roles : [Role.ROLE_TENANT_ADMIN],
      name: "",
      requestId: "",
      validateOnly: false,
    });
    return { wire: this.wire(this.controller.ports.tenant, secret), secret };
  }

  wire(port: number, token?: string): Wire {
    const wire = new Wire(`127.0.0.1:${port}`, token);
    this.wires.push(wire);
    return wire;
  }

  async close(): Promise<void> {
    for (const wire of this.wires) wire.close();
    await Promise.all([...this.agents.values()].map((agent) => agent.stop()));
    await this.controller.stop();
    await removeFolder(this.dir);
  }
}

/** The made-up machine that a declared server describes, cabled as declared. */
export function machineOf(document: MzoneDocument, nodeName: string): FakeMachine {
  for (const zone of document.zones) {
    const server = zone.servers.find(({ name }) => name === nodeName);
    const cluster = zone.physicalClusters.find(({ name }) => name === server?.cluster);
    const group = cluster?.leafGroups.find(({ name }) => name === server?.leafGroup);
    if (!server || !group) continue;
    const { serial, hardware: model } = server;
    return { model, serial, cabling: group.rails.map(({ leaves }) => leaves) };
  }
  throw new Error(`${nodeName} is not declared`);
}
