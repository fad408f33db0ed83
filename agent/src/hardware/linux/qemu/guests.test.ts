// What the agent makes of a guest's folder, in which the guest's own account may have been at work:
// whoever breaks out of a QEMU must not be able to have the agent write, read, or give away files
// that are not the guest's, nor to keep it waiting.
import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock, systemClock } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLinuxHardware } from "../linux.js";
import type { Outside } from "../outside.js";
import { qemuGuests } from "./guests.js";
import { flatPlace, guestPlace } from "./place.js";
import { smallSpec } from "./sample.js";

const USER = { name: "guest", uid: 12_345, gid: 12_345 };
const PRECIOUS = "the agent's own";
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "railyard-guests-"));
  mkdirSync(join(root, "run/systemd/system"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/**
 * A machine whose tools write what they are told to, and whose QEMU ends at once; `shown` is what
 * systemd says of a unit.
 */
function machine(shown = "ActiveState=inactive\n"): Outside {
  return {
    root,
    write: () => Promise.reject(new Error("nothing is written")),
    async exec(tool, args) {
      if (args[0] === "info") return JSON.stringify({ format: "raw" });
      if (args[0] === "create") writeFileSync(args.at(-2) ?? "", "disk");
      if (tool === "genisoimage") writeFileSync(args[args.indexOf("-output") + 1] ?? "", "seed");
      return shown;
    },
  };
}

function open(outside = machine()) {
  return qemuGuests({
    ...{ outside, clock: systemClock(), guestsDir: join(root, "g"), user: USER },
    ...{ volumesDir: join(root, "v"), accelerator: "tcg", vpcBridge: "ry-test" },
    backings: async () => new Map(),
    layoutArguments: () => [],
  });
}

const spec = () => smallSpec(root);

const PLACE = guestPlace("/g", "ins-1");
const isRoot = process.getuid?.() === 0;

test
  .runIf(isRoot)
  .each([
    PLACE.disk,
    `${PLACE.disk}.draft`,
    `${PLACE.dir}/disk.draft`,
    flatPlace(PLACE).disk,
    PLACE.seed,
    `${PLACE.definition}.draft`,
    PLACE.complaints,
    PLACE.box,
  ])("a link that was put at %s leads a start nowhere", async (path) => {
  const place = guestPlace(join(root, "g"), "ins-1");
  const precious = join(root, "precious");
  mkdirSync(path === PLACE.box ? place.dir : place.box, { recursive: true });
  writeFileSync(precious, PRECIOUS);
  symlinkSync(precious, join(root, path));
  await expect(open().start(spec())).rejects.toThrow("qemu did not start");
  expect(existsSync(place.definition)).toBe(true);
  expect(lstatSync(place.disk).isFile()).toBe(true);
  expect(readFileSync(precious, "utf8")).toBe(PRECIOUS);
  expect(statSync(precious).uid).toBe(0);
});

test.runIf(isRoot)("the account owns what its QEMU writes, and nothing that is read", async () => {
  const place = guestPlace(join(root, "g"), "ins-1");
  await expect(open().start(spec())).rejects.toThrow("qemu did not start");
  const seen = (path: string) => {
    const { uid, gid, mode } = lstatSync(path);
    return [uid, gid, (mode & 0o777).toString(8)];
  };
  const { uid, gid } = USER;
  expect(seen(place.dir)).toEqual([0, 0, "711"]);
  expect(seen(place.box)).toEqual([uid, gid, "700"]);
  expect(lstatSync(place.disk).uid).toBe(uid);
  expect(seen(place.seed)).toEqual([0, gid, "640"]);
  expect(seen(place.definition)).toEqual([0, 0, "600"]);
  expect(seen(place.seedFiles)).toEqual([0, 0, "700"]);
});

test("a guest's unit sees its image where that leads, and nothing private", async () => {
  const asked: string[] = [];
  const tools = machine();
  const exec: Outside["exec"] = async (tool, args, ms) => {
    if (tool === "systemd-run") asked.push(...args);
    return tools.exec(tool, args, ms);
  };
  const one = spec();
  const linked = join(root, "linked");
  symlinkSync(join(root, "image"), linked);
  const desired = { ...one.desired, image: { ...one.desired.image, path: linked } };
  const guests = qemuGuests({
    ...{ outside: { ...tools, exec }, clock: systemClock(), guestsDir: join(root, "g") },
    ...{ volumesDir: join(root, "v"), accelerator: "tcg", vpcBridge: "ry-test" },
    privatePaths: [root, "/k/node.json"],
    backings: async () => new Map(),
    layoutArguments: () => [],
  });
  await expect(guests.start({ ...one, desired })).rejects.toThrow("qemu did not start");
  for (const property of [
    ...[`TemporaryFileSystem=${root}:ro`, "InaccessiblePaths=-/k/node.json"],
    ...[`BindReadOnlyPaths=${linked}`, `BindReadOnlyPaths=${join(root, "image")}`],
  ]) {
    expect(asked).toContain(property);
  }
});

/** A folder as an earlier agent left it: the account's, with everything in it. */
function flatFolder(): ReturnType<typeof guestPlace> {
  const place = flatPlace(guestPlace(join(root, "g"), "ins-1"));
  mkdirSync(place.seedFiles, { recursive: true, mode: 0o700 });
  writeFileSync(place.definition, JSON.stringify({ bootCount: 7, args: ["-smp", "3"] }));
  writeFileSync(place.disk, "what the guest wrote");
  chownSync(place.disk, USER.uid, USER.gid);
  chownSync(place.dir, USER.uid, USER.gid);
  return place;
}

test.runIf(isRoot)("a folder of an earlier agent is taken back and told as before", async () => {
  const flat = flatFolder();
  const guests = open();
  expect(statSync(flat.dir).uid).toBe(0);
  expect(await guests.list()).toMatchObject([{ instanceId: "ins-1", bootCount: 7, vcpu: 3 }]);
});

test.runIf(isRoot)("a guest of an earlier agent starts over the disk that it had", async () => {
  const flat = flatFolder();
  await expect(open().start(spec())).rejects.toThrow("qemu did not start");
  const { disk } = guestPlace(join(root, "g"), "ins-1");
  expect(readFileSync(disk, "utf8")).toBe("what the guest wrote");
  expect(existsSync(flat.disk)).toBe(false);
});

test.runIf(isRoot)("of two disks that a guest has, none is written over", async () => {
  const flat = flatFolder();
  const place = guestPlace(join(root, "g"), "ins-1");
  mkdirSync(place.box);
  writeFileSync(place.disk, "what it wrote before the agent was set back");
  const started = open().start(spec());
  await expect(started).rejects.toThrow(`two disks, of which one may stay: ${flat.disk}`);
  expect(readFileSync(place.disk, "utf8")).toContain("before the agent was set back");
  expect(readFileSync(flat.disk, "utf8")).toBe("what the guest wrote");
});

test("a volume that cannot be looked at is not made anew", async () => {
  const volume = join(root, "v/vol-1.qcow2");
  mkdirSync(join(root, "v"));
  // No more to be looked at than a file on a disk that cannot be read.
  symlinkSync(volume, volume);
  const { desired, ...one } = spec();
  const volumes = [{ id: "vol-1", capacityGib: 1, boot: true }];
  const started = open().start({ ...one, desired: { ...desired, volumes } });
  await expect(started).rejects.toThrow("cannot be told: ELOOP");
  expect(lstatSync(volume).isSymbolicLink()).toBe(true);
});

test("a guest does not come to be once nobody waits for its start", async () => {
  const asked: string[] = [];
  let answer = () => {};
  const tools = machine();
  const exec: Outside["exec"] = async (tool, args, ms) => {
    asked.push(tool);
    // As reading a large image takes long.
    if (args[0] === "info") await new Promise<void>((resolve) => (answer = resolve));
    return tools.exec(tool, args, ms);
  };
  const clock = new ManualClock();
  const guests = open({ ...tools, exec });
  const hardware = createLinuxHardware({ outside: tools, guests, clock, fake: false });
  const one = spec();
  const outcome = hardware.startGuest(one).catch(asRailyardError);
  await vi.waitFor(() => expect(asked).toEqual(["qemu-img"]));
  await clock.advance(60_000);
  expect(await outcome).toMatchObject({ code: "deadline" });
  answer();
  await guests.stop("ins-1");
  expect(asked).not.toContain("systemd-run");
  expect(await guests.list()).toEqual([]);
  // A later one finds the image known and is waited for.
  await expect(hardware.startGuest(one)).rejects.toThrow("qemu did not start");
  expect(asked).toContain("systemd-run");
});

test.runIf(isRoot).each([
  [
    "a pipe",
    (path: string) => {
      rmSync(path);
      execFileSync("/usr/bin/mkfifo", [path]);
    },
  ],
  [
    "a file of its own",
    (path: string) => {
      rmSync(path);
      writeFileSync(path, JSON.stringify({ bootCount: 9, args: [] }));
      chownSync(path, USER.uid, USER.gid);
    },
  ],
])("an account that put %s where its definition was is not believed", async (_, swap) => {
  const flat = flatFolder();
  swap(flat.definition);
  expect(await open().list()).toMatchObject([{ instanceId: "ins-1", bootCount: 0 }]);
});

const CRASHED = "Result=signal\nExecMainCode=2\nExecMainStatus=9\nActiveState=failed\n";

test("a guest that was killed by a stop which then failed did not end by itself", async () => {
  mkdirSync(guestPlace(join(root, "g"), "ins-1").dir, { recursive: true });
  const failed = machine(CRASHED);
  const guests = open({
    ...failed,
    async exec(tool, args, ms) {
      if (args[0] === "reset-failed") throw new Error("no answer");
      return failed.exec(tool, args, ms);
    },
  });
  const ended = "qemu was killed by SIGKILL";
  expect(await guests.list()).toMatchObject([{ ended }]);
  await expect(guests.stop("ins-1")).rejects.toThrow("no answer");
  const [seen] = await guests.list();
  expect(seen).toMatchObject({ instanceId: "ins-1", running: false });
  expect(seen?.ended).toBeUndefined();
});

test("a link that was put where a stop is noted leads it nowhere", async () => {
  const { dir, stopping } = guestPlace(join(root, "g"), "ins-1");
  const precious = join(root, "precious");
  mkdirSync(dir, { recursive: true });
  writeFileSync(precious, PRECIOUS);
  symlinkSync(precious, stopping);
  await open().stop("ins-1");
  expect(existsSync(dir)).toBe(false);
  expect(readFileSync(precious, "utf8")).toBe(PRECIOUS);
});

test.runIf(isRoot)("how a guest ends after its next start is told again", async () => {
  const { dir, stopping } = guestPlace(join(root, "g"), "ins-1");
  mkdirSync(dir, { recursive: true });
  writeFileSync(stopping, "");
  await expect(open().start(spec())).rejects.toThrow("qemu did not start");
  const ended = "qemu was killed by SIGKILL";
  expect(await open(machine(CRASHED)).list()).toMatchObject([{ ended }]);
});
