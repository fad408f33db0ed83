// Guests as real QEMU processes: started, read back from what runs, rebooted, stopped, and found
// again by an agent that knows nothing of them but their directory.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Consoles } from "@railyard/agent/console";
import { systemOutside } from "@railyard/agent/hardware/linux/outside";
import type { Backing } from "@railyard/agent/hardware/linux/qemu/arguments";
import { makeTap, removeInterface } from "@railyard/agent/hardware/linux/tap";
import { compileLayout } from "@railyard/agent/layout/layout";
import type { GuestFunction } from "@railyard/agent/model";
import type { ConsoleFrame } from "@railyard/agent/model/console";
import { systemClock } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../until.js";
import { softInstance, softInventory } from "./plant.js";
import { canRunGuests, GuestRig, pidsBelow } from "./rig.js";

/** A boot sector that sends back whatever comes over the first serial port. */
function echoSector(): Buffer {
  const sector = Buffer.alloc(512);
  // wait: mov dx,3fd; in al,dx; test al,1; jz wait; mov dx,3f8; in al,dx; out dx,al; jmp wait
  sector.write("bafd03eca80174f8baf803eceeebf1", "hex");
  sector.write("55aa", 510, "hex");
  return sector;
}

const NOBODY = { name: "nobody", uid: 65_534, gid: 65_534 };

/** Lets any account through to what is its own. */
function openWay({ dir, guestsDir }: GuestRig): void {
  for (const path of [dir, guestsDir]) chmodSync(path, 0o711);
}

/** Runs a guest again as agents did before there was a box; its process. */
async function flatten(dir: string): Promise<number> {
  const box = join(dir, "box");
  const made = ["qmp.sock", "serial.sock", "pid"];
  for (const name of made) rmSync(join(box, name));
  for (const name of readdirSync(box)) renameSync(join(box, name), join(dir, name));
  rmdirSync(box);
  const path = join(dir, "definition.json");
  const definition = readFileSync(path, "utf8").replaceAll(`${box}/`, `${dir}/`);
  writeFileSync(path, definition);
  for (const owned of [dir, join(dir, "seed.iso")]) chownSync(owned, NOBODY.uid, NOBODY.gid);
  const { uid, gid } = NOBODY;
  const options = { detached: true, stdio: "ignore", uid, gid } as const;
  const { args } = JSON.parse(definition);
  const qemu = spawn("/usr/bin/qemu-system-x86_64", args, options);
  qemu.unref();
  await until("its files", () => made.every((name) => existsSync(join(dir, name))));
  return qemu.pid!;
}

// Another run of these tests may be on the machine.
const TAPS = [0, 1].map((n) => `ry${process.pid}t${n}`);
const outside = systemOutside(systemClock());

describe.skipIf(!canRunGuests())("guests under qemu", () => {
  let rig: GuestRig;
  let agent: ChildProcess | undefined;
  beforeEach(() => {
    rig = new GuestRig();
  });
  afterEach(async () => {
    await killAgent();
    await rig.close();
  });

  /** An agent of another process that has started a guest. */
  async function startAgent(program: string, args: readonly string[]): Promise<void> {
    agent = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    await Promise.race([once(agent.stdout!, "data"), once(agent, "exit")]);
  }

  async function killAgent(): Promise<void> {
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = once(agent, "exit");
    agent.kill("SIGKILL");
    await ended;
  }

  test("a guest runs, is adopted by the next agent, and leaves only its volumes", async () => {
    const volumes = [{ id: "vol-1", capacityGib: 2, boot: true }];
    const spec = rig.spec({ volumes });
    await rig.open().start(spec);
    const pids = pidsBelow(rig.guestsDir);
    expect(pids).toHaveLength(1);
    const again = rig.open();
    await again.start(spec);
    expect(pidsBelow(rig.guestsDir)).toEqual(pids);
    const guest = await rig.until(again, (g) => g.running);
    const plain = { vcpu: 1, memoryMib: 64, functions: [], addresses: {} };
    expect(guest).toEqual({ instanceId: "ins-1", bootCount: 1, running: true, ...plain });
    await again.stop("ins-1");
    await again.stop("ins-1");
    expect(await again.list()).toEqual([]);
    expect(pidsBelow(rig.guestsDir)).toEqual([]);
    expect(existsSync(join(rig.guestsDir, "ins-1"))).toBe(false);
    const info = execFileSync("/usr/bin/qemu-img", [
      "info",
      "--output=json",
      join(rig.volumesDir, "vol-1.qcow2"),
    ]);
    expect(JSON.parse(String(info))).toMatchObject({
      "virtual-size": 2 * 1024 ** 3,
      "backing-filename": rig.image,
    });
  });

  test("a guest lives on when the process that started it is killed", async () => {
    const script = join(import.meta.dirname, "starter.ts");
    const node = ["--import", "tsx", "--conditions=railyard-source", script, rig.dir];
    await startAgent(process.execPath, node);
    const pids = pidsBelow(rig.guestsDir);
    await killAgent();
    const guests = rig.open();
    expect(await rig.until(guests, (g) => g.running)).toMatchObject({ bootCount: 1 });
    expect(pids).toHaveLength(1);
    expect(pidsBelow(rig.guestsDir)).toEqual(pids);
    await guests.stop("ins-1");
    expect(pidsBelow(rig.guestsDir)).toEqual([]);
  });

  test("functions sit at the compiled addresses once the firmware numbered the buses", async () => {
    const inventory = softInventory(2);
    const desired = softInstance(inventory);
    const result = compileLayout(inventory, rig.desired(desired));
    if (!result.ok) throw new Error(result.problem.message);
    const { layout } = result;
    const functions: GuestFunction[] = [...layout.gpus, ...layout.attachments].map((f, at) => ({
      guestAddress: f.guestAddress,
      hostAddress: `fa00:00:0${at}.0`,
    }));
    for (const tap of TAPS) await makeTap(outside, tap);
    try {
      rig.backings = new Map(
        functions.map((fn, at): [string, Backing] => {
          const attachment = desired.attachments[at - layout.gpus.length];
          if (!attachment) return [fn.hostAddress, { kind: "stand-in" }];
          const tap = TAPS[attachment.position]!;
          return [fn.hostAddress, { kind: "tap", tap, mac: attachment.mac, mtu: 9000 }];
        }),
      );
      const guests = rig.open();
      const spec = { ...rig.spec(desired), functions, layout };
      await guests.start(spec);
      const order = (a: GuestFunction, b: GuestFunction) =>
        a.guestAddress < b.guestAddress ? -1 : 1;
      const guest = await rig.until(guests, (g) => g.running);
      expect(guest.functions).toEqual([...functions].sort(order));
      expect(guest.addresses).toEqual(spec.addresses);
      await expect(guests.start({ ...spec, instanceId: "ins-2" })).rejects.toMatchObject({
        code: "unavailable",
      });
      await guests.stop("ins-1");
    } finally {
      for (const tap of TAPS) await removeInterface(outside, tap);
    }
  });

  test("what is no guest in the directory is left aside", async () => {
    mkdirSync(join(rig.guestsDir, "lost+found"));
    expect(await rig.open().list()).toEqual([]);
  });

  test("a reboot is counted after the machine was reset, and the process stays", async () => {
    const guests = rig.open();
    await guests.start(rig.spec());
    const pids = pidsBelow(rig.guestsDir);
    await guests.reboot("ins-1", 2);
    expect((await rig.until(rig.open(), (g) => g.running)).bootCount).toBe(2);
    expect(pidsBelow(rig.guestsDir)).toEqual(pids);
    await expect(guests.reboot("ins-2", 2)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("a guest whose process died does not run, and is started over its disk", async () => {
    const guests = rig.open();
    await guests.start(rig.spec());
    process.kill(pidsBelow(rig.guestsDir)[0]!, "SIGKILL");
    const dead = await rig.until(guests, (g) => g.ended !== undefined);
    const ended = "qemu was killed by SIGKILL";
    expect(dead).toMatchObject({ bootCount: 1, memoryMib: 64, running: false, ended });
    await guests.start(rig.spec());
    expect((await rig.until(guests, (g) => g.running)).ended).toBeUndefined();
  });

  test("a guest runs under the account that it is given, with no way to more", async () => {
    openWay(rig);
    const guests = rig.open(NOBODY);
    await guests.start(rig.spec());
    const status = readFileSync(`/proc/${pidsBelow(rig.guestsDir)[0]}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    await rig.until(guests, (g) => g.running);
    const dir = join(rig.guestsDir, "ins-1");
    expect(statSync(dir).uid).toBe(0);
    expect(statSync(join(dir, "box")).uid).toBe(NOBODY.uid);
    await guests.stop("ins-1");
  });

  test("a guest starts again under another account than the one that it died under", async () => {
    openWay(rig);
    const before = rig.open();
    await before.start(rig.spec());
    process.kill(pidsBelow(rig.guestsDir)[0]!, "SIGKILL");
    await rig.until(before, (g) => g.ended !== undefined);
    const guests = rig.open(NOBODY);
    await guests.start(rig.spec());
    expect((await rig.until(guests, (g) => g.running)).ended).toBeUndefined();
  });

  test("a guest without a unit has the groups of its account, /dev/kvm's for one", async () => {
    openWay(rig);
    const groups = join(rig.dir, "group");
    writeFileSync(groups, `${readFileSync("/etc/group", "utf8")}rytest:x:54321:nobody\n`);
    const script = join(import.meta.dirname, "starter.ts");
    const node = [process.execPath, "--import", "tsx", "--conditions=railyard-source", script];
    const elsewhere = 'mount --bind "$0" /etc/group && exec "$@"';
    const args = ["--mount", "/bin/sh", "-c", elsewhere, groups, ...node, rig.dir, "65534"];
    await startAgent("/usr/bin/unshare", args);
    const status = readFileSync(`/proc/${pidsBelow(rig.guestsDir)[0]}/status`, "utf8");
    expect(/^Groups:(.*)$/m.exec(status)?.[1]?.trim().split(" ").sort()).toEqual([
      "54321",
      "65534",
    ]);
  });

  test("a guest that an earlier agent started, in a folder of its own, is adopted", async () => {
    openWay(rig);
    const first = rig.open(NOBODY);
    await first.start(rig.spec());
    process.kill(pidsBelow(rig.guestsDir)[0]!, "SIGKILL");
    await rig.until(first, (g) => g.ended !== undefined);
    const pid = await flatten(join(rig.guestsDir, "ins-1"));
    const guests = rig.open(NOBODY);
    const guest = await rig.until(guests, (g) => g.running);
    expect(guest).toMatchObject({ bootCount: 1, vcpu: 1, memoryMib: 64 });
    expect(pidsBelow(rig.guestsDir)).toEqual([pid]);
    expect(statSync(join(rig.guestsDir, "ins-1")).uid).toBe(0);
    await guests.reboot("ins-1", 2);
    expect((await rig.until(guests, (g) => g.running)).bootCount).toBe(2);
    await guests.stop("ins-1");
    expect(await guests.list()).toEqual([]);
    expect(pidsBelow(rig.guestsDir)).toEqual([]);
  });

  test("a guest that turns its monitor into a link has nobody else spoken to", async () => {
    const guests = rig.open();
    await guests.start(rig.spec());
    await guests.start({ ...rig.spec(), instanceId: "ins-2" });
    const socket = (id: string) => join(rig.guestsDir, id, "box", "qmp.sock");
    rmSync(socket("ins-1"));
    symlinkSync(socket("ins-2"), socket("ins-1"));
    await expect(guests.reboot("ins-1", 2)).rejects.toThrow("it is no socket");
    const seen = await guests.list();
    expect(seen.map((g) => [g.instanceId, g.running])).toEqual([
      ["ins-1", false],
      ["ins-2", true],
    ]);
    await guests.stop("ins-1");
    expect((await guests.list()).map((g) => [g.instanceId, g.running])).toEqual([["ins-2", true]]);
  });

  test("an image that is another than the one asked for starts nothing", async () => {
    const spec = rig.spec();
    writeFileSync(rig.image, "changed");
    await expect(rig.open().start(spec)).rejects.toThrow("is not the one with that sha256");
    expect(pidsBelow(rig.guestsDir)).toEqual([]);
  });

  test("an image that refers to another file starts nothing", async () => {
    const path = join(rig.dir, "sly.qcow2");
    execFileSync("/usr/bin/qemu-img", [
      ...["create", "-q", "-f", "qcow2", "-F", "raw"],
      ...["-b", rig.image, path, "1M"],
    ]);
    const spec = rig.specOver(path);
    await expect(rig.open().start(spec)).rejects.toThrow("refers to another file");
  });

  test("what qemu complained about is told", async () => {
    rig.backings = new Map([["fa00:00:00.0", { kind: "tap", tap: "none", mac: "x", mtu: 1 }]]);
    const inventory = softInventory(1);
    const desired = rig.desired({ ...softInstance(inventory), attachments: [] });
    const result = compileLayout(inventory, desired);
    if (!result.ok) throw new Error(result.problem.message);
    const { layout } = result;
    const functions = [{ guestAddress: layout.gpus[0]!.guestAddress, hostAddress: "fa00:00:00.0" }];
    const start = rig.open().start({ ...rig.spec(desired), functions, layout });
    await expect(start).rejects.toThrow(/qemu did not start: .*qemu-system/);
  });

  test("the serial console answers and is reached again after a session", async () => {
    const guests = rig.open();
    await expect(guests.console("ins-1")).rejects.toMatchObject({ code: "unavailable" });
    await guests.start(rig.spec());
    for (const session of ["first", "second"]) {
      const { stream } = await guests.console("ins-1");
      stream.end();
      await until(`end of the ${session} session`, () => stream.closed);
    }
  });

  test("what is typed on the console reaches the guest, and its answer comes back", async () => {
    writeFileSync(rig.image, echoSector(), { flag: "r+" });
    const guests = rig.open();
    await guests.start(rig.spec());
    const consoles = new Consoles({
      ...{ nodeId: "node-1", session: "ses-1", clock: systemClock(), log: silentLog() },
      ...{ verify: () => true, isPlaced: () => true },
      hardware: { guestConsole: (id) => guests.console(id) },
    });
    const ticket = {
      ...{ nodeId: "node-1", session: "ses-1", consoleId: "con-1", instanceId: "ins-1" },
      ...{ epoch: 1n, generation: 1n, gpus: [], force: false, columns: 80, rows: 24 },
      ...{ expiresAtMs: Date.now() + 60_000, creditBytes: 64 * 1024 },
    };
    const signed = { ticket, body: Buffer.from("body"), signature: new Uint8Array(64) };
    const frames: ConsoleFrame[] = [];
    const outcome = await consoles.open(signed, (frame) => frames.push(frame));
    if (!outcome.ok) throw new Error(outcome.message);
    const said = () =>
      Buffer.concat(frames.flatMap((f) => (f.t === "data" ? [f.bytes] : []))).toString();
    await until("the guest echoes", () => {
      outcome.console.hear({ t: "data", bytes: Buffer.from("railyard") });
      return said().includes("railyard");
    });
    await guests.stop("ins-1");
    await until("the session ends with its guest", () => {
      const end = frames.at(-1);
      return end?.t === "end" && end.reason === "stopped";
    });
    consoles.stop();
  });

  test("the seed has metadata, keys and user data, and no other file has the secrets", async () => {
    const guests = rig.open();
    const userData = new TextEncoder().encode("#cloud-config\nhostname: secret-7\n");
    await guests.start(rig.spec({ userData }));
    const dir = join(rig.guestsDir, "ins-1");
    const seed = readFileSync(join(dir, "seed.iso"), "latin1");
    for (const part of ["secret-7", '"local-hostname": "one"', "ssh-ed25519 AAAA", "cidata"]) {
      expect(seed).toContain(part);
    }
    const others = execFileSync("/usr/bin/grep", ["-rlc", "secret-7", dir], { encoding: "utf8" });
    expect(others.trim()).toBe(join(dir, "seed.iso"));
  });
});
