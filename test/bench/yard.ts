// A controller under load as the bench sees it: its process, an operator, one tenant, and the
// calls that are made again and again. Knows the public contract and the process's questions.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseYaml } from "@railyard/cli/yaml-source";
import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import {
  QuotaServiceService,
  QuotaSubject,
  SetQuotaRequest,
} from "@railyard/proto/gen/railyard/admin/v1/quota";
import {
  CreateTokenRequest,
  Role,
  TokenServiceService,
} from "@railyard/proto/gen/railyard/admin/v1/token";
import { Customer } from "../customer.js";
import { removeFolder } from "../scratch.js";
import { type Method, Wire } from "../wire.js";
import { type Call, type LoadResult, load, loadEach } from "./load.js";
import { Remote } from "./remote.js";

const EXAMPLE = "deploy/mzone.example.yaml";
const UNIT = "deploy/systemd/railyard-controller.service";
/** No quota is met by a bench. */
const PLENTY = 1_000_000_000n;
/** The checkpoint sequence number: https://www.sqlite.org/fileformat2.html#walformat */
const WAL_SEQUENCE_AT = 12;
const COPIES_MAX = 10;

export interface Counts {
  /** Calls by the gRPC code they ended with. */
  readonly ended: Readonly<Record<string, number>>;
  readonly commits: number;
  readonly writes: number;
  /** Microseconds of processor time since the process was started. */
  readonly cpuMicros: number;
}

interface Work {
  readonly calls: number;
  readonly cpuMicros: number;
}

export interface BenchYardOptions {
  /** Writes that share a commit at most; default: the product's. */
  readonly batchMax?: number;
  readonly nodes?: number;
  /** `host:port` of a broker; default: none, and nothing is dispatched. */
  readonly broker?: string;
  readonly execArgv?: readonly string[];
}

export class BenchYard {
  tenantPort = 0;
  token = "";
  readyMs = 0;
  readonly account = "bench";
  private operator!: Wire;
  private wire!: Wire;
  /** What the last load cost the controller's process. */
  private last: Work = { calls: 1, cpuMicros: 0 };
  private nodes = 0;
  private profileFile: string | undefined;

  private constructor(
    readonly dir: string,
    readonly remote: Remote,
    private readonly options: BenchYardOptions,
  ) {}

  /** A running controller with the example applied, `nodes` free nodes and one tenant. */
  static async open(options: BenchYardOptions = {}): Promise<BenchYard> {
    const dir = mkdtempSync(join(tmpdir(), "railyard-bench-"));
    mkdirSync(join(dir, "controller"), { mode: 0o700 });
    const yard = new BenchYard(dir, startRemote(dir, options), options);
    await yard.start();
    await yard.declare();
    await yard.addNodes(options.nodes ?? 0);
    return yard;
  }

  /** The stopped controller's database again, in a new process; it now has so many nodes. */
  async reopened(nodes = this.nodes): Promise<BenchYard> {
    const yard = new BenchYard(this.dir, startRemote(this.dir, this.options), this.options);
    yard.token = this.token;
    yard.nodes = nodes;
    await yard.start();
    await yard.remote.ask("beatNodes", { from: 0, count: yard.nodes });
    return yard;
  }

  get database(): string {
    return join(this.dir, "controller", "railyard.db");
  }

  /** What the closed or quiet database takes on disk. */
  get databaseBytes(): number {
    return statSync(this.database).size;
  }

  /** How often the log beside the database was begun anew after a checkpoint: its header says. */
  get checkpoints(): number {
    return readFileSync(`${this.database}-wal`).readUInt32BE(WAL_SEQUENCE_AT);
  }

  /** A copy of the quiet database with its log; again when something was written meanwhile. */
  async copyDatabase(to: string): Promise<void> {
    for (let tries = 0; tries < COPIES_MAX; tries++) {
      const { writes } = await this.counts();
      for (const end of ["", "-wal"]) copyFileSync(this.database + end, to + end);
      if ((await this.counts()).writes === writes) return;
    }
    throw new Error("the database is never quiet");
  }

  get customer(): Customer {
    return new Customer(this.wire);
  }

  /** From now on, until `close`, it is noted where the controller spends its time. */
  async profile(name: string): Promise<void> {
    const folder = process.env.RAILYARD_BENCH_PROFILE;
    if (!folder) return;
    this.profileFile = join(folder, `${name}.cpuprofile`);
    await this.remote.ask("startProfile");
  }

  async addNodes(count: number): Promise<void> {
    await this.remote.ask("plantNodes", { from: this.nodes, count });
    this.nodes += count;
  }

  /** The call of `method` with `request`, as this yard's tenant. */
  callOf<Request, Response>(method: Method<Request, Response>, request: Request): Call {
    return { path: method.path, body: method.requestSerialize(request), token: this.token };
  }

  call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    return this.wire.call(method, request);
  }

  /** Makes the call once; the encoded answer. */
  async answerTo<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Uint8Array> {
    await this.wire.call(method, request);
    return this.wire.received.findLast((bytes) => bytes.length > 0) ?? new Uint8Array();
  }

  /** Loads the controller, and makes sure that every call ended well. */
  load(call: Call, calls: number): Promise<LoadResult & { readonly commits: number }> {
    return this.counted(calls, () => load(this.tenantPort, call, { calls }));
  }

  /** The same with several calls at the same time, `each` of every one. */
  loadEach(calls: readonly Call[], each: number): Promise<LoadResult> {
    return this.counted(calls.length * each, () => loadEach(this.tenantPort, calls, each));
  }

  /** A new token of a tenant administrator of that account. */
  async tokenFor(account: string): Promise<string> {
    const { createToken } = TokenServiceService;
    const wish = CreateTokenRequest.fromPartial({ account, roles: [Role.ROLE_TENANT_ADMIN] });
    return (await this.operator.call(createToken, wish)).secret;
  }

  private async counted(calls: number, run: () => Promise<LoadResult>) {
    const before = await this.counts();
    const result = await run();
    const after = await this.counts();
    const ended = (after.ended.OK ?? 0) - (before.ended.OK ?? 0);
    if (ended < calls) throw new Error(`only ${ended} of ${calls}: ${JSON.stringify(after.ended)}`);
    this.last = { calls, cpuMicros: after.cpuMicros - before.cpuMicros };
    return { ...result, commits: after.commits - before.commits };
  }

  /** Processor microseconds per call of the last load. */
  get cpuPerCall(): number {
    return this.last.cpuMicros / this.last.calls;
  }

  counts(): Promise<Counts> {
    return this.remote.ask("counts");
  }

  /** Stops the controller in good order; its files stay. */
  async stop(): Promise<void> {
    await this.endProfile();
    for (const wire of [this.wire, this.operator]) wire.close();
    await this.remote.ask("stop");
    await this.remote.end();
  }

  async close(): Promise<void> {
    await this.endProfile();
    for (const wire of [this.wire, this.operator]) wire.close();
    await this.remote.end();
    await removeFolder(this.dir);
  }

  async endProfile(): Promise<void> {
    const file = this.profileFile;
    this.profileFile = undefined;
    if (file) await this.remote.ask("stopProfile", { file });
  }

  private async start(): Promise<void> {
    const dataDir = join(this.dir, "controller");
    const { batchMax, broker } = this.options;
    const asked = { ...(batchMax && { batchMax }), ...(broker && { broker }) };
    const given = { dataDir, database: this.database, ...asked };
    const made = await this.remote.ask<{ tenant: number; admin: number; readyMs: number }>(
      "start",
      given,
    );
    this.readyMs = made.readyMs;
    this.tenantPort = made.tenant;
    const secret = readFileSync(join(dataDir, "operator.token"), "utf8").trim();
    this.operator = new Wire(`127.0.0.1:${made.admin}`, secret);
    this.wire = new Wire(`127.0.0.1:${made.tenant}`, this.token);
  }

  private async declare(): Promise<void> {
    await this.operator.call(MzoneServiceService.applyMzone, {
      source: { $case: "documentJson", value: Buffer.from(JSON.stringify(example())) },
      ...{ requestId: "", validateOnly: false, allowDisruption: false },
    });
    const { account } = this;
    this.token = await this.tokenFor(account);
    this.wire.close();
    this.wire = new Wire(`127.0.0.1:${this.tenantPort}`, this.token);
    const subjects = Object.values(QuotaSubject).filter((s) => typeof s === "number" && s > 0);
    const limits = subjects.map((subject) => ({ subject: subject as QuotaSubject, limit: PLENTY }));
    const { setQuota } = QuotaServiceService;
    await this.operator.call(setQuota, SetQuotaRequest.fromPartial({ account, limits }));
  }
}

function startRemote(dir: string, { execArgv = [] }: BenchYardOptions): Remote {
  return Remote.start("yard-process", join(dir, "controller.log"), [...unitFlags(), ...execArgv]);
}

/** Node's flags in production: those of the systemd unit. */
function unitFlags(): readonly string[] {
  const flags = /^ExecStart=\S+node ((?:--\S+ )*)\S+$/m.exec(readFileSync(UNIT, "utf8"))?.[1];
  if (flags === undefined) throw new Error(`${UNIT} does not start a controller`);
  return flags.split(" ").filter((flag) => flag !== "");
}

/** The example document; the bench runs in the repository's root. */
function example(): unknown {
  const parsed = parseYaml("mzone.example.yaml", readFileSync(EXAMPLE, "utf8"));
  if (parsed.t !== "ok") throw new Error("the example does not parse");
  return parsed.source.value;
}
