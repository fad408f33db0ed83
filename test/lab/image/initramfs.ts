// The first file system of a machine that the lab boots: busybox, a handful of kernel modules and
// scripts, the init among them. It knows no machine.
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

export interface InitramfsParts {
  /** Where the kernel's packages were unpacked. */
  readonly root: string;
  readonly kernel: string;
  readonly busybox: string;
  /** Kernel modules by name; their own ones come with them. */
  readonly modules: readonly string[];
  /** Paths of scripts, and where each stands in the archive. */
  readonly scripts: readonly (readonly [from: string, to: string])[];
  /** A folder for work. */
  readonly folder: string;
}

/** The archive's path; it is built unless one of the same parts is there. */
export async function provideInitramfs(parts: InitramfsParts): Promise<string> {
  const hash = createHash("sha256").update(parts.modules.join(" "));
  for (const [path] of parts.scripts) hash.update(readFileSync(path));
  const digest = hash.digest("hex").slice(0, 12);
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
  for (const [from, to] of [[parts.busybox, "bin/busybox"] as const, ...parts.scripts]) {
    copyFileSync(from, join(tree, to));
    chmodSync(join(tree, to), 0o755);
  }
  await copyModules(parts, join(tree, "modules"));
  writeFileSync(`${archive}.new`, gzipSync(await packed(tree), { level: 1 }));
  renameSync(`${archive}.new`, archive);
}

/** In the order in which they can be loaded; the kernel of the init takes no compressed ones. */
async function copyModules({ root, kernel, modules }: InitramfsParts, to: string): Promise<void> {
  const files: string[] = [];
  for (const name of modules) {
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
