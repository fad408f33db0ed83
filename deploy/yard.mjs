// A yard of real processes below one data directory: NATS, the controller, and an agent with a
// made-up machine for each server. It starts and ends them and says where they are reached; what is
// done in the yard is its caller's story. Import it after set-up: it needs installed packages.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { brokerFiles, brokerProcess } from "./broker.mjs";
import { ROOT, tail } from "./command.mjs";
import { madeUpMachine } from "./fleet.mjs";
import { endProcessesOf, isAlive, processesOf } from "./leftovers.mjs";
import { SetupError } from "./machine.mjs";
import { freePort, listens } from "./ports.mjs";
import { startProcesses } from "./processes.mjs";
import { railctlUser } from "./railctl.mjs";

const START_LIMIT_MS = 30_000;
const LOOK_AGAIN_MS = 50;

/** A process of the yard ended although nobody asked it to. */
export class YardBroken extends Error {}

/**
 * Starts broker and controller in `dataDir`, which keeps ports and data from an earlier time; with
 * `temporary`, the directory is removed when the yard ends, even if its starter was killed. The
 * yard's own `signal` follows the given one and also fires when a process ends by itself. Throws
 * SetupError when a yard runs there already, YardBroken when something does not start.
 */
export async function openYard({ dataDir: wanted, temporary = false, signal, say }) {
  for (const name of ["logs", "machines", "credentials"]) {
    mkdirSync(join(wanted, name), { recursive: true, mode: 0o700 });
  }
  const dataDir = realpathSync(wanted);
  const places = placesIn(dataDir);
  await refuseOrCleanUp(places, dataDir, say);
  const ports = await portsOf(places);
  const broken = new AbortController();
  const onExit = (exit) => broken.abort(breakage(exit));
  const processes = startProcesses({ dataDir, temporary, onExit });
  const breakage = ({ name, code, signal: by, error }) => {
    const how = error ?? (by ? `was ended by ${by}` : `ended with exit code ${code}`);
    return new YardBroken(`${name} ${how}; the end of its log:\n${tail(processes.logOf(name))}`);
  };
  remember(places, { keeper: processes.pid, ports });
  const either = AbortSignal.any([signal, broken.signal]);
  const yard = createYard({ dataDir, places, ports, processes, signal: either });
  try {
    await yard.startController();
    return yard;
  } catch (error) {
    await yard.end();
    throw error;
  }
}

function createYard({ dataDir, places, ports, processes, signal }) {
  const until = async (what, name, check) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(START_LIMIT_MS)]);
    while (!limit.aborted) {
      if (await check(limit)) return;
      await sleep(LOOK_AGAIN_MS);
    }
    signal.throwIfAborted();
    const log = tail(processes.logOf(name));
    throw new YardBroken(`${what} within ${START_LIMIT_MS / 1000} s; the end of its log:\n${log}`);
  };
  const shorten = (text) => text.replace(dataDir, "$YARD");
  const address = (port) => `127.0.0.1:${port}`;
  const reach = {
    RAILYARD_SERVER: address(ports.api),
    RAILYARD_ADMIN_SERVER: address(ports.admin),
  };

  return {
    dataDir,
    places,
    signal,
    broker: address(ports.broker),
    /** `text` with the data directory written as `$YARD`. */
    shorten,
    /** How a person reaches this yard with railctl: lines for a shell, naming tokens by file. */
    introduction: () => introduction({ dataDir, places, reach, shorten }),
    /** How to reach and to stop a yard that stays up. */
    farewell: (temporary) =>
      `\nThe yard stays up.\n${introduction({ dataDir, places, reach, shorten })}\n` +
      `Stop it${temporary ? ", which also removes its data" : ""}: kill ${processes.pid}`,

    /** Starts the controller, then the broker, which needs the identities the controller writes. */
    async startController() {
      processes.start({
        name: "controller",
        command: process.execPath,
        args: [join(ROOT, "controller", "dist", "main.js")],
        env: controllerEnv({ places, ports }),
      });
      const { brokerUsers: usersFile, operatorToken } = places;
      await until("the controller wrote no users file", "controller", () => existsSync(usersFile));
      processes.start(brokerProcess({ dataDir, port: ports.broker, usersFile }));
      await until("the broker did not listen", "broker", (limit) => listens(ports.broker, limit));
      for (const port of [ports.api, ports.admin]) {
        await until("the controller did not listen", "controller", (limit) => listens(port, limit));
      }
      await until("no operator token", "controller", () => existsSync(operatorToken));
    },

    /** Starts the agent of a declared server, which was enrolled into `places.credentials`. */
    startAgent(server) {
      const machine = join(places.machines, `${server.name}.json`);
      writeFileSync(machine, JSON.stringify(madeUpMachine(server), undefined, 2));
      processes.start({
        name: server.name,
        command: process.execPath,
        args: [join(ROOT, "agent", "dist", "main.js")],
        env: agentEnv({ places, server, machine }),
      });
    },

    /** Someone who uses railctl on this yard with the token in `tokenFile`. */
    user(name, tokenFile) {
      const foreign = ([key]) => !key.startsWith("RAILYARD_");
      const env = Object.fromEntries(Object.entries(process.env).filter(foreign));
      const token = readFileSync(tokenFile, "utf8").trim();
      const own = { ...env, ...reach, RAILYARD_TOKEN: token };
      return railctlUser({ name, env: own, signal, shorten });
    },

    /** The last lines that each of the named processes logged. */
    logTails: (...names) => names.map((name) => `--- ${name}\n${tail(processes.logOf(name))}`),

    /** Lets the yard outlive this process. */
    keep: () => processes.keep(),

    /** Ends every process of the yard; its data stay. */
    async end() {
      await processes.end();
      await endProcessesOf(dataDir);
    },
  };
}

function introduction({ dataDir, places, reach, shorten }) {
  const servers = Object.entries(reach).map(([name, value]) => `${name}=${value}`);
  const token = (file) => `export RAILYARD_TOKEN="$(cat ${shorten(file)})"`;
  return [
    `In a shell at ${ROOT}:`,
    `  export YARD=${dataDir} ${servers.join(" ")}`,
    "  alias railctl='node cli/bin/railctl.js'",
    `  ${token(places.operatorToken)}   # to be the operator, or`,
    `  ${token(places.tenantToken)}   # to be the tenant acme, once its token is made`,
  ].join("\n");
}

function placesIn(dataDir) {
  const controller = join(dataDir, "controller");
  return {
    state: join(dataDir, "yard.json"),
    controller,
    brokerUsers: join(controller, "broker-users.conf"),
    mzone: join(dataDir, "mzone.yaml"),
    tenantToken: join(dataDir, "acme.token"),
    brokerPid: brokerFiles(dataDir).pid,
    operatorToken: join(controller, "operator.token"),
    agents: join(dataDir, "agents"),
    machines: join(dataDir, "machines"),
    credentials: (server) => join(dataDir, "credentials", `${server.name}.json`),
  };
}

function controllerEnv({ places, ports }) {
  return {
    RAILYARD_CONTROLLER_DATA_DIR: places.controller,
    RAILYARD_CONTROLLER_LISTEN: `127.0.0.1:${ports.api}`,
    RAILYARD_CONTROLLER_ADMIN_LISTEN: `127.0.0.1:${ports.admin}`,
    RAILYARD_CONTROLLER_BROKER: `127.0.0.1:${ports.broker}`,
    RAILYARD_CONTROLLER_BROKER_PID_FILE: places.brokerPid,
  };
}

function agentEnv({ places, server, machine }) {
  return {
    RAILYARD_AGENT_DATA_DIR: join(places.agents, server.name),
    RAILYARD_AGENT_CREDENTIALS: places.credentials(server),
    RAILYARD_AGENT_FAKE: machine,
  };
}

async function refuseOrCleanUp({ state }, dataDir, say) {
  const { keeper } = stateIn(state);
  const found = processesOf(dataDir);
  if (keeper !== undefined && isAlive(keeper) && found.includes(keeper)) {
    throw new SetupError(`a yard runs in ${dataDir}; end it with: kill ${keeper}`);
  }
  if (found.length === 0) return;
  say(`ending ${found.length} processes that an earlier yard left in ${dataDir}`);
  await endProcessesOf(dataDir);
}

async function portsOf({ state }) {
  const { ports } = stateIn(state);
  if (ports) return ports;
  return { api: await freePort(), admin: await freePort(), broker: await freePort() };
}

function stateIn(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
}

function remember({ state }, value) {
  writeFileSync(state, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  chmodSync(state, 0o600);
}
