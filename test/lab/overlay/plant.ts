// The overlay tier's installation: broker and controller as processes of this machine, and beside
// them a machine with a built agent in each namespace that is a hypervisor.
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Customer } from "../../customer.js";
import { ProcessYard } from "../../process-yard.js";
import { removeFolder } from "../../scratch.js";
import { patiently } from "../patience.js";
import {
  GPU,
  HYPERVISORS,
  leafOf,
  overlayMzone,
  RAILS,
  SPEED_GBPS,
  serialOf,
  VFS,
} from "./declared.js";
import { fabricScript, uplinkOf } from "./fabric.js";
import { Machine } from "./machine.js";
import { machineImage } from "./machine-image.js";

const AGENT = fileURLToPath(new URL("../../../agent/dist/main.js", import.meta.url));
const READY_MS = 90_000;
export const MEMORY_MIB = 3_072;
/** Where agents keep their things, inside; short, since sockets lie below it. */
const HOME = "/run/o";

/** All agents and guests share one processor: nobody may be given up for being slow. */
export const CONTROLLER = {
  RAILYARD_CONTROLLER_HEARTBEAT_MS: "5000",
  RAILYARD_CONTROLLER_LEASE_MS: "60000",
};

export const AGENT_SETTINGS = {
  RAILYARD_AGENT_HARDWARE: "linux",
  RAILYARD_AGENT_GPUS: GPU,
  RAILYARD_AGENT_ACCELERATOR: "tcg",
  RAILYARD_AGENT_BROKER: "10.0.2.100:4222",
  // A look takes a dozen programs, and starting one is what such a machine is slowest at.
  RAILYARD_AGENT_SWEEP_MS: "30000",
  RAILYARD_AGENT_REPORT_MS: "30000",
};

export class OverlayPlant {
  private constructor(
    readonly yard: ProcessYard,
    readonly machine: Machine,
    private readonly folder: string,
  ) {}

  /** Everything is up and the agents started; `note` tells of the way there. */
  static async open(note: (line: string) => void): Promise<OverlayPlant> {
    const image = await machineImage(note);
    const folder = mkdtempSync(join(tmpdir(), "railyard-overlay-"));
    const sha256 = createHash("sha256").update(readFileSync(image.guest)).digest("hex");
    const guest = { path: image.guest, sha256, sizeBytes: statSync(image.guest).size };
    const yard = await ProcessYard.open(CONTROLLER, overlayMzone(guest));
    note("booting a machine with namespaces for hypervisors");
    const broker = Number(yard.broker.server.split(":")[1]);
    const options = { image, folder, broker, memoryMib: MEMORY_MIB };
    const machine = await Machine.boot(options).catch(async (thrown) => {
      await yard.close();
      throw thrown;
    });
    const plant = new OverlayPlant(yard, machine, folder);
    try {
      await machine.ask(fabricScript(HYPERVISORS));
      for (const name of HYPERVISORS) await plant.enroll(name);
    } catch (thrown) {
      await plant.close();
      throw thrown;
    }
    return plant;
  }

  async ready(): Promise<void> {
    for (const name of HYPERVISORS) {
      await patiently(`${name} is ready`, () => this.yard.isReady(name), READY_MS);
    }
  }

  async tenant(): Promise<Customer> {
    return new Customer(await this.yard.tenant("acme"));
  }

  /** The last lines of what the agents said. */
  lastWords(lines: number): readonly string[] {
    return HYPERVISORS.flatMap((name) => {
      const text = readFileSync(join(this.machine.share, `${name}.log`), "utf8");
      return text.trimEnd().split("\n").slice(-lines);
    });
  }

  /** What a shell script without single quotes prints inside a hypervisor. */
  inside(name: string, script: string): Promise<string> {
    return this.machine.ask(`ip netns exec ${name} sh -c '${script}'`);
  }

  /** The hypervisor that has a guest, and the process that the guest is. */
  async whereabouts(instanceId: string): Promise<{ readonly host: string; readonly pid: number }> {
    const said = await this.machine.ask(`grep -H . ${HOME}/*/guests/${instanceId}/box/pid`);
    const [, host = "", pid] = /([^/]+)\/guests\/[^/]+\/box\/pid:(\d+)/.exec(said) ?? [];
    return { host, pid: Number(pid) };
  }

  async startAgent(name: string): Promise<void> {
    const settings = Object.entries({
      ...AGENT_SETTINGS,
      RAILYARD_AGENT_CREDENTIALS: `${HOME}/${name}.credentials.json`,
      RAILYARD_AGENT_DATA_DIR: `${HOME}/${name}`,
      RAILYARD_AGENT_OVERLAY: `/run/lab/${name}.overlay.json`,
    }).map(([key, value]) => `${key}=${value}`);
    const agent = `env ${settings.join(" ")} ${process.execPath} ${AGENT}`;
    await this.machine.ask(`
      ip netns exec ${name} ${agent} >>/run/lab/${name}.log 2>&1 &
      echo $! >${HOME}/${name}.pid
    `);
  }

  /** Kills an agent without a word. */
  async killAgent(name: string): Promise<void> {
    await this.machine.ask(`kill -9 $(cat ${HOME}/${name}.pid)`);
  }

  async close(): Promise<void> {
    await this.machine.stop();
    await this.yard.close();
    await removeFolder(this.folder);
  }

  private async enroll(name: string): Promise<void> {
    await this.yard.enroll(name);
    const { share } = this.machine;
    const credentials = `${name}.credentials.json`;
    copyFileSync(join(this.yard.dir, credentials), join(share, credentials));
    writeFileSync(join(share, `${name}.overlay.json`), JSON.stringify(overlayOf(name)));
    await this.machine.ask(`
      mkdir -p ${HOME}
      install -m 600 /run/lab/${credentials} ${HOME}/${credentials}
    `);
    await this.startAgent(name);
  }
}

/** What an agent is told of the rails of its hypervisor. */
export function overlayOf(name: string) {
  const rails = Array.from({ length: RAILS }, (_, rail) => {
    return { uplink: uplinkOf(rail), leaf: leafOf(rail), speedGbps: SPEED_GBPS };
  });
  return { serial: serialOf(name), vfs: VFS, rails };
}
