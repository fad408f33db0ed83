// One command while it runs: its two clients, its deadline, its output. It knows no noun.
import { readFileSync } from "node:fs";
import type { Clock } from "@railyard/lib/clock";
import { invalidField, refuse } from "@railyard/lib/errors";
import pc from "picocolors";
import { RpcClient } from "./client.js";
import { address, durationMs, type Environment } from "./config.js";
import type { Describe } from "./errors.js";
import { EXIT, type ExitCode } from "./exit-code.js";
import { type Format, isOwnFormat, Output, type OwnFormat } from "./output.js";
import { Progress } from "./progress.js";
import { newRequestId } from "./request-id.js";
import type { Shell } from "./shell.js";
import type { TableStyle } from "./table.js";
import type { Terminal } from "./terminal.js";
import { ticks, type Waiting, waitUntil } from "./wait.js";
import { type About, signs } from "./watch.js";

/** Flags that every command takes. */
export interface GlobalFlags {
  readonly server?: string;
  readonly adminServer?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly output: Format | OwnFormat;
  /** Absent: DEFAULT_TIMEOUT, but nothing for how long `--watch` goes on. */
  readonly timeout?: string;
}

const DEFAULT_TIMEOUT = "60s";

export class Session {
  readonly output: Output;
  readonly progress: Progress;
  /** What the process exits with when nothing is thrown. */
  exitCode: ExitCode = EXIT.ok;
  /** Says where a bad field stands, for commands that sent a file. */
  describe: Describe | undefined;

  private readonly environment: Environment;
  private deadlineAt: number;
  private readonly clients = new Map<string, RpcClient>();
  private readonly token: string | undefined;
  private readonly ca: Buffer | undefined;

  constructor(
    private readonly shell: Shell,
    private readonly flags: GlobalFlags,
  ) {
    this.environment = shell.environment();
    this.deadlineAt = this.deadlineFromNow();
    this.token = flags.tokenFile ? readToken(flags.tokenFile) : this.environment.token;
    this.ca = flags.ca ? readInput(flags.ca, "--ca") : undefined;
    const { stdout, stderr, clock } = shell;
    const style = styleOf(shell, this.environment.color);
    const format = isOwnFormat(flags.output) ? "table" : flags.output;
    this.output = new Output({ format, style, write: stdout.write });
    this.progress = new Progress({ clock, write: stderr.write, live: stderr.tty });
  }

  /** The format asked for, when it is one that only a few verbs have. */
  get ownFormat(): OwnFormat | undefined {
    return isOwnFormat(this.flags.output) ? this.flags.output : undefined;
  }

  /** The tenant listener. */
  get tenant(): RpcClient {
    return this.client("--server", this.flags.server ?? this.environment.server);
  }

  /** The operator listener. */
  get admin(): RpcClient {
    return this.client("--admin-server", this.flags.adminServer ?? this.environment.adminServer);
  }

  get clock(): Clock {
    return this.shell.clock;
  }

  get rng(): Shell["rng"] {
    return this.shell.rng;
  }

  /** Where somebody types; throws `precondition` where nobody can. */
  terminal(): Terminal {
    const { terminal } = this.shell;
    if (!terminal) throw refuse("precondition", "there is no input to read from");
    return terminal();
  }

  /** A line for people beside the answer. */
  note(text: string): void {
    this.progress.done();
    this.shell.stderr.write(`${text}\n`);
  }

  /** The caller's request id, or a new one. */
  requestId(given: string | undefined): string {
    return given ?? newRequestId(this.shell.rng);
  }

  /** Monotonic milliseconds at which `--watch` ends; undefined for never. */
  get watchEndsAt(): number | undefined {
    return this.flags.timeout === undefined ? undefined : this.deadlineAt;
  }

  /** Gives the next calls of a watch as much time as its first; `--timeout` still ends all. */
  renewDeadline(): void {
    if (this.flags.timeout === undefined) this.deadlineAt = this.deadlineFromNow();
  }

  /** Waits until the command's deadline, watching the object if it is said which. */
  wait<T>(waiting: Waiting<T>, about?: About): Promise<T> {
    const { clock, progress, deadlineAt } = this;
    const when = about ? signs(this, about, deadlineAt) : ticks(clock, deadlineAt);
    return waitUntil({ progress, signs: when }, waiting);
  }

  close(): void {
    this.progress.done();
    for (const client of this.clients.values()) client.close();
  }

  private deadlineFromNow(): number {
    const ms = durationMs(this.flags.timeout ?? DEFAULT_TIMEOUT, "--timeout");
    return this.shell.clock.monotonic() + ms;
  }

  private client(flag: string, server: string): RpcClient {
    const known = this.clients.get(server);
    if (known) return known;
    const { clock, rng } = this.shell;
    const { token, ca } = this;
    const deadlineAt = () => this.deadlineAt;
    const onRetry = () => this.progress.show(`${server} does not answer, trying again`);
    const made = new RpcClient(checkAddress(server, flag), {
      clock,
      rng,
      token,
      ca,
      deadlineAt,
      onRetry,
    });
    this.clients.set(server, made);
    return made;
  }
}

/** Bytes of a file the caller named; `-` is standard input. Throws `invalid` naming `flag`. */
export function readInput(file: string, flag: string): Buffer {
  try {
    return readFileSync(file === "-" ? 0 : file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw invalidField(flag, `cannot read ${file} (${code})`);
  }
}

function readToken(file: string): string {
  const token = readInput(file, "--token-file").toString("utf8").trim();
  if (!/^[-\w.]+$/.test(token)) throw refuse("invalid", `--token-file: ${file} holds no token`);
  return token;
}

function checkAddress(server: string, flag: string): string {
  try {
    return address(server);
  } catch (cause) {
    throw refuse("invalid", `${flag}: ${(cause as Error).message}`, { cause });
  }
}

const GOOD = /^(running|stable|ready|ok|applied|create)\b/;
const BAD = /^(failed|faulted|lost|quarantined|degraded|delete)\b/;

function styleOf({ stdout }: Shell, color: boolean): TableStyle {
  const colors = pc.createColors(stdout.tty && color);
  const width = stdout.tty && stdout.columns ? { width: stdout.columns } : {};
  if (!stdout.tty || !color) return width;
  const state = (text: string) => {
    if (GOOD.test(text)) return colors.green(text);
    return BAD.test(text) ? colors.red(text) : colors.yellow(text);
  };
  return { ...width, tint: { title: colors.bold, state } };
}
