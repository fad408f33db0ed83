// An emulated hypervisor with real SR-IOV NICs: pairs of a GPU stand-in and an igb NIC below
// switches (or root ports) on two NUMA nodes. It runs one command over this machine's own root
// file system, read-only. It knows nothing of agents.
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import type { HypervisorImage } from "./image/hypervisor-image.js";

export interface HypervisorOptions {
  readonly image: HypervisorImage;
  /** 1, 2 …: part of MAC addresses and of guest memory of who is who. */
  readonly number: number;
  readonly pairs: number;
  /** What a pair sits below; a `switch` without ACS makes one IOMMU group of its VFs. */
  readonly below: "switch" | "root-port";
  /** Path of a shell script as seen inside, e.g. `/run/lab/run.sh`; it runs as root. */
  readonly run: string;
  /** A folder that both sides can write; `/run/lab` inside. */
  readonly share: string;
  /** Serial number in the firmware. */
  readonly serial: string;
  /** Port of this machine that 10.0.2.100:4222 leads to. */
  readonly broker?: number;
  /** Where the cable of each NIC leads, by pair; one without an entry leads nowhere. */
  readonly cables?: readonly Cable[];
  readonly memoryMib?: number;
  /** Every line of the console goes there too. */
  readonly log: string;
}

/** Frames travel as UDP datagrams between two ports of this machine. */
export interface Cable {
  readonly nicPort: number;
  readonly farPort: number;
}

export interface Hypervisor {
  /** Resolves with the first console line that `pattern` matches; throws after `limitMs`. */
  line(pattern: RegExp, limitMs: number): Promise<string>;
  /** Types a line at the console. */
  type(line: string): void;
  stop(): Promise<void>;
}

const STOP_MS = 5_000;

/** Starts a hypervisor; it boots in a few seconds, also without hardware acceleration. */
export function startHypervisor(options: HypervisorOptions): Hypervisor {
  const { image, log } = options;
  const child = spawn(image.qemu, hypervisorArguments(options), {
    stdio: ["pipe", "pipe", "pipe"],
  });
  // Whatever ends this process, the machine must not go on without it.
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  // A machine that is gone shows in what does not come.
  child.stdin?.on("error", () => undefined);
  const file = createWriteStream(log, { flags: "a" });
  child.stderr?.pipe(file, { end: false });
  const console = new Console(child);
  console.onLine((line) => file.write(`${line}\n`));
  return {
    line: (pattern, limitMs) => console.line(pattern, limitMs),
    type: (line) => void child.stdin?.write(`${line}\n`),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await gone;
      clearTimeout(timer);
    },
  };
}

/** QEMU's arguments; pure. */
export function hypervisorArguments(options: HypervisorOptions): string[] {
  const { image, pairs, number, memoryMib = 2048 } = options;
  const half = memoryMib / 2;
  const append = [
    "console=ttyS0 quiet panic=-1 intel_iommu=on",
    `lab.run=${options.run} lab.modules=${image.modules} lab.node=${number}`,
  ];
  return [
    ...image.data.flatMap((folder) => ["-L", folder]),
    ..."-machine q35 -accel tcg,thread=multi -cpu max -smp 1 -no-reboot".split(" "),
    ..."-nodefaults -no-user-config -display none -serial stdio".split(" "),
    ...["-m", String(memoryMib), "-smbios", `type=1,serial=${options.serial}`],
    ...[0, 1].flatMap((node) => [
      ...["-object", `memory-backend-ram,id=memory${node},size=${half}M`],
      ...["-numa", `node,nodeid=${node},memdev=memory${node}${node === 0 ? ",cpus=0" : ""}`],
    ]),
    ...["-device", "intel-iommu,intremap=off"],
    ...["-kernel", image.kernel, "-initrd", image.initramfs, "-append", append.join(" ")],
    ...["-virtfs", `local,path=/,mount_tag=hostroot,${SHARED},readonly=on`],
    ...["-virtfs", `local,path=${options.share},mount_tag=labshare,${SHARED}`],
    ...management(options),
    ...[0, 1].flatMap((node) => [
      "-device",
      `pxb-pcie,id=expander${node},bus_nr=${64 * (node + 1)},numa_node=${node},bus=pcie.0`,
    ]),
    ...Array.from({ length: pairs }, (_, pair) => pairArguments(options, pair)).flat(),
  ];
}

const SHARED = "security_model=none,multidevs=remap";

function management({ broker, number }: HypervisorOptions): string[] {
  if (broker === undefined) return [];
  // A command for each connection: one to a port would be made at once and never again.
  const forward = `guestfwd=tcp:10.0.2.100:4222-cmd:/usr/bin/busybox nc 127.0.0.1 ${broker}`;
  const mac = `52:54:00:ff:00:0${number}`;
  return [
    ...["-netdev", `user,id=management,restrict=on,${forward}`],
    ...["-device", `virtio-net-pci,netdev=management,mac=${mac},bus=pcie.0`],
  ];
}

function pairArguments(options: HypervisorOptions, pair: number): string[] {
  const { number, pairs, below, cables = [] } = options;
  const expander = `expander${pair < pairs / 2 ? 0 : 1}`;
  const mac = `52:54:00:00:0${number}:${pair.toString(16).padStart(2, "0")}`;
  const link = netdev(pair, cables[pair]);
  const ports =
    below === "switch"
      ? [
          `pcie-root-port,id=root${pair},bus=${expander},chassis=${10 + pair},slot=${10 + pair}`,
          `x3130-upstream,id=up${pair},bus=root${pair}`,
          `xio3130-downstream,id=gpu${pair},bus=up${pair},chassis=${40 + pair},slot=1`,
          `xio3130-downstream,id=nic${pair},bus=up${pair},chassis=${70 + pair},slot=2`,
        ]
      : [
          `pcie-root-port,id=gpu${pair},bus=${expander},chassis=${40 + pair},slot=${40 + pair}`,
          `pcie-root-port,id=nic${pair},bus=${expander},chassis=${70 + pair},slot=${70 + pair}`,
        ];
  const devices = [
    ...ports,
    `bochs-display,bus=gpu${pair},romfile=,vgamem=4M`,
    `igb,netdev=net${pair},mac=${mac},bus=nic${pair}`,
  ];
  return [...["-netdev", link], ...devices.flatMap((device) => ["-device", device])];
}

function netdev(pair: number, cable: Cable | undefined): string {
  if (!cable) return `user,id=net${pair},restrict=on`;
  const end = (name: string, port: number) =>
    `${name}.type=inet,${name}.host=127.0.0.1,${name}.port=${port}`;
  return `dgram,id=net${pair},${end("local", cable.nicPort)},${end("remote", cable.farPort)}`;
}

const LINES_KEPT_MAX = 20_000;

/** Lines of a serial console, kept from the start so that waiting late misses nothing. */
class Console {
  private readonly lines: string[] = [];
  private readonly listeners = new Set<(line: string) => void>();
  private gone: string | undefined;

  constructor(child: ChildProcess) {
    if (!child.stdout) throw new Error("a hypervisor without a console");
    createInterface({ input: child.stdout }).on("line", (raw) => {
      const line = raw.replace(/\r/g, "");
      if (this.lines.length < LINES_KEPT_MAX) this.lines.push(line);
      for (const listener of this.listeners) listener(line);
    });
    child.once("exit", (code, signal) => {
      this.gone = `the hypervisor ended (${code ?? signal})`;
      for (const listener of this.listeners) listener("");
    });
  }

  onLine(listener: (line: string) => void): void {
    this.listeners.add(listener);
  }

  line(pattern: RegExp, limitMs: number): Promise<string> {
    const found = this.lines.find((line) => pattern.test(line));
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        clearTimeout(timer);
        this.listeners.delete(listener);
        act();
      };
      const fail = (why: string) =>
        end(() => reject(new Error(`${why} before ${pattern}; last: ${this.lastWords()}`)));
      const listener = (line: string) => {
        if (pattern.test(line)) end(() => resolve(line));
        else if (this.gone) fail(this.gone);
      };
      const timer = setTimeout(() => fail(`${limitMs} ms passed`), limitMs);
      this.listeners.add(listener);
      if (this.gone) listener("");
    });
  }

  private lastWords(): string {
    return this.lines.slice(-5).join(" | ");
  }
}
