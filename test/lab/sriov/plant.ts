// The lab's installation: broker and controller as processes of this machine, an emulated
// hypervisor beside them, and in it the built agent over the real devices that it finds there.
import { copyFileSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Customer } from "../../customer.js";
import { ProcessYard } from "../../process-yard.js";
import { removeFolder } from "../../scratch.js";
import { hypervisorImage } from "../image/hypervisor-image.js";
import { Inside } from "../inside.js";
import { type Leaf, plugIntoLeaf } from "../leaf.js";
import { GPU, labMzone, leafOf, PAIRS, SERIAL, SERVER } from "./declared.js";

const AGENT = fileURLToPath(new URL("../../../agent/dist/main.js", import.meta.url));
const BROKER = "10.0.2.100:4222";

/** Emulated, a look at the whole machine takes seconds: nobody may be given up for that. */
const CONTROLLER = {
  RAILYARD_CONTROLLER_HEARTBEAT_MS: "2000",
  RAILYARD_CONTROLLER_LEASE_MS: "60000",
};

const AGENT_SETTINGS = {
  RAILYARD_AGENT_HARDWARE: "linux",
  RAILYARD_AGENT_GUESTS: "pretend",
  RAILYARD_AGENT_GPUS: GPU,
  RAILYARD_AGENT_IOMMU: "shared",
  RAILYARD_AGENT_ACCELERATOR: "tcg",
  RAILYARD_AGENT_BROKER: BROKER,
  RAILYARD_AGENT_CREDENTIALS: "/run/agent.json",
  RAILYARD_AGENT_DATA_DIR: "/run/agent",
};

export class LabPlant {
  private constructor(
    readonly yard: ProcessYard,
    readonly inside: Inside,
    private readonly place: { readonly leaves: readonly Leaf[]; readonly folder: string },
  ) {}

  /** Everything is up and the agent started; `note` tells of the way there. */
  static async open(note: (line: string) => void): Promise<LabPlant> {
    const image = await hypervisorImage(note);
    const folder = mkdtempSync(join(tmpdir(), "railyard-lab-"));
    const rails = Array.from({ length: PAIRS }, (_, rail) => rail);
    const leaves = await Promise.all(rails.map((rail) => plugIntoLeaf(leafOf(rail), rail)));
    const yard = await ProcessYard.open(CONTROLLER, labMzone());
    note("booting an emulated hypervisor");
    const inside = await Inside.boot({
      ...{ image, folder, number: 1, pairs: PAIRS, below: "switch", serial: SERIAL },
      broker: Number(yard.broker.server.split(":")[1]),
      cables: leaves.map(({ cable }) => cable),
    }).catch(async (thrown) => {
      for (const leaf of leaves) leaf.close();
      await yard.close();
      throw thrown;
    });
    const plant = new LabPlant(yard, inside, { leaves, folder });
    await plant.startAgent();
    return plant;
  }

  /** What the agent said, by lines. */
  get log(): readonly string[] {
    return readFileSync(join(this.inside.share, "agent.log"), "utf8").trimEnd().split("\n");
  }

  async tenant(): Promise<Customer> {
    return new Customer(await this.yard.tenant("acme"));
  }

  async close(): Promise<void> {
    await this.inside.stop();
    for (const leaf of this.place.leaves) leaf.close();
    await this.yard.close();
    await removeFolder(this.place.folder);
  }

  private async startAgent(): Promise<void> {
    await this.yard.enroll(SERVER);
    const credentials = "credentials.json";
    copyFileSync(
      join(this.yard.dir, `${SERVER}.credentials.json`),
      join(this.inside.share, credentials),
    );
    const settings = Object.entries(AGENT_SETTINGS).map(([name, value]) => `${name}=${value}`);
    await this.inside.ask(`
      install -m 600 /run/lab/${credentials} /run/agent.json
      env ${settings.join(" ")} ${process.execPath} ${AGENT} >/run/lab/agent.log 2>&1 &
    `);
  }
}
