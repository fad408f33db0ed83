// The first file system of an emulated hypervisor: busybox, a handful of kernel modules and an
// init that puts the machine's own root, read-only, under a writable layer in memory.
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { output } from "../program.js";

/** What the init itself needs; everything else is loaded later from the unpacked packages. */
const EARLY_MODULES = ["9p", "9pnet_virtio", "overlay"];

const SCRIPTS_FOLDER = join(import.meta.dirname, "scripts");
/** Where each script stands in the archive. */
const SCRIPTS = [
  ["init.sh", "init"],
  ["modprobe.sh", "sbin/modprobe"],
] as const;

export interface InitramfsParts {
  /** Where the kernel's packages were unpacked. */
  readonly root: string;
  readonly kernel: string;
  readonly busybox: string;
  /** A folder for work. */
  readonly folder: string;
}

/** The archive's path; it is built unless one with the same scripts is there. */
export async function provideInitramfs(parts: InitramfsParts): Promise<string> {
  const scripts = SCRIPTS.map(([name]) => readFileSync(join(SCRIPTS_FOLDER, name)));
  const digest = createHash("sha256").update(Buffer.concat(scripts)).digest("hex").slice(0, 12);
  const archive = join(parts.folder, `initramfs-${digest}.gz`);
  if (!existsSync(archive)) await build(parts, archive);
  return archive;
}

async function build(parts: InitramfsParts, archive: string): Promise<void> {
  const tree = join(parts.folder, "initramfs");
  rmSync(tree, { recursive: true, force: true });
  for (const name of ["bin", "sbin", "proc", "sys", "dev", "modules"]) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  const programs = SCRIPTS.map(([name, to]) => [join(SCRIPTS_FOLDER, name), to] as const);
  for (const [from, to] of [[parts.busybox, "bin/busybox"] as const, ...programs]) {
    copyFileSync(from, join(tree, to));
    chmodSync(join(tree, to), 0o755);
  }
  await copyModules(parts, join(tree, "modules"));
  writeFileSync(`${archive}.new`, gzipSync(await packed(tree), { level: 1 }));
  renameSync(`${archive}.new`, archive);
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
