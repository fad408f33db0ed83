// Tier: real guests on hypervisors that are network namespaces, their cluster NICs bridged and
// tunnelled between them. The proofs are what the guests themselves see, asked over their consoles.
import type { Tier } from "../tier.js";
import { MTU } from "./declared.js";
import { lacksMemory, refusesLinux } from "./machine.js";
import { machineImage, machineNeeds } from "./machine-image.js";
import { MEMORY_MIB, OverlayPlant } from "./plant.js";
import { Scene } from "./scene.js";

/** Of each agent's log, after a failure. */
const LINES_SHOWN = 5;
const LINE_SHOWN = 400;

export const overlaid: Tier = {
  name: "overlay",
  about: "what real guests see: order of NICs, MTU, peers of their network, and nobody else",
  needs,
  async run({ proof, note }) {
    const plant = await OverlayPlant.open(note);
    try {
      await proof("agents in namespaces that stand for hypervisors are ready", () => plant.ready());
      const scene = await Scene.open(plant);
      await proof("guests of two networks run, and answer on their serial consoles", () =>
        scene.run(),
      );
      await proof("railctl's console reaches a guest, too", () => scene.typed());
      await proof(
        "by PCI address its NICs are the attachments in order, where the layout says",
        () => scene.inOrder(),
      );
      await proof("NICs that share a GPU sit below one switch, others below another", () =>
        scene.beside(),
      );
      await proof("same-rail peers answer across hypervisors, on every attachment", () =>
        scene.peersAnswer(),
      );
      await proof(`the MTU is the profile's ${MTU}, and packets of that size arrive`, () =>
        scene.carriesMtu(),
      );
      await proof("addresses and MTU come back by the commands that the layout recommends", () =>
        scene.settles(),
      );
      await proof("another network with the same addresses and rails gets no answer", () =>
        scene.othersDoNot(),
      );
      await proof("a guest that takes another MAC address is not heard", () => scene.forges());
      await proof("nothing of the cluster network reaches the VPC side or the hypervisor", () =>
        scene.keepsOffVpc(),
      );
      await proof("an agent is killed and started again: the guest lives on, adopted", () =>
        scene.outlives(),
      );
      await proof("attachments moved while stopped: the guest boots with the new order", () =>
        scene.moves(),
      );
      await proof("a guest in a deleted one's place is found by its own network only", () =>
        scene.replaced(),
      );
      await proof("deleted, nothing is left: no process, no tunnel, no port in a network", () =>
        scene.clears(),
      );
    } catch (thrown) {
      for (const line of plant.lastWords(LINES_SHOWN)) note(line.slice(0, LINE_SHOWN));
      throw thrown;
    } finally {
      await plant.close();
    }
  },
};

async function needs(note: (line: string) => void): Promise<string | undefined> {
  const lack = lacksMemory(MEMORY_MIB) ?? (await machineNeeds(note));
  return lack ?? (await refusesLinux((await machineImage(note)).linux));
}
