// What an emulated hypervisor boots from: QEMU with an SR-IOV NIC (10 or newer), a kernel that has
// its driver, an initramfs. All from Debian's packages, in a folder of our own; kept between runs.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../../../deploy/find-program.mjs";
import { output } from "../program.js";
import { builtOnce } from "./built-once.js";
import { provideInitramfs } from "./initramfs.js";
import { lacking } from "./lacking.js";
import { PrivateApt } from "./private-apt.js";

export interface HypervisorImage {
  readonly qemu: string;
  /** Folders of QEMU's own data files. */
  readonly data: readonly string[];
  readonly kernel: string;
  readonly initramfs: string;
  /** Folder of the kernel's modules; holds one folder named after the kernel. */
  readonly modules: string;
}

const KERNEL = "linux-image-6.12-amd64";
const QEMU = ["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"];
/** What the init itself needs; everything else is loaded later from the unpacked packages. */
const EARLY_MODULES = ["9p", "9pnet_virtio", "overlay"];
const SCRIPTS = [
  [join(import.meta.dirname, "scripts/init.sh"), "init"],
  [join(import.meta.dirname, "scripts/modprobe.sh"), "sbin/modprobe"],
] as const;

/** Programs that building and running need, with the packages that bring them. */
const PROGRAMS = {
  "/usr/bin/busybox": "busybox-static",
  "/usr/bin/cpio": "cpio",
  "/usr/bin/xz": "xz-utils",
  "/sbin/modprobe": "kmod",
  "/sbin/ip": "iproute2",
  "/usr/sbin/lldpd": "lldpd",
};

/**
 * Installs what is missing of `programs`, packages by path, and of QEMU; throws, saying what, when
 * that cannot be done.
 */
export async function providePrograms(
  say: (line: string) => void,
  programs: Readonly<Record<string, string>> = PROGRAMS,
): Promise<void> {
  const missing = Object.entries(programs).filter(([path]) => !existsSync(path));
  const packages = missing.map(([, name]) => name);
  // QEMU of the machine's own release brings the shared libraries that the newer one needs.
  if (!findProgram("qemu-system-x86_64")) packages.push("qemu-system-x86", "qemu-utils");
  if (packages.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(`these are needed: ${packages.join(" ")}`);
  say(`installing ${packages.join(" ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...packages];
  await output("/usr/bin/apt-get", ["update", "-qq"], { env, limitMs: 300_000 });
  await output("/usr/bin/apt-get", install, { env, limitMs: 600_000 });
}

/** Why no hypervisor can be emulated here; undefined when one can, its image built or found. */
export function hypervisorNeeds(say: (line: string) => void): Promise<string | undefined> {
  return lacking(async () => {
    await providePrograms(say);
    await hypervisorImage(say);
  });
}

/** Builds the image, or finds the one built earlier. Throws when packages cannot be had. */
export async function hypervisorImage(say: (line: string) => void): Promise<HypervisorImage> {
  const folder = await builtOnce("railyard-lab", (fresh) => build(fresh, say));
  const root = join(folder, "root");
  const [kernel = ""] = readdirSync(join(root, "lib/modules"));
  const parts = { root, kernel, busybox: "/usr/bin/busybox", folder };
  return {
    qemu: join(root, "usr/bin/qemu-system-x86_64"),
    data: [join(root, "usr/share/qemu"), join(root, "usr/share/seabios")],
    kernel: join(root, "boot", `vmlinuz-${kernel}`),
    initramfs: await provideInitramfs({ ...parts, modules: EARLY_MODULES, scripts: SCRIPTS }),
    modules: join(root, "lib/modules"),
  };
}

async function build(folder: string, say: (line: string) => void): Promise<void> {
  say("fetching QEMU and a kernel from Debian's packages");
  const root = join(folder, "root");
  const apt = new PrivateApt(join(folder, "apt"));
  await apt.update();
  await apt.unpack(root, QEMU, "bookworm-backports");
  const kernelPackage = await apt.dependency(KERNEL, "linux-image-");
  await apt.unpack(root, [kernelPackage]);
  await output("/sbin/depmod", ["-b", root, kernelPackage.replace(/^linux-image-/, "")]);
  await checkLibraries(join(root, "usr/bin/qemu-system-x86_64"));
  apt.remove();
}

async function checkLibraries(program: string): Promise<void> {
  const said = await output("/usr/bin/ldd", [program]);
  const missing = said.split("\n").filter((line) => line.includes("not found"));
  if (missing.length > 0) throw new Error(`QEMU lacks libraries: ${missing.join(", ").trim()}`);
}
