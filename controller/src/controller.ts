// The controller's composition root: one process, put together from its parts. Tests call it with
// parts of their own. It starts without a broker, and answers its API meanwhile.
import type { Bus } from "@railyard/lib/bus/bus";
import { connectNats } from "@railyard/lib/bus/nats";
import { type Clock, systemClock, withDeadline } from "@railyard/lib/clock";
import { KeptFile } from "@railyard/lib/durable-file";
import { refuse } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import { createLog, type Log } from "@railyard/lib/log";
import type { Loop } from "@railyard/lib/loop";
import { type Rng, systemRng } from "@railyard/lib/rng";
import { contractImage } from "@railyard/proto/image";
import { CONTROLLER_INBOX, controllerPermissions, nodePermissions } from "@railyard/proto/subjects";
import { ACCOUNT_CALLS_MAX, AccountCalls } from "./api/account-calls.js";
import type { AnyHandlers } from "./api/handler.js";
import { adminHandlers, tenantHandlers } from "./api/handlers.js";
import { Limits } from "./api/limits.js";
import { pageSigner } from "./api/paging.js";
import { createSealer } from "./api/seal.js";
import { ApiServer } from "./api/server.js";
import { ADMIN_SERVICES, TENANT_SERVICES } from "./api/services.js";
import { complete, encodeObject } from "./api/watch-object.js";
import { storedCatalog } from "./catalog/stored.js";
import { type ControllerConfig, type Failpoint, printableConfig } from "./config.js";
import { DataDir } from "./data-dir.js";
import { ConsoleDispatch } from "./dispatch/console.js";
import { Inbox } from "./dispatch/inbox.js";
import { Relay } from "./dispatch/relay.js";
import { reloadBroker } from "./loops/broker-reload.js";
import { keepBrokerUsers } from "./loops/broker-users.js";
import { holdsLoop } from "./loops/holds.js";
import { inventoriesLoop } from "./loops/inventories.js";
import { leasesLoop } from "./loops/leases.js";
import { nodeFaultsLoop } from "./loops/node-faults.js";
import { reclaimLoop } from "./loops/reclaim.js";
import { Resync } from "./loops/resync.js";
import { enrolledNodes, renderBrokerUsers } from "./service/broker-users.js";
import { type ConsoleLines, IDLE_MS } from "./service/console.js";
import type { ServiceContext } from "./service/context.js";
import { fleetOf } from "./service/fleet.js";
import { Leases } from "./service/leases.js";
import type { EnrolledNode } from "./service/node-book.js";
import { settleReadOnly } from "./service/read-only.js";
import { authenticate, ensureOperatorToken } from "./service/token.js";
import { tokensOf } from "./service/token-cache.js";
import { WatchHub } from "./service/watch/hub.js";
import { objectEncoder } from "./service/watch/objects.js";
import type { Store } from "./store/contract.js";
import { openSqlite } from "./store/sqlite.js";

/** Loops and dispatch that have not ended by then are left behind. */
const QUIET_MS = 1_000;
/** Upper bounds between two looks of each loop. */
const RELAY_PERIOD_MS = 1_000;
const RESYNC_PERIOD_MS = 5_000;
const FAULTS_PERIOD_MS = 1_000;
const HOLDS_PERIOD_MS = 1_000;
const INVENTORIES_PERIOD_MS = 5_000;
const RECLAIM_PERIOD_MS = 60_000;

export interface ControllerOverrides {
  readonly clock?: Clock;
  readonly rng?: Rng;
  /** Closed by `stop`. */
  readonly bus?: Bus;
  /** Closed by `stop`. */
  readonly store?: Store;
  readonly log?: Log;
  /** Ends the process at once, as by `kill -9`. */
  readonly die?: () => void;
}

export interface Controller {
  /** What services are given; for tests that call them without a socket. */
  readonly context: ServiceContext;
  /** base64url of the key that signs desired states. */
  readonly publicKey: string;
  /** Ports bound by `start`; 0 before. */
  readonly ports: { readonly tenant: number; readonly admin: number };
  /** Writes the broker's users, makes the operator's token, listens, then looks for the broker. */
  start(): Promise<void>;
  /** Ends within five seconds. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Opens data directory and store. Errors: `precondition` when another controller has the store
 * open, `unavailable` when it cannot be opened.
 */
export async function createController(
  config: ControllerConfig,
  overrides: ControllerOverrides = {},
): Promise<Controller> {
  const clock = overrides.clock ?? systemClock();
  const rng = overrides.rng ?? systemRng();
  const log = overrides.log ?? createLog("controller", config.logLevel);
  const die = overrides.die ?? (() => process.kill(process.pid, "SIGKILL"));
  const dataDir = new DataDir(config.dataDir, rng);
  const onFatal = (err: unknown) => {
    log.fatal({ err }, "the store cannot go on");
    die();
  };
  const store =
    overrides.store ??
    (await openSqlite({
      path: dataDir.database,
      clock,
      log: log.child({ part: "store" }),
      onFatal,
      encode: objectEncoder({ catalog: storedCatalog() }, encodeObject),
    }));
  return new Assembly({ config, clock, rng, log, die, dataDir, store, bus: overrides.bus });
}

/** A loop, or what else runs until it is stopped. */
interface Running {
  start(): void;
  stop(): Promise<void>;
}

interface Parts {
  readonly config: ControllerConfig;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
  readonly die: () => void;
  readonly dataDir: DataDir;
  readonly store: Store;
  readonly bus: Bus | undefined;
}

class Assembly implements Controller {
  readonly context: ServiceContext;
  readonly publicKey: string;
  ports = { tenant: 0, admin: 0 };
  private readonly stopping = new AbortController();
  private readonly hub: WatchHub;
  private readonly tenantApi: ApiServer;
  private readonly adminApi: ApiServer;
  private bus: Bus | undefined;
  private relay: Relay | undefined;
  private consoles: ConsoleDispatch | undefined;
  private users: Loop | undefined;
  private rendered: { readonly nodes: readonly EnrolledNode[]; readonly text: string } | undefined;
  private readonly running: Running[] = [];
  private connecting: Promise<void> = Promise.resolve();
  private stopped: Promise<void> | undefined;

  constructor(private readonly parts: Parts) {
    this.context = this.makeContext();
    this.publicKey = parts.dataDir.signer.publicKey;
    const { store, clock, log } = parts;
    this.hub = new WatchHub({
      ...{ store, clock, log: log.child({ part: "watch" }) },
      complete,
    });
    const consoles = { open: this.openConsole, idleMs: parts.config.consoleIdleMs ?? IDLE_MS };
    const served = { hub: this.hub, consoles };
    this.tenantApi = this.makeApi("tenant", tenantHandlers(this.context, served));
    const sealer = createSealer(parts.dataDir.keyFor("answers"), parts.rng);
    const keys = { signing: this.publicKey, sealer };
    this.adminApi = this.makeApi("admin", adminHandlers(this.context, keys));
  }

  async start(): Promise<void> {
    const { config, dataDir, log } = this.parts;
    log.info({ config: printableConfig(config) }, "controller starting");
    // An earlier life may have been cut short and have left its own.
    dataDir.removeEndpoints();
    await ensureOperatorToken(this.context, dataDir.operatorToken);
    // Placement's view of the fleet is read once, here, before anybody waits for it.
    await this.parts.store.read((tx) => fleetOf(tx, this.context));
    await settleReadOnly(this.context, config.acceptLostCommits ?? false);
    this.users = await this.keepUsers();
    this.ports = {
      tenant: await this.tenantApi.listen(config.listen),
      admin: await this.adminApi.listen(config.adminListen),
    };
    const tenant = `${config.listen.host}:${this.ports.tenant}`;
    const admin = `${config.adminListen.host}:${this.ports.admin}`;
    dataDir.writeEndpoints({ tenant, admin });
    this.run(this.users);
    this.run(this.hub);
    this.run(reclaimLoop(this.context, RECLAIM_PERIOD_MS));
    this.run(nodeFaultsLoop(this.context, FAULTS_PERIOD_MS));
    this.run(holdsLoop(this.context, HOLDS_PERIOD_MS));
    this.run(inventoriesLoop(this.context, INVENTORIES_PERIOD_MS));
    this.connecting = this.connect();
    log.info({ tenant, admin }, "controller listening");
  }

  stop(): Promise<void> {
    this.stopped ??= this.end();
    return this.stopped;
  }

  private async end(): Promise<void> {
    const { dataDir, store, log } = this.parts;
    this.stopping.abort();
    dataDir.removeEndpoints();
    await Promise.all([this.tenantApi.stop(), this.adminApi.stop()]);
    const quiet = this.connecting.then(() => Promise.all(this.running.map((part) => part.stop())));
    const limit = { ms: QUIET_MS, what: "loops" };
    await withDeadline(systemClock(), limit, quiet).catch((err) =>
      log.warn({ err }, "stopping without waiting longer"),
    );
    await this.bus?.close();
    await store.close();
    log.info({}, "controller stopped");
  }

  private makeContext(): ServiceContext {
    const { config, clock, rng, log, store } = this.parts;
    return {
      store,
      clock,
      rng,
      log: log.child({ part: "service" }),
      catalog: storedCatalog(),
      leases: new Leases(clock, config.leaseMs),
      nudgeRelay: () => this.relay?.nudge(),
      nudgeEnrolment: () => this.users?.nudge(),
      settings: { region: config.region, quarantineMs: config.quarantineMs },
    };
  }

  private makeApi(name: "tenant" | "admin", handlers: AnyHandlers): ApiServer {
    const { config, dataDir, log, store } = this.parts;
    const image = contractImage();
    return new ApiServer({
      services: name === "tenant" ? TENANT_SERVICES : ADMIN_SERVICES,
      handlers,
      authenticate: (secret) => authenticate(this.context, secret),
      onTokenTouch: (id, fn) => tokensOf(store).onTouch(id, fn),
      limits: new Limits(image),
      signPage: pageSigner(dataDir.keyFor("pages")),
      accountCalls: new AccountCalls(config.accountCallsMax ?? ACCOUNT_CALLS_MAX),
      // Sockets live in real time, whatever clock the yard runs on.
      clock: systemClock(),
      log: log.child({ part: "api", listener: name }),
      health: {
        store: () => store.read(async (tx) => (await tx.meta.get("epoch")) !== undefined),
        dispatch: () => this.bus?.connected ?? false,
      },
      reflect: config.reflection ? image : undefined,
      tls: config.tls,
      connectionsMax: config.connectionsMax,
      perPeerMax: config.peerConnectionsMax,
    });
  }

  private keepUsers(): Promise<Loop> {
    const { config, clock, dataDir } = this.parts;
    const log = this.parts.log.child({ part: "broker-users" });
    return keepBrokerUsers({
      clock,
      log,
      render: () => this.renderUsers(),
      file: new KeptFile(dataDir.brokerUsers),
      reload: () => reloadBroker(config.brokerPidFile, log),
    });
  }

  /** The same text until a node is enrolled or leaves: a large fleet's takes a while to make. */
  private async renderUsers(): Promise<string> {
    const nodes = await enrolledNodes(this.context);
    if (this.rendered?.nodes === nodes) return this.rendered.text;
    const text = this.usersOf(nodes);
    this.rendered = { nodes, text };
    return text;
  }

  private usersOf(nodes: readonly EnrolledNode[]): string {
    const { publicKey } = this.parts.dataDir.identity;
    const agents = nodes.map((node) => ({
      publicKey: node.publicKey,
      permissions: nodePermissions(node.id),
    }));
    return renderBrokerUsers([{ publicKey, permissions: controllerPermissions() }, ...agents]);
  }

  private startDispatch(bus: Bus): void {
    const { context: ctx } = this;
    const { config, dataDir, log } = this.parts;
    const relay = new Relay({
      ctx,
      bus,
      signer: dataDir.signer,
      periodMs: RELAY_PERIOD_MS,
      failpoint: (name) => this.failpoint(name),
    });
    const wake = (nodeId: NodeId) => relay.wake(nodeId);
    const resync = new Resync({ ctx, periodMs: RESYNC_PERIOD_MS, wake });
    const inbox = new Inbox({
      ctx,
      bus,
      signingPublicKey: dataDir.signer.publicKey,
      heartbeatMs: config.heartbeatMs,
      onWelcome: (nodeId) => relay.welcomed(nodeId),
      onNews: (nodeId) => resync.heard(nodeId),
    });
    bus.onReconnect(() => relay.reconnected());
    const { signer } = dataDir;
    this.consoles = new ConsoleDispatch({ bus, signer, clock: ctx.clock, log: ctx.log });
    this.relay = relay;
    const listening = leasesLoop({ ctx, hears: () => bus.connected });
    for (const part of [relay, resync, inbox, listening]) this.run(part);
    log.info({}, "dispatch started");
  }

  private readonly openConsole: ConsoleLines["open"] = async (wish, hear) => {
    if (this.consoles) return this.consoles.open(wish, hear);
    throw refuse("unavailable", "consoles cannot be reached at this moment");
  };

  private run(part: Running): void {
    this.running.push(part);
    part.start();
  }

  /** Dies as by power loss at the configured point, once, when a commit waits to be told. */
  private async failpoint(name: Failpoint): Promise<void> {
    const { config, dataDir, store, die } = this.parts;
    if (config.failpoint !== name) return;
    const pending = await store.read((tx) => tx.outbox.pending());
    // Every node's first generation is an empty one, which nobody waits for.
    const waits = pending.some(({ generation }) => generation > 1n);
    if (waits && dataDir.first(`failpoint-${name}`)) die();
  }

  /** Without a broker the API serves all the same; what must be told waits in the outbox. */
  private async connect(): Promise<void> {
    const { config, clock, dataDir, log } = this.parts;
    const { signal } = this.stopping;
    try {
      this.bus =
        this.parts.bus ??
        (await connectNats({
          server: config.broker,
          seed: dataDir.identity.seed,
          name: "controller",
          inboxPrefix: CONTROLLER_INBOX,
          clock,
          log: log.child({ part: "bus" }),
          signal,
        }));
      if (!signal.aborted) this.startDispatch(this.bus);
    } catch (err) {
      if (!signal.aborted) log.fatal({ err }, "dispatch cannot start");
    }
  }
}
