// Where a yard keeps what, which settings its processes get, and how a person reaches it. Paths and
// texts only: nothing is started here.
import { join } from "node:path";
import { brokerFiles } from "./broker.mjs";
import { ROOT } from "./command.mjs";

/** Folders of a yard that have to be there before anything starts. */
export const FOLDERS = ["logs", "machines", "credentials"];

/** The files and folders of the yard in `dataDir`. */
export function placesIn(dataDir) {
  const controller = join(dataDir, "controller");
  return {
    state: join(dataDir, "yard.json"),
    mzone: join(dataDir, "mzone.yaml"),
    controller,
    brokerUsers: join(controller, "broker-users.conf"),
    brokerPid: brokerFiles(dataDir).pid,
    operatorToken: join(controller, "operator.token"),
    tenantToken: join(dataDir, "acme.token"),
    agent: ({ name }) => join(dataDir, "agents", name),
    machine: ({ name }) => join(dataDir, "machines", `${name}.json`),
    credentials: ({ name }) => join(dataDir, "credentials", `${name}.json`),
  };
}

/** The loopback address with `port`. */
export function address(port) {
  return `127.0.0.1:${port}`;
}

/** The controller's settings. */
export function controllerEnv(places, ports) {
  return {
    RAILYARD_CONTROLLER_DATA_DIR: places.controller,
    RAILYARD_CONTROLLER_LISTEN: address(ports.api),
    RAILYARD_CONTROLLER_ADMIN_LISTEN: address(ports.admin),
    RAILYARD_CONTROLLER_BROKER: address(ports.broker),
    RAILYARD_CONTROLLER_BROKER_PID_FILE: places.brokerPid,
  };
}

/** The settings of the agent of `server`. */
export function agentEnv(places, server) {
  return {
    RAILYARD_AGENT_DATA_DIR: places.agent(server),
    RAILYARD_AGENT_CREDENTIALS: places.credentials(server),
    RAILYARD_AGENT_FAKE: places.machine(server),
  };
}

/** Where railctl finds the controller. */
export function railctlEnv(ports) {
  return {
    RAILYARD_SERVER: address(ports.api),
    RAILYARD_ADMIN_SERVER: address(ports.admin),
  };
}

/** How a person reaches the yard with railctl: lines for a shell, naming tokens by their files. */
export function introduction({ dataDir, places, ports, shorten }) {
  const servers = Object.entries(railctlEnv(ports)).map(([name, value]) => `${name}=${value}`);
  const token = (file) => `export RAILYARD_TOKEN="$(cat ${shorten(file)})"`;
  return [
    `In a shell at ${ROOT}:`,
    `  export YARD=${dataDir} ${servers.join(" ")}`,
    "  alias railctl='node cli/bin/railctl.js'",
    `  ${token(places.operatorToken)}   # to be the operator, or`,
    `  ${token(places.tenantToken)}   # to be the tenant acme, once its token is made`,
  ].join("\n");
}
