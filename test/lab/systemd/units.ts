// Tier: a guest as a systemd unit of its own, below an agent that is one too. The machine's first
// process is systemd, the agent's unit the one that is deployed, the guest a real QEMU that boots.
// Its code is emulated: nothing here shows that the sandbox lets KVM or VFIO through.
import { existsSync } from "node:fs";
import { lacksMemory, refusesLinux } from "../overlay/machine.js";
import { machineImage, machineNeeds } from "../overlay/machine-image.js";
import type { Tier } from "../tier.js";
import { MEMORY_MIB, SystemdPlant } from "./plant.js";
import { Tenancy } from "./tenancy.js";

const SYSTEMD = "/lib/systemd/systemd";
const LINES_SHOWN = 12;
const LINE_SHOWN = 500;

export const units: Tier = {
  name: "systemd",
  about: "the deployed agent's unit runs a guest as a unit of its own, in its sandbox",
  needs,
  async run({ proof, note }) {
    const plant = await SystemdPlant.open(note);
    try {
      await proof("the agent runs as the unit that is deployed, and its node is ready", () =>
        plant.ready(),
      );
      const tenancy = await Tenancy.open(plant);
      await proof("an instance runs: QEMU is a unit's process and its guest has booted", () =>
        tenancy.run(),
      );
      await proof("the unit's properties are in force, as systemd and the kernel tell", () =>
        tenancy.isClosed(),
      );
      await proof("QEMU can write to its own folder and nowhere else, and sees no other's", () =>
        tenancy.seesItsOwn(),
      );
      await proof("what is secret is not there for it, nor any daemon that it could ask", () =>
        tenancy.sharesNoSecrets(),
      );
      await proof("the agent is killed and comes back: the guest lived on, adopted", () =>
        tenancy.outlives(),
      );
      await proof("a QEMU that crashed is told with its signal, and runs again", () =>
        tenancy.crashes(),
      );
      await proof("stopped, the unit is gone and systemd keeps nothing of it", () =>
        tenancy.stops(),
      );
      await proof(
        "one that died while no agent was there is deleted, its failed unit forgotten",
        () => tenancy.diesUnseen(),
      );
    } catch (thrown) {
      const log = await plant.log().catch(String);
      const lines = log.trimEnd().split("\n").slice(-LINES_SHOWN);
      for (const line of lines) note(line.slice(0, LINE_SHOWN));
      throw thrown;
    } finally {
      await plant.close();
    }
  },
};

async function needs(note: (line: string) => void): Promise<string | undefined> {
  if (!existsSync(SYSTEMD)) return `needs ${SYSTEMD}: apt-get install systemd`;
  const lack = lacksMemory(MEMORY_MIB) ?? (await machineNeeds(note));
  return lack ?? (await refusesLinux((await machineImage(note)).linux));
}
