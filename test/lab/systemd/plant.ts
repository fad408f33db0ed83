// The installation of the systemd tier: broker and controller as processes of this machine, and a
// machine with systemd whose agent is the unit that `deploy/systemd` has, unchanged.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Customer } from "../../customer.js";
import { ProcessYard } from "../../process-yard.js";
import { ROOT } from "../../root.js";
import { removeFolder } from "../../scratch.js";
import { HYPERVISORS, overlayMzone, RAILS } from "../overlay/declared.js";
import { managementAddressOf, RAIL_MTU, uplinkOf } from "../overlay/fabric.js";
import { Machine, WAY_OUT } from "../overlay/machine.js";
import { machineImage } from "../overlay/machine-image.js";
import { AGENT_SETTINGS, CONTROLLER, overlayOf } from "../overlay/plant.js";
import { patiently } from "../patience.js";

const INIT = join(import.meta.dirname, "scripts", "init.sh");
/** Inside. */
const SHARE = "/run/lab";
export const SETTINGS = "/etc/railyard";
export const DATA_DIR = "/var/lib/railyard-agent";
export const GUESTS_DIR = `${DATA_DIR}/guests`;
export const VOLUMES_DIR = `${DATA_DIR}/volumes`;
export const GUEST_USER = "railyard-guest";
export const AGENT = "railyard-agent.service";
export const MEMORY_MIB = 2_048;
const READY_MS = 90_000;

export class SystemdPlant {
  readonly node: string;

  private constructor(
    private readonly yard: ProcessYard,
    private readonly machine: Machine,
    private readonly folder: string,
  ) {
    const [node] = HYPERVISORS;
    if (node === undefined) throw new Error("no hypervisor is declared");
    this.node = node;
  }

  /** Everything is up and the agent's unit was told to start; `note` tells of the way there. */
  static async open(note: (line: string) => void): Promise<SystemdPlant> {
    const image = await machineImage(note);
    const folder = mkdtempSync(join(tmpdir(), "railyard-systemd-"));
    mkdirSync(join(folder, "share"));
    // Homes are not for agents and guests to see.
    copyFileSync(image.guest, join(folder, "share", "guest.img"));
    const yard = await ProcessYard.open(CONTROLLER, overlayMzone(guestImage(image.guest)));
    note("booting a machine whose first process is systemd");
    const broker = Number(yard.broker.server.split(":")[1]);
    const init = [INIT, ROOT, process.execPath];
    const options = { image, folder, broker, memoryMib: MEMORY_MIB, init };
    const machine = await Machine.boot(options).catch(async (thrown) => {
      await yard.close();
      throw thrown;
    });
    const plant = new SystemdPlant(yard, machine, folder);
    try {
      await plant.install();
    } catch (thrown) {
      await plant.close();
      throw thrown;
    }
    return plant;
  }

  async ready(): Promise<void> {
    await patiently(`${this.node} is ready`, () => this.yard.isReady(this.node), READY_MS);
  }

  async tenant(): Promise<Customer> {
    return new Customer(await this.yard.tenant("acme"));
  }

  /** What a shell script printed inside; throws with it when the script failed. */
  ask(script: string, limitMs?: number): Promise<string> {
    return this.machine.ask(script, limitMs);
  }

  /** What systemd shows of a unit, by the names of its properties. */
  async show(unit: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const said = await this.ask(`systemctl show --property=${names.join(",")} ${unit}`);
    return new Map(said.split("\n").map((line) => [line.split("=", 1)[0] ?? "", valueIn(line)]));
  }

  /** Everything that the agent said. */
  log(): Promise<string> {
    return this.ask(`journalctl --unit=${AGENT} --output=cat --no-pager`);
  }

  async close(): Promise<void> {
    await this.machine.stop();
    await this.yard.close();
    await removeFolder(this.folder);
  }

  private async install(): Promise<void> {
    const { yard, machine, node } = this;
    await yard.enroll(node);
    copyFileSync(join(yard.dir, `${node}.credentials.json`), join(machine.share, "credentials"));
    writeFileSync(join(machine.share, "overlay.json"), JSON.stringify(overlayOf(node)));
    const settings = Object.entries({
      ...AGENT_SETTINGS,
      RAILYARD_AGENT_CREDENTIALS: `${SETTINGS}/credentials.json`,
      RAILYARD_AGENT_OVERLAY: `${SETTINGS}/overlay.json`,
      RAILYARD_AGENT_GUEST_USER: GUEST_USER,
    });
    const lines = settings.map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(machine.share, "agent.env"), lines.join(""));
    await this.ask(`
      set -e
      ${networkScript()}
      install -m 600 ${SHARE}/credentials ${SETTINGS}/credentials.json
      install -m 600 ${SHARE}/overlay.json ${SHARE}/agent.env ${SETTINGS}
      systemctl start ${AGENT}
    `);
  }
}

/** As the machine sees it. */
function guestImage(path: string) {
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  return { path: `${SHARE}/guest.img`, sha256, sizeBytes: statSync(path).size };
}

/** A way out, and rails that lead nowhere. */
function networkScript(): string {
  const rails = Array.from({ length: RAILS }, (_, rail) => {
    const [near, far] = [uplinkOf(rail), `far${rail}`];
    return `
      ip link add ${near} mtu ${RAIL_MTU} type veth peer name ${far} mtu ${RAIL_MTU}
      ip link set ${near} up
      ip link set ${far} up`;
  });
  return `
      ip link set lo up
      ip link set ${WAY_OUT} up
      ip addr add ${managementAddressOf(0)}/24 dev ${WAY_OUT}
      ${rails.join("\n")}`;
}

function valueIn(line: string): string {
  return line.slice(line.indexOf("=") + 1);
}
