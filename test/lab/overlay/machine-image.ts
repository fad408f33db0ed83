// What the overlay tier boots from: Linux as a process of this machine (user-mode Linux), whose
// kernel has the bridges and tunnels that this machine's may lack, and the disk of its guests. All
// from Debian's packages, in a folder of our own; kept between runs.
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { builtOnce } from "../image/built-once.js";
import { providePrograms } from "../image/hypervisor-image.js";
import { lacking } from "../image/lacking.js";
import { PrivateApt } from "../image/private-apt.js";
import { output } from "../program.js";
import { provideGuestImage } from "./guest-image.js";

export interface MachineImage {
  /** The kernel, a program. */
  readonly linux: string;
  /** Paths of its modules, in the order in which they can be loaded. */
  readonly modules: readonly string[];
  /** A disk for guests. */
  readonly guest: string;
}

const LINUX = "user-mode-linux";
const GUEST_KERNEL = "linux-image-cloud-amd64";
const LOADER = ["isolinux", "syslinux-common", "syslinux-utils"];
/** What agents, rail switches, guests and a root in memory need of the kernel. */
const MODULES = ["ipv6", "veth", "bridge", "vxlan", "tun", "sch_tbf", "overlay"];

/** Programs that building and running need, with the packages that bring them. */
const PROGRAMS = {
  "/usr/bin/busybox": "busybox-static",
  "/usr/bin/cpio": "cpio",
  "/usr/bin/xz": "xz-utils",
  "/sbin/modprobe": "kmod",
  "/sbin/ip": "iproute2",
  "/usr/bin/genisoimage": "genisoimage",
  "/usr/bin/qemu-img": "qemu-utils",
  "/usr/bin/taskset": "util-linux",
  "/usr/bin/qemu-system-x86_64": "qemu-system-x86",
};

/** Why the tier cannot run here; undefined when it can, its image built or found. */
export function machineNeeds(say: (line: string) => void): Promise<string | undefined> {
  return lacking(async () => {
    await providePrograms(say, PROGRAMS);
    await machineImage(say);
  });
}

/** Builds the image, or finds the one built earlier. Throws when packages cannot be had. */
export async function machineImage(say: (line: string) => void): Promise<MachineImage> {
  const folder = await builtOnce("railyard-lab-overlay", (fresh) => build(fresh, say));
  const root = join(folder, "root");
  const [kernel = ""] = readdirSync(join(root, "lib/modules"));
  return {
    linux: join(folder, "uml/usr/bin/linux.uml"),
    modules: await modulesOf(join(folder, "uml")),
    guest: await provideGuestImage({ root, kernel, folder }),
  };
}

async function build(folder: string, say: (line: string) => void): Promise<void> {
  say("fetching user-mode Linux and a guest's kernel from Debian's packages");
  const root = join(folder, "root");
  const apt = new PrivateApt(join(folder, "apt"));
  await apt.update();
  const kernelPackage = await apt.dependency(GUEST_KERNEL, "linux-image-");
  await apt.unpack(root, [kernelPackage, ...LOADER]);
  await output("/sbin/depmod", ["-b", root, kernelPackage.replace(/^linux-image-/, "")]);
  const uml = join(folder, "uml");
  await apt.unpack(uml, [LINUX]);
  // Where modprobe looks for them.
  mkdirSync(join(uml, "lib"));
  symlinkSync("../usr/lib/uml/modules", join(uml, "lib/modules"));
  apt.remove();
}

async function modulesOf(root: string): Promise<readonly string[]> {
  const [version = ""] = readdirSync(join(root, "lib/modules"));
  const files: string[] = [];
  for (const name of MODULES) {
    const asked = ["-d", root, "-S", version, "--show-depends", name];
    for (const line of (await output("/sbin/modprobe", asked)).split("\n")) {
      const file = /^insmod (\S+)/.exec(line)?.[1];
      if (file !== undefined && !files.includes(file)) files.push(file);
    }
  }
  return files;
}
