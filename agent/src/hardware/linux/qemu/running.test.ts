// A guest that runs, under a real QEMU where there is one: what becomes of it when its QEMU has
// stopped it, and when it cannot be recorded what it is told to do.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Guests } from "../guests.js";
import { systemOutside } from "../outside.js";
import { qemuGuests } from "./guests.js";
import { notedProcess } from "./noted-process.js";
import { guestPlace } from "./place.js";
import { findGuests, QEMU } from "./processes.js";
import { withQmp } from "./qmp.js";
import { smallSpec } from "./sample.js";

const TOOLS = [QEMU, "/usr/bin/qemu-img", "/usr/bin/genisoimage"];
const isHere = TOOLS.every((path) => existsSync(path));
const owner = process.getuid?.() ?? 0;
const clock = systemClock();
let root: string;
let guests: Guests;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ry-"));
  guests = qemuGuests({
    // As on a machine without systemd.
    ...{ outside: { ...systemOutside(clock), root }, clock, graceMs: 1 },
    ...{ guestsDir: join(root, "g"), volumesDir: join(root, "v") },
    ...{ accelerator: "tcg", vpcBridge: "ry-test" },
    backings: async () => new Map(),
    layoutArguments: () => [],
  });
});
afterEach(async () => {
  await guests.stop("ins-1");
  rmSync(root, { recursive: true, force: true });
});

const spec = () => smallSpec(root);

const place = () => guestPlace(join(root, "g"), "ins-1");

function tell(command: string, args = {}): Promise<unknown> {
  const qemu = { socket: place().control, owner, clock, deadlineMs: 60_000 };
  return withQmp(qemu, (qmp) => qmp.execute(command, args));
}

/** Where its processor stands: still, while its QEMU has stopped it, but for a reset. */
const registers = () => tell("human-monitor-command", { "command-line": "info registers" });

test.runIf(isHere)("a guest that its QEMU has stopped is told to go on, and says so", async () => {
  const one = spec();
  await guests.start(one);
  await guests.start(one);
  await tell("stop");
  expect(await guests.list()).toMatchObject([{ running: false }]);
  await expect(guests.start(one)).rejects.toThrow("was told to go on: paused");
  expect(await guests.list()).toMatchObject([{ running: true }]);
  await guests.start(one);
});

test.runIf(isHere)("a guest is not reset before that can be recorded", async () => {
  await guests.start(spec());
  const draft = `${place().definition}.draft`;
  mkdirSync(draft);
  await tell("stop");
  const before = await registers();
  await expect(guests.reboot("ins-1", 2)).rejects.toThrow();
  expect([await registers(), (await guests.list())[0]?.bootCount]).toEqual([before, 1]);
  rmSync(draft, { recursive: true });
  await guests.reboot("ins-1", 2);
  expect((await guests.list())[0]?.bootCount).toBe(2);
});

/** The processors that one process may run on. */
function processorsOf(pid: number | "self"): string {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return /^Cpus_allowed_list:\t(.*)$/m.exec(status)?.[1] ?? "";
}

const isDivided = isHere && availableParallelism() > 1;

test.runIf(isDivided)("a guest runs on the processors of its devices' NUMA nodes", async () => {
  const node = join(root, "sys/devices/system/node/node0");
  mkdirSync(node, { recursive: true });
  const last = processorsOf("self").split(/[-,]/).at(-1) ?? "";
  writeFileSync(join(node, "cpulist"), `${last}\n`);
  const expanders = [{ numa: 0, guestNuma: 0, bus: 1, lastBus: 1 }];
  await guests.start({ ...spec(), layout: { expanders } as never });
  const { pid = 0 } = findGuests(join(root, "g")).get("ins-1") ?? {};
  expect(processorsOf(pid)).toBe(last);
});

test.runIf(isHere)("it is noted which process a guest is", async () => {
  await guests.start(spec());
  const { pid = 0, begun } = findGuests(join(root, "g")).get("ins-1") ?? {};
  expect(notedProcess(place())).toEqual({ pid, begun });
});

test.runIf(isHere)("a guest whose command line says another is not believed", async () => {
  await guests.start(spec());
  const { definition } = place();
  const record = JSON.parse(readFileSync(definition, "utf8"));
  // As if it had changed its own: what it was started with says more.
  const given = ["-device", "vfio-pci,id=fn,host=0000:3b:00.2,bus=bus11"];
  writeFileSync(definition, JSON.stringify({ ...record, args: [...record.args, ...given] }));
  const functions = [{ guestAddress: "0000:11:00.0", hostAddress: "0000:3b:00.2" }];
  const ended = "qemu's command line was changed";
  expect(await guests.list()).toMatchObject([{ running: false, functions, ended }]);
  writeFileSync(definition, JSON.stringify(record));
  expect(await guests.list()).toMatchObject([{ running: true, functions: [] }]);
});

test.runIf(isHere)("a guest that complains without end does not fill the disk", async () => {
  await guests.start(spec());
  const { pid = 0 } = findGuests(join(root, "g")).get("ins-1") ?? {};
  // O_APPEND of open(2): what it says next comes after what was kept.
  const [, flags] = /^flags:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/2`, "utf8")) ?? [];
  expect(Number.parseInt(flags ?? "", 8) & 0o2000).toBe(0o2000);
  appendFileSync(place().complaints, "x".repeat(2 * 1024 * 1024));
  await guests.list();
  expect(statSync(place().complaints).size).toBeLessThan(128 * 1024);
});

test.runIf(isHere)("a guest without its definition runs on, and can be stopped", async () => {
  await guests.start(spec());
  rmSync(place().definition);
  await expect(guests.reboot("ins-1", 2)).rejects.toThrow("nothing is known of guest ins-1");
  expect(await guests.list()).toMatchObject([{ running: true, bootCount: 0 }]);
  await guests.stop("ins-1");
  expect([await guests.list(), existsSync(place().dir)]).toEqual([[], false]);
  await guests.start({ ...spec(), bootCount: 2 });
  expect(await guests.list()).toMatchObject([{ bootCount: 2 }]);
});
