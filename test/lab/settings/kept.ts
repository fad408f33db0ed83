// Tier: every setting of a virtual function, on a driver that keeps them all. The agent's code sets
// it, tells when it is otherwise, and sets it back; the kernel is asked by other means, too.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "../../scratch.js";
import { netdevsimNeeds } from "../image/netdevsim.js";
import type { Tier } from "../tier.js";
import { SingleCalls } from "./calls.js";
import { NAMES } from "./machine.js";
import { SimulatedNics } from "./nics.js";
import { Passes } from "./passes.js";

export const kept: Tier = {
  name: "sriov-settings",
  about: "every VF setting on a driver that keeps them all (netdevsim): set, missed, set back",
  needs: netdevsimNeeds,
  async run({ proof, note }) {
    const folder = mkdtempSync(join(tmpdir(), "railyard-settings-"));
    const nics = await SimulatedNics.boot(folder, NAMES, note);
    let passes: Passes | undefined;
    try {
      const calls = new SingleCalls(nics);
      await proof("MAC, VLAN, rate and spoof check are set, and read back as they are", () =>
        calls.areSet(),
      );
      await proof(
        "link state, guaranteed rate, trust, a VLAN's priority and protocol are seen and set back",
        () => calls.areSetBack(),
      );
      await proof(
        "what the driver or the kernel refuses is told as such, and changes nothing",
        () => calls.areRefused(),
      );
      const all = await Passes.open(nics, folder);
      passes = all;
      await proof("each setting that gets lost on the way keeps the guest out, and is named", () =>
        all.miss(),
      );
      await proof("once nothing gets lost, all are set and the guest runs", () => all.run());
      await proof("changed behind its back while the guest runs, each is set back", () =>
        all.mend(),
      );
      await proof("given back, every VF is as one that nobody had", () => all.giveBack());
    } finally {
      await passes?.close();
      await nics.inside.stop();
      await removeFolder(folder);
    }
  },
};
