// A yard of real processes for tests that kill them: nats-server, the built controller and agents,
// each in a process of its own, on free ports that stay the same across restarts.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import {
  ListNodesRequest,
  NodeServiceService,
  NodeState,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import { Role, TokenServiceService } from "@railyard/proto/gen/railyard/admin/v1/token";
import { type Broker, freePort, startBroker } from "./broker.js";
import { ROOT } from "./root.js";
import { removeFolder } from "./scratch.js";
import { until } from "./until.js";
import { Wire } from "./wire.js";
import { exampleMzone, type MzoneDocument, machineOf } from "./yard.js";

function program(workspace: "controller" | "agent"): string {
  return join(ROOT, workspace, "dist", "main.js");
}

/** One process that can be killed and started again. */
export class Daemon {
  private child: ChildProcess | undefined;

  constructor(
    private readonly name: string,
    private readonly dir: string,
    private readonly runs: { readonly script: string; readonly env: Record<string, string> },
  ) {}

  start(): void {
    const log = openSync(join(this.dir, `${this.name}.log`), "a", 0o600);
    const { PATH, HOME, TMPDIR } = process.env;
    const inherited = { PATH, HOME, ...(TMPDIR && { TMPDIR }) };
    this.child = spawn(process.execPath, [this.runs.script], {
      env: { ...inherited, ...this.runs.env },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
  }

  get log(): string {
    return readFileSync(join(this.dir, `${this.name}.log`), "utf8");
  }

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  get running(): boolean {
    const { child } = this;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Ends the process and answers its exit code and how long it took, milliseconds. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<{ code: number | null; ms: number }> {
    const { child } = this;
    if (!child || !this.running) return { code: child?.exitCode ?? null, ms: 0 };
    const begun = performance.now();
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill(signal);
    return { code: await exited, ms: performance.now() - begun };
  }

  /** Waits until the process died by itself. */
  async died(): Promise<void> {
    await until(`${this.name} dies`, () => !this.running);
  }
}

/** What an agent's process is started with. */
export interface Launch {
  readonly env?: Record<string, string>;
  readonly document?: MzoneDocument;
}

export class ProcessYard {
  readonly agents = new Map<string, Daemon>();
  readonly nodeIds = new Map<string, string>();
  private readonly wires: Wire[] = [];
  operator!: Wire;

  private constructor(
    readonly dir: string,
    private readonly parts: {
      readonly broker: Broker;
      readonly controller: Daemon;
      readonly ports: { readonly tenant: number; readonly admin: number };
    },
  ) {}

  get broker(): Broker {
    return this.parts.broker;
  }

  get controller(): Daemon {
    return this.parts.controller;
  }

  /** Broker and controller run, `document` is applied. `env` adds to the controller's settings. */
  static async open(
    env: Record<string, string> = {},
    document = exampleMzone(),
  ): Promise<ProcessYard> {
    const dir = mkdtempSync(join(tmpdir(), "railyard-processes-"));
    const data = join(dir, "controller");
    mkdirSync(data, { mode: 0o700 });
    const ports = { tenant: await freePort(), admin: await freePort() };
    const users = join(data, "broker-users.conf");
    const port = await freePort();
    const settings = {
      RAILYARD_CONTROLLER_BROKER: `127.0.0.1:${port}`,
      RAILYARD_CONTROLLER_LISTEN: `127.0.0.1:${ports.tenant}`,
      RAILYARD_CONTROLLER_ADMIN_LISTEN: `127.0.0.1:${ports.admin}`,
      RAILYARD_CONTROLLER_DATA_DIR: data,
      RAILYARD_CONTROLLER_BROKER_PID_FILE: join(dir, "nats.pid"),
      RAILYARD_CONTROLLER_HEARTBEAT_MS: "200",
      ...env,
    };
    const controller = new Daemon("controller", dir, {
      script: program("controller"),
      env: settings,
    });
    controller.start();
    await until("the broker's users", () => existing(users));
    const broker = await startBroker(`include "controller/broker-users.conf"`, { dir, port });
    const yard = new ProcessYard(dir, { broker, controller, ports });
    await yard.reach();
    await yard.applyMzone(document);
    return yard;
  }

  /** Waits for the controller's listeners, then signs in as the operator. */
  async reach(): Promise<void> {
    const token = await until("the operator's token", () =>
      existing(join(this.dir, "controller", "operator.token")),
    );
    this.operator = this.wire(this.parts.ports.admin, token.trim());
    await until("the controller answers", () =>
      this.operator.call(NodeServiceService.listNodes, ListNodesRequest.fromPartial({})).then(
        () => true,
        () => false,
      ),
    );
  }

  async applyMzone(document = exampleMzone()): Promise<void> {
    await this.operator.call(MzoneServiceService.applyMzone, {
      source: { $case: "documentJson", value: Buffer.from(JSON.stringify(document)) },
      requestId: "",
      validateOnly: false,
      allowDisruption: false,
    });
  }

  /** Enrols a declared server and starts its agent. */
  async startAgent(nodeName: string, how: Launch = {}): Promise<Daemon> {
    await this.enroll(nodeName);
    return this.launchAgent(nodeName, nodeName, how);
  }

  /** Gives a declared server a new identity, which ends its former one; answers the seed. */
  async enroll(nodeName: string): Promise<string> {
    const credentials = join(this.dir, `${nodeName}.credentials.json`);
    const identity = createBusIdentity();
    const { joinToken } = await this.operator.call(NodeServiceService.createJoinToken, {
      nodeName,
      publicKey: identity.publicKey,
      requestId: "",
      validateOnly: false,
    });
    if (!joinToken) throw new Error("no join token");
    this.nodeIds.set(nodeName, joinToken.nodeId);
    writePrivate(credentials, {
      nodeId: joinToken.nodeId,
      nodeName,
      incarnation: Number(joinToken.incarnation),
      seed: identity.seed,
      controllerPublicKey: joinToken.controllerPublicKey,
      broker: this.broker.server,
    });
    return identity.seed;
  }

  /** A process of an enrolled node, with a data directory of its own name. */
  launchAgent(nodeName: string, name: string, how: Launch = {}): Daemon {
    const { env = {}, document = exampleMzone() } = how;
    const fake = join(this.dir, `${name}.machine.json`);
    writePrivate(fake, machineOf(document, nodeName));
    const agent = new Daemon(name, this.dir, {
      script: program("agent"),
      env: {
        RAILYARD_AGENT_CREDENTIALS: join(this.dir, `${nodeName}.credentials.json`),
        RAILYARD_AGENT_DATA_DIR: join(this.dir, "agents", name),
        RAILYARD_AGENT_FAKE: fake,
        RAILYARD_AGENT_SWEEP_MS: "1000",
        RAILYARD_AGENT_REPORT_MS: "1000",
        RAILYARD_AGENT_HELLO_MS: "5000",
        ...env,
      },
    });
    mkdirSync(join(this.dir, "agents"), { recursive: true, mode: 0o700 });
    this.agents.set(name, agent);
    agent.start();
    return agent;
  }

  async node(nodeName: string) {
    const request = ListNodesRequest.fromPartial({ pageSize: 100 });
    const { nodes } = await this.operator.call(NodeServiceService.listNodes, request);
    const node = nodes.find(({ name }) => name === nodeName);
    if (!node) throw new Error(`${nodeName} is not declared`);
    return node;
  }

  async isReady(nodeName: string): Promise<boolean> {
    const { state } = await this.node(nodeName);
    return state === NodeState.NODE_STATE_READY;
  }

  async ready(nodeName: string): Promise<void> {
    await until(`${nodeName} ready`, () => this.isReady(nodeName));
  }

  async tenant(account: string): Promise<Wire> {
    const { secret } = await this.operator.call(TokenServiceService.createToken, {
      account,
      roles: [Role.ROLE_TENANT_ADMIN],
      name: "",
      requestId: "",
      validateOnly: false,
    });
    return this.wire(this.parts.ports.tenant, secret);
  }

  async close(): Promise<void> {
    for (const wire of this.wires) wire.close();
    const daemons = [...this.agents.values(), this.controller];
    await Promise.all(daemons.map((daemon) => daemon.end("SIGKILL")));
    await this.broker.stop();
    await removeFolder(this.dir);
  }

  private wire(port: number, token: string): Wire {
    const wire = new Wire(`127.0.0.1:${port}`, token);
    this.wires.push(wire);
    return wire;
  }
}

function existing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Not there yet.
    return undefined;
  }
}

function writePrivate(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value), { mode: 0o600 });
}
