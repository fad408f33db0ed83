// The first file system of an emulated hypervisor: busybox, a handful of kernel modules and an
// init that puts the machine's own root, read-only, under a writable layer in memory.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { output } from "../program.js";

/** What the init itself needs; everything else is loaded later from the unpacked packages. */
const EARLY_MODULES = ["9p", "9pnet_virtio", "overlay"];

export interface InitramfsParts {
  /** Where the kernel's packages were unpacked. */
  readonly root: string;
  readonly kernel: string;
  readonly busybox: string;
  /** A folder for work. */
  readonly folder: string;
}

/** Builds the archive; answers its path. */
export async function buildInitramfs(parts: InitramfsParts): Promise<string> {
  const tree = join(parts.folder, "initramfs");
  rmSync(tree, { recursive: true, force: true });
  for (const name of ["bin", "sbin", "proc", "sys", "dev", "modules"]) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  const scripts = join(import.meta.dirname, "scripts");
  for (const [from, to] of [
    [parts.busybox, "bin/busybox"],
    [join(scripts, "init.sh"), "init"],
    [join(scripts, "modprobe.sh"), "sbin/modprobe"],
  ] as const) {
    copyFileSync(from, join(tree, to));
    chmodSync(join(tree, to), 0o755);
  }
  await copyModules(parts, join(tree, "modules"));
  const archive = join(parts.folder, "initramfs.gz");
  writeFileSync(archive, gzipSync(await packed(tree), { level: 1 }));
  return archive;
}

/** In the order in which they can be loaded; the kernel of the init takes no compressed ones. */
async function copyModules({ root, kernel }: InitramfsParts, to: string): Promise<void> {
  const files: string[] = [];
  for (const name of EARLY_MODULES) {
    const said = await output("/sbin/modprobe", ["-d", root, "-S", kernel, "--show-depends", name]);
    for (const line of said.split("\n")) {
      const file = /^insmod (\S+)/.exec(line)?.[1];
      if (file !== undefined && !files.includes(file)) files.push(file);
    }
  }
  for (const [at, file] of files.entries()) {
    const name = `${String(at).padStart(2, "0")}-${basename(file).replace(/\.xz$/, "")}`;
    const place = join(to, name);
    copyFileSync(file, file.endsWith(".xz") ? `${place}.xz` : place);
    if (file.endsWith(".xz")) await output("/usr/bin/xz", ["--decompress", `${place}.xz`]);
  }
}

async function packed(tree: string): Promise<Buffer> {
  const names = readdirSync(tree, { recursive: true, encoding: "utf8" }).sort();
  const file = `${tree}.cpio`;
  const args = ["--create", "--format=newc", "--quiet", "--owner=+0:+0", `--file=${file}`];
  await output("/usr/bin/cpio", args, { cwd: tree, input: `${names.join("\n")}\n` });
  return readFileSync(file);
}
