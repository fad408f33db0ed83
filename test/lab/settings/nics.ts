// An emulated hypervisor whose NICs are netdevsim's: they exist in its kernel only, and keep every
// setting of their virtual functions. What stands is told by other means than the agent's. Knows
// nothing of what should be there.
import { hypervisorImage } from "../image/hypervisor-image.js";
import { netdevsimModule } from "../image/netdevsim.js";
import { Inside } from "../inside.js";

const MEMORY_MIB = 1_024;
const BUS = "/sys/bus/netdevsim";
const DEBUG = "/sys/kernel/debug";
/** As many as the agent's made-up NIC has; by itself netdevsim allows four. */
const VFS_MAX = 16;
const VF = /^\s+vf \d+\s+link\/ether (\S+) brd \S+?, (.*)$/;
/** Of no interest: an older word for the highest rate, and a setting that concerns no frame. */
const UNTOLD = /^(tx rate|query_rss)/;

export interface Change {
  readonly nic: number;
  readonly vf: number;
  /** Those of `ip link set … vf …`. */
  readonly words: string;
}

export class SimulatedNics {
  private constructor(
    readonly inside: Inside,
    /** Interface names of the ports, by NIC. */
    readonly names: readonly (readonly string[])[],
  ) {}

  /** Boots the hypervisor with a NIC for each list of names. */
  static async boot(
    folder: string,
    names: readonly (readonly string[])[],
    note: (line: string) => void,
  ): Promise<SimulatedNics> {
    const module = await netdevsimModule(note);
    const image = await hypervisorImage(note);
    note("booting an emulated hypervisor");
    const machine = { image, folder, number: 1, serial: "LAB1", memoryMib: MEMORY_MIB };
    const inside = await Inside.boot({ ...machine, pairs: 0, below: "root-port" });
    try {
      await inside.ask(plugScript(module, names));
      return new SimulatedNics(inside, names);
    } catch (cause) {
      await inside.stop();
      throw cause;
    }
  }

  async setVfCount(nic: number, count: number): Promise<void> {
    await this.inside.ask(`echo ${count} >${BUS}/devices/netdevsim${nic}/sriov_numvfs`);
  }

  /** Changes VFs as somebody at the keyboard would. */
  async byHand(changes: readonly Change[]): Promise<void> {
    const typed = changes.map(({ nic, vf, words }) => {
      return `ip link set dev ${this.names[nic]?.[0]} vf ${vf} ${words}`;
    });
    await this.inside.ask(["set -e", ...typed].join("\n"));
  }

  /** What `ip` tells people of each VF. */
  async told(nic: number): Promise<readonly string[]> {
    const said = await this.inside.ask(`ip link show dev ${this.names[nic]?.[0]}`);
    return said.split("\n").flatMap((line) => {
      const [, mac, rest] = VF.exec(line) ?? [];
      if (mac === undefined || rest === undefined) return [];
      const told = rest.split(", ").filter((part) => !UNTOLD.test(part));
      return [mac, ...told].join(", ");
    });
  }
}

function plugScript(module: string, names: readonly (readonly string[])[]): string {
  const plug = names.flatMap((ports, nic) => [
    `echo "${nic} ${ports.length}" >${BUS}/new_device`,
    `echo ${VFS_MAX} >${DEBUG}/netdevsim/netdevsim${nic}/max_vfs`,
    ...ports.map((name, port) => `rename ${nic} p${port + 1} ${name}`),
  ]);
  return `
    set -e
    rename() {
      for path in ${BUS}/devices/netdevsim$1/net/*; do
        [ "$(cat $path/phys_port_name)" != $2 ] || ip link set "\${path##*/}" name $3
      done
    }
    for needed in $(modinfo -F depends ${module} | tr , ' '); do modprobe $needed; done
    insmod ${module}
    mountpoint -q ${DEBUG} || mount -t debugfs debug ${DEBUG}
    ${plug.join("\n")}
  `;
}
