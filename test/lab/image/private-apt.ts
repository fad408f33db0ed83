// Debian packages fetched and unpacked into a folder of our own: nothing is installed, and the
// machine's apt state stays as it is. It knows no package by name.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { output } from "../program.js";

const APT = "/usr/bin/apt-get";
const CACHE = "/usr/bin/apt-cache";
const DPKG = "/usr/bin/dpkg";
const FETCH_MS = 180_000;

/** Suites that the private directory lists, by the archive of the mirror that has them. */
const SUITES = {
  debian: ["bookworm", "bookworm-updates", "bookworm-backports"],
  "debian-security": ["bookworm-security"],
};

export class PrivateApt {
  private readonly options: readonly string[];

  constructor(private readonly folder: string) {
    for (const name of ["lists/partial", "cache/archives/partial", "debs"]) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    const list = join(folder, "sources.list");
    const lines = Object.entries(SUITES).flatMap(([archive, suites]) => {
      const mirror = debianMirror(archive);
      return suites.map((suite) => `deb ${mirror} ${suite} main`);
    });
    writeFileSync(list, `${lines.join("\n")}\n`);
    const settings = {
      "Dir::Etc::sourcelist": list,
      "Dir::Etc::sourceparts": "-",
      "Dir::State::lists": join(folder, "lists"),
      "Dir::Cache": join(folder, "cache"),
      "APT::Sandbox::User": "root",
      "Acquire::Languages": "none",
      "Acquire::Retries": "2",
      "Acquire::http::Timeout": "30",
    };
    this.options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  }

  /** Reads the mirror's package lists. Throws when it cannot be reached. */
  async update(): Promise<void> {
    const args = [...this.options, "-qq", "-o", "APT::Update::Error-Mode=any", "update"];
    await output(APT, args, { limitMs: FETCH_MS });
  }

  /** The package that `name` depends on and that begins with `prefix`. */
  async dependency(name: string, prefix: string): Promise<string> {
    const said = await output(CACHE, [...this.options, "depends", name]);
    const wanted = said.split("\n").flatMap((line) => /^\s*Depends: (\S+)/.exec(line)?.[1] ?? []);
    const found = wanted.find((dependency) => dependency.startsWith(prefix));
    if (found === undefined) throw new Error(`${name} depends on nothing called ${prefix}…`);
    return found;
  }

  /** The newest version of a package. */
  async version(name: string): Promise<string> {
    const said = await output(CACHE, [...this.options, "show", "--no-all-versions", name]);
    const found = /^Version: (\S+)/m.exec(said)?.[1];
    if (found === undefined) throw new Error(`${name} tells no version`);
    return found;
  }

  /** Fetches packages, each a name or `name=version`, and unpacks them below `root`. */
  async unpack(root: string, packages: readonly string[], suite = "bookworm"): Promise<void> {
    mkdirSync(root, { recursive: true });
    const debs = join(this.folder, "debs");
    const before = new Set(readdirSync(debs));
    const args = [...this.options, "-qq", "download", "-t", suite, ...packages];
    await output(APT, args, { cwd: debs, limitMs: FETCH_MS });
    for (const deb of readdirSync(debs).filter((name) => !before.has(name))) {
      await output(DPKG, ["-x", join(debs, deb), root]);
    }
  }

  /** Removes its own folder; what was unpacked stays. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The mirror of an archive, e.g. `debian`, that this machine's own apt sources name. */
export function debianMirror(archive: string, etc = "/etc/apt"): string {
  const folder = join(etc, "sources.list.d");
  const parts = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  const files = [join(etc, "sources.list"), ...parts].filter((file) => existsSync(file));
  const lines = files.flatMap((file) => readFileSync(file, "utf8").split("\n"));
  const uris = lines.flatMap((line) => /^(?:URIs:|deb)\s.*?(https?:\/\/\S+)/.exec(line)?.[1] ?? []);
  const mirror = uris
    .map((uri) => uri.replace(/\/$/, ""))
    .find((uri) => uri.endsWith(`/${archive}`));
  if (mirror === undefined) throw new Error(`no mirror of ${archive} is named below ${etc}`);
  return mirror;
}
