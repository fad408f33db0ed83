// Real QEMU guests for tests: whether the machine has what they take, a directory with an image
// that boots into nothing, and the production code over it. It knows no test.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Guests } from "@railyard/agent/hardware/linux/guests";
import { systemOutside } from "@railyard/agent/hardware/linux/outside";
import type { Backing } from "@railyard/agent/hardware/linux/qemu/arguments";
import { qemuGuests } from "@railyard/agent/hardware/linux/qemu/guests";
import {
  hasEnded,
  isAlive,
  lifeOf,
  type ProcessLife,
} from "@railyard/agent/hardware/linux/qemu/process-life";
import type { GuestUser } from "@railyard/agent/hardware/linux/qemu/processes";
import { qemuArguments } from "@railyard/agent/layout/qemu";
import type { DesiredInstance, GuestSpec, ObservedGuest } from "@railyard/agent/model";
import { systemClock } from "@railyard/lib/clock";
import { removeFolder } from "../scratch.js";
import { until } from "../until.js";

const NEEDED = ["/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-img", "/usr/bin/genisoimage"];
const IMAGE_BYTES = 1024 * 1024;
const KILLED_MS = 60_000;

/** Why real guests cannot run here; undefined when they can. */
export function missing(): string | undefined {
  const tools = NEEDED.filter((path) => !existsSync(path));
  if (tools.length > 0)
    return `${tools.join(", ")} missing: apt-get install qemu-system-x86 qemu-utils genisoimage`;
  if (process.getuid?.() !== 0) return "not root";
  return existsSync("/dev/net/tun") ? undefined : "/dev/net/tun is missing";
}

/** Skips with its reason in print. */
export function canRunGuests(): boolean {
  const reason = missing();
  if (reason !== undefined) console.info(`tests with real guests are skipped: ${reason}`);
  return reason === undefined;
}

export class GuestRig {
  readonly image: string;
  readonly guestsDir: string;
  readonly volumesDir: string;
  /** What functions are made of, by host address. */
  backings: ReadonlyMap<string, Backing> = new Map();

  /** Without a directory one is made; with one, that of another process. */
  constructor(readonly dir = mkdtempSync("/tmp/ryg-")) {
    this.image = join(dir, "image.raw");
    this.guestsDir = join(dir, "guests");
    this.volumesDir = join(dir, "volumes");
    if (existsSync(this.guestsDir)) return;
    mkdirSync(this.guestsDir);
    writeFileSync(this.image, "");
    truncateSync(this.image, IMAGE_BYTES);
  }

  /** The same guests through a new object, as a restarted agent has them. */
  open(user?: GuestUser): Guests {
    const clock = systemClock();
    return qemuGuests({
      outside: systemOutside(clock),
      clock,
      guestsDir: this.guestsDir,
      volumesDir: this.volumesDir,
      accelerator: "tcg",
      vpcBridge: "ry-test",
      graceMs: 300,
      ...(user && { user }),
      backings: async () => this.backings,
      layoutArguments: qemuArguments,
    });
  }

  spec(change: Partial<DesiredInstance> = {}): GuestSpec {
    const desired = this.desired(change);
    const { instanceId, name, bootCount, vcpu, memoryMib } = desired;
    return {
      ...{ instanceId, name, bootCount, vcpu, memoryMib, desired },
      functions: [],
      addresses: Object.fromEntries(desired.attachments.map((a) => [a.mac, a.address])),
    };
  }

  desired(change: Partial<DesiredInstance> = {}): DesiredInstance {
    return {
      instanceId: "ins-1",
      name: "one",
      bootCount: 1,
      vcpu: 1,
      memoryMib: 64,
      gpus: [],
      attachments: [],
      image: {
        id: "img-1",
        path: this.image,
        sha256: createHash("sha256").update(readFileSync(this.image)).digest("hex"),
        sizeBytes: IMAGE_BYTES,
      },
      volumes: [],
      vpcNics: [],
      metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
      userData: new Uint8Array(),
      sshKeys: ["ssh-ed25519 AAAA one@two"],
      ...change,
    };
  }

  /** A guest over another image than the rig's. */
  specOver(path: string): GuestSpec {
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
    return this.spec({ image: { id: "img-2", path, sha256, sizeBytes: 1 } });
  }

  /** Waits until one guest is as `is` says. */
  async until(guests: Guests, is: (guest: ObservedGuest) => boolean): Promise<ObservedGuest> {
    return until("the guest", async () => (await guests.list()).find(is));
  }

  /** Ends what a test left running: until it has ended it may write. */
  async close(): Promise<void> {
    const lives = pidsBelow(this.guestsDir).flatMap((pid) => lifeOf(pid) ?? []);
    for (const life of lives) kill(life);
    for (const life of lives) await hasEnded(systemClock(), life, KILLED_MS);
    await removeFolder(this.dir);
  }
}

function kill(life: ProcessLife): void {
  try {
    if (isAlive(life)) process.kill(life.pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

/** Processes of QEMU whose files lie below `dir`. */
export function pidsBelow(dir: string): readonly number[] {
  const lines = execFileSync("/usr/bin/ps", ["-eo", "pid=,args="], { encoding: "utf8" });
  return lines
    .split("\n")
    .filter((line) => line.includes("qemu-system") && line.includes(` ${dir}/`))
    .map((line) => Number.parseInt(line, 10));
}
