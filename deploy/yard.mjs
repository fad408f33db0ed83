// A yard of real processes below one data directory: NATS, the controller, and an agent with a
// made-up machine for each server. It starts and ends them; what is done in the yard is its
// caller's story. Import it after set-up: it needs installed packages.
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { brokerProcess } from "./broker.mjs";
import { ROOT, tail } from "./command.mjs";
import { madeUpMachine } from "./fleet.mjs";
import { endProcessesOf, isAlive, processesOf } from "./leftovers.mjs";
import { SetupError } from "./machine.mjs";
import { freePort, listens } from "./ports.mjs";
import { Processes } from "./processes.mjs";
import { railctlUser } from "./railctl.mjs";
import {
  address,
  agentEnv,
  controllerEnv,
  FOLDERS,
  introduction,
  placesIn,
  railctlEnv,
} from "./yard-places.mjs";

const START_LIMIT_MS = 60_000;
const LOOK_AGAIN_MS = 50;

/** A process of the yard ended although nobody asked it to, or did not start. */
export class YardBroken extends SetupError {}

/**
 * Starts broker and controller in `dataDir`, which keeps ports and data from an earlier time; with
 * `temporary`, the directory is removed when the yard ends, even if its starter was killed. Throws
 * SetupError when a yard runs there already, YardBroken when something does not start.
 */
export async function openYard({ dataDir: wanted, temporary = false, signal, say }) {
  for (const name of FOLDERS) mkdirSync(join(wanted, name), { recursive: true, mode: 0o700 });
  const dataDir = realpathSync(wanted);
  const places = placesIn(dataDir);
  const known = existsSync(places.state) ? JSON.parse(readFileSync(places.state, "utf8")) : {};
  await refuseOrCleanUp(known, dataDir, say);
  const ports = known.ports ?? (await choosePorts());
  const yard = new Yard({ dataDir, temporary, places, ports, signal });
  try {
    await yard.start();
    return yard;
  } catch (error) {
    await yard.end();
    throw error;
  }
}

class Yard {
  /** Follows the opener's signal and also fires when a process of the yard ends by itself. */
  signal;
  #processes;
  #broken = new AbortController();
  #options;

  constructor(options) {
    const { dataDir, temporary, places, ports, signal } = options;
    this.#options = options;
    this.signal = AbortSignal.any([signal, this.#broken.signal]);
    const onExit = (exit) => this.#break(exit);
    this.#processes = new Processes({ dataDir, temporary, onExit });
    // After an orderly end nobody looks at the signal any more.
    const keeperGone = new YardBroken("the keeper process has ended");
    void this.#processes.gone.then(() => this.#broken.abort(keeperGone));
    const state = JSON.stringify({ keeper: this.#processes.pid, ports }, undefined, 2);
    writeFileSync(places.state, `${state}\n`, { mode: 0o600 });
  }

  get places() {
    return this.#options.places;
  }

  /** `host:port` of the broker. */
  get broker() {
    return address(this.#options.ports.broker);
  }

  /** `text` with the data directory written as `$YARD`. */
  shorten(text) {
    return text.replace(this.#options.dataDir, "$YARD");
  }

  /** How a person reaches this yard. */
  introduction() {
    return introduction({ ...this.#options, shorten: (text) => this.shorten(text) });
  }

  /** How to reach and to stop a yard that stays up. */
  farewell() {
    const data = this.#options.temporary ? ", which also removes its data" : "";
    const stop = `Stop it${data}: kill ${this.#processes.pid}`;
    return `\nThe yard stays up.\n${this.introduction()}\n${stop}`;
  }

  /** Starts the controller, then the broker, which needs the identities the controller writes. */
  async start() {
    const { dataDir, places, ports } = this.#options;
    this.#node("controller", "controller", controllerEnv(places, ports));
    const usersFile = places.brokerUsers;
    await this.#until("controller", () => existsSync(usersFile));
    this.#processes.start(brokerProcess({ dataDir, port: ports.broker, usersFile }));
    await this.#until("broker", (limit) => listens(ports.broker, limit));
    await this.#until("controller", (limit) => listens(ports.api, limit));
    await this.#until("controller", (limit) => listens(ports.admin, limit));
    await this.#until("controller", () => existsSync(places.operatorToken));
  }

  /** Starts the agent of a declared server, which was enrolled into `places.credentials`. */
  startAgent(server) {
    const { places } = this.#options;
    const machine = JSON.stringify(madeUpMachine(server), undefined, 2);
    writeFileSync(places.machine(server), machine);
    this.#node(server.name, "agent", agentEnv(places, server));
  }

  /** Someone who uses railctl on this yard with the token in `tokenFile`. */
  user(name, tokenFile) {
    const foreign = ([key]) => !key.startsWith("RAILYARD_");
    const env = Object.fromEntries(Object.entries(process.env).filter(foreign));
    const token = readFileSync(tokenFile, "utf8").trim();
    const own = { ...env, ...railctlEnv(this.#options.ports), RAILYARD_TOKEN: token };
    const shorten = (text) => this.shorten(text);
    return railctlUser({ name, env: own, signal: this.signal, shorten });
  }

  /** The last lines that a process logged. */
  logTail(name) {
    return tail(this.#processes.logOf(name));
  }

  /** Lets the yard outlive this process. */
  keep() {
    return this.#processes.keep();
  }

  /** Ends every process of the yard; data that are not temporary stay. */
  async end() {
    const { dataDir, temporary } = this.#options;
    await this.#processes.end();
    await endProcessesOf(dataDir);
    if (temporary) rmSync(dataDir, { recursive: true, force: true });
  }

  #node(name, workspace, env) {
    const args = [join(ROOT, workspace, "dist", "main.js")];
    this.#processes.start({ name, command: process.execPath, args, env });
  }

  #break({ name, code, signal, error }) {
    const how = error ?? (signal ? `was ended by ${signal}` : `ended with exit code ${code}`);
    this.#broken.abort(new YardBroken(`${name} ${how}; its log ends:\n${this.logTail(name)}`));
  }

  async #until(name, check) {
    const limit = AbortSignal.any([this.signal, AbortSignal.timeout(START_LIMIT_MS)]);
    while (!limit.aborted) {
      if (await check(limit)) return;
      await sleep(LOOK_AGAIN_MS);
    }
    this.signal.throwIfAborted();
    throw new YardBroken(
      `${name} is not ready after ${START_LIMIT_MS / 1000} s; its log ends:\n${this.logTail(name)}`,
    );
  }
}

async function refuseOrCleanUp({ keeper }, dataDir, say) {
  const found = processesOf(dataDir);
  if (keeper !== undefined && isAlive(keeper) && found.includes(keeper)) {
    throw new SetupError(`a yard runs in ${dataDir}; end it with: kill ${keeper}`);
  }
  if (found.length === 0) return;
  say(`ending ${found.length} processes that an earlier yard left in ${dataDir}`);
  await endProcessesOf(dataDir);
}

async function choosePorts() {
  return { api: await freePort(), admin: await freePort(), broker: await freePort() };
}
