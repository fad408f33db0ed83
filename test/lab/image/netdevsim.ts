// The kernel module netdevsim, a driver without a device that keeps every setting of its virtual
// functions. Debian builds none, so that it is built here from Debian's own sources for the kernel
// of the emulated hypervisor, in a folder of our own; kept between runs.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { output } from "../program.js";
import { builtOnce } from "./built-once.js";
import { hypervisorImage, providePrograms } from "./hypervisor-image.js";
import { lacking } from "./lacking.js";
import { PrivateApt } from "./private-apt.js";

const DRIVER = "drivers/net/netdevsim";
const MODULE = "netdevsim.ko";
const BUILD_MS = 240_000;

/** Programs that building needs, with the packages that bring them. */
const PROGRAMS = {
  "/usr/bin/make": "make",
  // The one that Debian's kernel was built with, by its own headers' word.
  "/usr/bin/gcc-12": "gcc-12",
  "/usr/bin/strip": "binutils",
  "/usr/bin/tar": "tar",
  "/usr/bin/xz": "xz-utils",
  // For objtool, which comes built.
  "/usr/lib/x86_64-linux-gnu/libelf.so.1": "libelf1",
};

/** Why the module cannot be had here; undefined when it can, built or found. */
export function netdevsimNeeds(say: (line: string) => void): Promise<string | undefined> {
  return lacking(async () => {
    await providePrograms(say);
    await providePrograms(say, PROGRAMS);
    await netdevsimModule(say);
  });
}

/** Path of the module for the hypervisor's kernel. Throws when its sources cannot be had. */
export async function netdevsimModule(say: (line: string) => void): Promise<string> {
  const { modules } = await hypervisorImage(say);
  const [kernel = ""] = readdirSync(modules);
  const build = (folder: string) => buildModule(kernel, folder, say);
  return join(await builtOnce(`railyard-lab-netdevsim-${kernel}`, build), MODULE);
}

async function buildModule(
  kernel: string,
  folder: string,
  say: (line: string) => void,
): Promise<void> {
  say(`building netdevsim for ${kernel} from Debian's kernel sources`);
  const root = join(folder, "root");
  const apt = new PrivateApt(join(folder, "apt"));
  await apt.update();
  const sources = join(root, "usr/src");
  const driver = await unpackSources({ apt, root, sources, kernel });
  const headers = join(sources, `linux-headers-${kernel}`);
  standAt(sources, join(headers, "Makefile"));
  // Without the debug information that a tool of its own would have to make.
  const options = ["CONFIG_NETDEVSIM=m", "CONFIG_DEBUG_INFO_BTF_MODULES="];
  const args = ["--silent", "-C", headers, `M=${driver}`, ...options, "modules"];
  await output("/usr/bin/make", args, { limitMs: BUILD_MS });
  const stripped = ["--strip-debug", "-o", join(folder, MODULE), join(driver, MODULE)];
  await output("/usr/bin/strip", stripped);
  apt.remove();
  rmSync(root, { recursive: true, force: true });
}

/** The kernel's headers and build tools, and of its sources the driver's, whose path it answers. */
async function unpackSources(where: {
  readonly apt: PrivateApt;
  readonly root: string;
  readonly sources: string;
  readonly kernel: string;
}): Promise<string> {
  const { apt, root, sources, kernel } = where;
  // `6.12.117+deb12-amd64` is a flavour of 6.12.117+deb12, of the series 6.12.
  const base = kernel.replace(/-[^-]+$/, "");
  const tree = `linux-source-${/^\d+\.\d+/.exec(kernel)?.[0]}`;
  const headers = `linux-headers-${kernel}`;
  const version = await apt.version(headers);
  const common = [`linux-headers-${base}-common`, `linux-kbuild-${base}`];
  await apt.unpack(root, [headers, ...common, `${tree}=${version}`]);
  const args = ["-xJf", join(sources, `${tree}.tar.xz`), "-C", sources, `${tree}/${DRIVER}`];
  await output("/usr/bin/tar", args, { limitMs: BUILD_MS });
  return join(sources, tree, DRIVER);
}

/** The headers' Makefile names the common ones by where they would be installed. */
function standAt(sources: string, makefile: string): void {
  writeFileSync(makefile, readFileSync(makefile, "utf8").replaceAll("/usr/src/", `${sources}/`));
}
