// One rail over a pretended bridge that keeps the kernel's rules: what the commands come to, and in
// which order they may be given.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Outside, Tool } from "../outside.js";
import { softDeviceAt, vfAddress } from "./names.js";
import { Rail } from "./rail.js";

const NET = "/sys/class/net";
const NONE = { mac: "00:00:00:00:00:00", vlan: 0, rateMbps: 0, spoofCheck: true };
const SET = { ...NONE, mac: "02:00:00:00:00:01", vni: 70_000, rateMbps: 1_000 };

/** As much of a kernel as the rail uses. */
class Bridge implements Outside {
  readonly root = mkdtempSync(join(tmpdir(), "rail-"));
  readonly lines: string[] = [];
  private readonly vlans = new Map<string, Set<number>>();
  private readonly fdb = new Map<string, { mac: string; vlan?: number }>();
  private readonly locked = new Map<string, boolean>();
  private readonly rates = new Map<string, number>();
  private readonly ports = new Set<string>();
  private readonly up = new Set<string>();
  /** Changes that are still done; the agent's end comes before the next one. */
  left = Number.POSITIVE_INFINITY;

  constructor() {
    this.add("rail0");
  }

  isUp(name: string): boolean {
    return this.up.has(name);
  }

  async write(): Promise<void> {}

  async exec(tool: Tool, args: readonly string[]): Promise<string> {
    const line = [tool, ...args].join(" ");
    if (line.includes("-j")) return JSON.stringify(this.show(line));
    this.left -= 1;
    if (this.left < 0) throw new Error("the agent ended");
    this.lines.push(line);
    const named = /(?:dev|name|add) (\S+)/.exec(line)?.[1] ?? "";
    const name = /dev (ry\S+)/.exec(line)?.[1] ?? named;
    if (/tuntap add|link add/.test(line)) this.add(/(?:name|dev) (\S+)/.exec(line)?.[1] ?? "");
    if (line.startsWith("ip link delete")) this.remove(name);
    this.change(line, name);
    return "";
  }

  private change(line: string, name: string): void {
    if (line.includes(" master ry")) this.ports.add(name);
    if (line.endsWith(" up")) this.up.add(name);
    const isPort = this.ports.has(name);
    if (/^bridge (link|vlan)/.test(line) && !isPort) throw new Error(`${line}: Not supported`);
    const renamed = /dev \S+ name (\S+)/.exec(line)?.[1];
    if (renamed !== undefined) this.rename(name, renamed);
    const id = Number(/(?:vid|vlan) (\d+)/.exec(line)?.[1] ?? 0);
    const ids = this.vlans.get(name) ?? new Set<number>();
    if (line.startsWith("bridge vlan add")) this.vlans.set(name, ids.add(id));
    if (line.startsWith("bridge vlan del")) ids.delete(id);
    if (line.startsWith("bridge fdb")) {
      if (id !== 0 && !ids.has(id)) throw new Error(`${line}: Invalid argument`);
      const mac = line.split(" ")[3] ?? "";
      if (line.includes("replace")) this.fdb.set(name, { mac, ...(id && { vlan: id }) });
      else this.fdb.delete(name);
    }
    const lock = /locked (on|off)/.exec(line)?.[1];
    if (lock) this.locked.set(name, lock === "on");
    const rate = /rate (\d+)mbit/.exec(line)?.[1];
    if (rate) this.rates.set(name, Number(rate) * 125_000);
    if (line.startsWith("tc qdisc del")) this.rates.delete(name);
  }

  private show(line: string): unknown {
    if (line.includes("fdb")) {
      return [...this.fdb].map(([ifname, entry]) => ({ ifname, state: "static", ...entry }));
    }
    if (line.includes("vlan")) {
      return [...this.vlans].map(([ifname, ids]) => ({
        ifname,
        vlans: [...ids].map((vlan) => ({ vlan })),
      }));
    }
    if (line.includes("addr")) return [{ addr_info: [{ local: "fe80::1" }] }];
    if (line.startsWith("tc")) {
      return [...this.rates].map(([dev, rate]) => ({ dev, kind: "tbf", options: { rate } }));
    }
    return [...this.locked].map(([ifname, locked]) => ({ ifname, locked }));
  }

  private add(name: string): void {
    const device = join(this.root, "/sys/devices", name);
    mkdirSync(device, { recursive: true });
    mkdirSync(join(this.root, NET), { recursive: true });
    writeFileSync(join(device, "mtu"), "9216\n");
    writeFileSync(join(device, "flags"), "0x1002\n");
    symlinkSync(device, join(this.root, NET, name));
  }

  private remove(name: string): void {
    rmSync(join(this.root, NET, name));
    for (const known of [this.vlans, this.fdb, this.locked, this.rates]) known.delete(name);
    for (const known of [this.ports, this.up]) known.delete(name);
  }

  private rename(from: string, to: string): void {
    this.remove(from);
    this.add(to);
    this.ports.add(to);
  }
}

let bridge: Bridge;
let rail: Rail;
beforeEach(async () => {
  bridge = new Bridge();
  rail = new Rail(bridge, { rail: 0, uplink: "rail0", vfsMax: 4 });
  await rail.setVfCount(2, undefined);
});
afterEach(() => rmSync(bridge.root, { recursive: true, force: true }));

test("settings are read back from the bridge, and can be set anew and cleared", async () => {
  await rail.configure(0, SET);
  expect(await rail.read()).toMatchObject([
    { vf: 0, ...SET },
    { vf: 1, mac: NONE.mac, vni: 0 },
  ]);
  await rail.configure(0, { ...SET, vni: 2_000, rateMbps: 0, spoofCheck: false });
  expect((await rail.read())[0]).toMatchObject({ vni: 2_000, rateMbps: 0, spoofCheck: false });
  await rail.configure(0, NONE);
  expect((await rail.read())[0]).toEqual({ vf: 0, vni: 0, ...NONE });
});

test("a port is locked before it is let into a network", async () => {
  await rail.configure(0, SET);
  const at = (part: string) => bridge.lines.findIndex((line) => line.includes(part));
  expect(at("dev ry0v0 locked on")).toBeGreaterThan(-1);
  expect(at("dev ry0v0 locked on")).toBeLessThan(at("vlan add dev ry0v0"));
});

test("two networks of one rail share no vlan, and a tunnel goes with its last vf", async () => {
  await rail.configure(0, SET);
  await rail.configure(1, { ...SET, mac: "02:00:00:00:00:02", vni: 2_000 });
  const joined = bridge.lines.filter((line) => line.startsWith("bridge vlan add dev ry0v"));
  expect(new Set(joined.map((line) => /vid (\d+)/.exec(line)?.[1])).size).toBe(2);
  await rail.configure(0, NONE);
  expect(bridge.lines.filter((line) => line.startsWith("ip link delete"))).toEqual([
    "ip link delete dev ryx0-11170",
  ]);
});

test("a vlan, a network beyond 24 bits and a strange address reach no tool", async () => {
  const before = bridge.lines.length;
  for (const change of [{ vlan: 5 }, { vni: 2 ** 24 }, { mac: "x; reboot" }, { rateMbps: -1 }]) {
    await expect(rail.configure(0, { ...SET, ...change })).rejects.toMatchObject({
      code: "invalid",
    });
  }
  await expect(rail.configure(3, SET)).rejects.toMatchObject({ code: "unavailable" });
  expect(bridge.lines.length).toBe(before);
});

test("the number of vfs never goes from one above zero to another", async () => {
  await rail.setVfCount(2, undefined);
  await expect(rail.setVfCount(3, undefined)).rejects.toMatchObject({ code: "unavailable" });
  await expect(rail.setVfCount(5, undefined)).rejects.toMatchObject({ code: "invalid" });
  await rail.setVfCount(0, undefined);
  expect(rail.vfs()).toEqual([]);
});

test("an address tells which vf it stands for, and a real one tells none", () => {
  expect(softDeviceAt(vfAddress(3, 17))).toEqual({ kind: "vf", rail: 3, vf: 17 });
  expect(softDeviceAt("0000:3b:00.0")).toBeUndefined();
});

/** What the agent is doing when it ends before its first change, its second and so on. */
async function cutOff(work: () => Promise<void>, then: () => Promise<void>): Promise<number> {
  for (let changes = 0; ; changes++) {
    bridge.left = changes;
    const ended = await work().then(
      () => false,
      () => true,
    );
    bridge.left = Number.POSITIVE_INFINITY;
    await then();
    if (!ended) return changes;
  }
}

test("wherever the making of vfs is cut off, those that are there can be used", async () => {
  const making = async () => {
    await rail.setVfCount(0, undefined);
    await rail.setVfCount(2, undefined);
  };
  const changes = await cutOff(making, async () => {
    for (const vf of rail.vfs()) await rail.configure(vf, NONE);
  });
  expect(changes).toBeGreaterThan(8);
});

test("wherever a vf's joining is cut off, its network is there once it has joined", async () => {
  const changes = await cutOff(
    () => rail.configure(0, SET),
    async () => {
      await rail.configure(0, SET);
      expect(bridge.isUp("ryx0-11170")).toBe(true);
      await rail.configure(0, NONE);
    },
  );
  expect(changes).toBeGreaterThan(6);
});
