// One rail without SR-IOV: a bridge that passes nothing by itself, a TAP for each VF and a VXLAN
// for each cluster network, which meet in a VLAN of the bridge. All state is the kernel's, so that
// what is read back is what works. Sources: bridge(8), ip-link(8), tc-tbf(8).
import { join } from "node:path";
import { invalidField, refuse } from "@railyard/lib/errors";
import type { NetInterface, VfReading, VfSettings } from "../../hardware.js";
import { readNames, readNumber, readText } from "../attributes.js";
import { NET } from "../net.js";
import type { Outside } from "../outside.js";
import {
  checkInterface,
  checkMac,
  hasInterface,
  ipLink,
  makeTap,
  removeInterface,
} from "../tap.js";
import { bridgeName, draftName, tapName, tunnelName, vfOfTap } from "./names.js";

const TOOL_DEADLINE_MS = 10_000;
const MAC_NONE = "00:00:00:00:00:00";
/** VLANs of the bridge that stand for cluster networks; they never leave it. */
const VLAN_MIN = 2;
const VLAN_MAX = 4094;
const VNI_MAX = 0xffffff;
const RATE_MBPS_MAX = 1_000_000;
/** IPv6, UDP, VXLAN and Ethernet headers of a tunnel. */
const TUNNEL_BYTES = 70;
const VXLAN_PORT = 4789;
/** `IFF_UP`. */
const FLAG_UP = 1;
const BURST = "2mb";
const LATENCY = "50ms";

export interface RailPlace {
  readonly rail: number;
  readonly uplink: string;
  /** VFs that it can have. */
  readonly vfsMax: number;
}

export class Rail {
  private readonly bridge: string;

  constructor(
    private readonly outside: Outside,
    private readonly place: RailPlace,
  ) {
    checkInterface("uplink", place.uplink);
    this.bridge = bridgeName(place.rail);
  }

  /** The VFs that are there, from 0 up. */
  vfs(): readonly number[] {
    return readNames(join(this.outside.root, NET))
      .flatMap((name) => vfOfTap(this.place.rail, name) ?? [])
      .sort((a, b) => a - b);
  }

  /** The rail's uplink as the interface of a NIC. */
  asInterface(leaf: string, speedGbps: number, pciAddress: string): NetInterface {
    const attribute = (name: string) =>
      readText(join(this.outside.root, NET, this.place.uplink, name)) ?? "";
    const up = attribute("carrier") === "1";
    return {
      name: this.place.uplink,
      pciAddress,
      permanentMac: attribute("address"),
      speedMbps: up ? speedGbps * 1_000 : 0,
      ports: [{ port: 0, neighbour: leaf, up }],
    };
  }

  /** Whether a VF is handed over: only then does its TAP pass anything. */
  isGiven(vf: number): boolean {
    const flags = readText(join(this.outside.root, NET, this.tap(vf), "flags")) ?? "0";
    return (Number.parseInt(flags, 16) & FLAG_UP) !== 0;
  }

  /** Largest packet that a guest may send through the tunnels. */
  mtu(): number {
    return readNumber(join(this.outside.root, NET, this.place.uplink, "mtu"), 0) - TUNNEL_BYTES;
  }

  /** As the kernel does it for real ones: never from one number above 0 to another. */
  async setVfCount(count: number, uid: number | undefined): Promise<void> {
    const have = this.vfs();
    if (have.length === count) return;
    if (!Number.isInteger(count) || count < 0 || count > this.place.vfsMax) {
      throw invalidField("count", `must be a whole number from 0 to ${this.place.vfsMax}`);
    }
    if (have.length > 0 && count > 0) {
      throw refuse("unavailable", `rail ${this.place.rail} has ${have.length} vfs`);
    }
    if (count > 0) await this.makeBridge();
    for (let vf = 0; vf < count; vf++) await this.makeVf(vf, uid);
    for (const vf of have) await removeInterface(this.outside, this.tap(vf));
    if (count === 0) await this.removeIdleTunnels();
  }

  async setGiven(vf: number, given: boolean): Promise<void> {
    await ipLink(this.outside, ["set", "dev", this.tap(vf), given ? "up" : "down"]);
  }

  async configure(vf: number, settings: VfSettings): Promise<void> {
    const { mac, vlan, vni = 0, rateMbps, spoofCheck } = settings;
    checkMac(mac);
    if (vlan !== 0) throw invalidField("vlan", "cannot be set where the node encapsulates");
    checkNumber("vni", vni, VNI_MAX);
    checkNumber("rateMbps", rateMbps, RATE_MBPS_MAX);
    const tap = this.tap(vf);
    if (!this.vfs().includes(vf)) throw refuse("unavailable", `${tap} is not there`);
    await this.forget(vf);
    const id = vni === 0 ? 0 : await this.joinTunnel(vni);
    // Locked first: a port in a network without a known address could speak with any.
    const [locked, learning] = spoofCheck ? ["on", "off"] : ["off", "on"];
    const port = ["link", "set", "dev", tap, "locked", locked, "learning", learning];
    await this.run("bridge", port);
    if (rateMbps > 0) await this.limit(tap, rateMbps);
    if (id !== 0) await this.enter(tap, id);
    if (mac !== MAC_NONE) {
      const where = id === 0 ? [] : ["vlan", String(id)];
      await this.run("bridge", ["fdb", "replace", mac, "dev", tap, "master", "static", ...where]);
    }
    await this.removeIdleTunnels();
  }

  async read(): Promise<readonly VfReading[]> {
    const vfs = this.vfs();
    if (vfs.length === 0) return [];
    const [ports, entries, vlans] = await Promise.all([
      this.ask("bridge", ["-j", "-d", "link", "show"]),
      this.ask("bridge", ["-j", "fdb", "show", "br", this.bridge]),
      this.vlans(),
    ]);
    const queues = await this.ask("tc", ["-j", "qdisc", "show"]);
    const networks = new Map(
      [...vlans].flatMap(([name, ids]) => {
        const vni = this.vniOf(name);
        return vni === undefined ? [] : ids.map((id) => [id, vni] as const);
      }),
    );
    return vfs.map((vf) => {
      const tap = this.tap(vf);
      const [id = 0] = vlans.get(tap) ?? [];
      const entry = entries.find((e) => e.ifname === tap && e.state === "static");
      const queue = queues.find((q) => q.dev === tap && q.kind === "tbf");
      return {
        vf,
        mac: String(entry?.mac ?? MAC_NONE),
        vlan: 0,
        vni: networks.get(id) ?? 0,
        rateMbps: rateOf(queue?.options),
        spoofCheck: ports.find((p) => p.ifname === tap)?.locked === true,
      };
    });
  }

  private async makeBridge(): Promise<void> {
    const { bridge } = this;
    if (!hasInterface(this.outside, bridge)) {
      const type = ["type", "bridge", "vlan_filtering", "1", "vlan_default_pvid", "0"];
      await ipLink(this.outside, ["add", "name", bridge, ...type]);
    }
    await ipLink(this.outside, ["set", "dev", bridge, "up"]);
  }

  /** Only a finished one has its name: whoever is cut off before begins anew. */
  private async makeVf(vf: number, uid: number | undefined): Promise<void> {
    const draft = draftName(this.place.rail);
    await removeInterface(this.outside, draft);
    await makeTap(this.outside, draft, uid);
    await ipLink(this.outside, ["set", "dev", draft, "mtu", String(this.mtu())]);
    await ipLink(this.outside, ["set", "dev", draft, "master", this.bridge]);
    await this.run("bridge", ["link", "set", "dev", draft, "locked", "off", "learning", "off"]);
    await ipLink(this.outside, ["set", "dev", draft, "name", this.tap(vf)]);
  }

  /** Takes a VF out of its network, and its address and limit from it. */
  private async forget(vf: number): Promise<void> {
    const tap = this.tap(vf);
    // The kernel finds an address in a network only for as long as the port is in it.
    for (const entry of await this.ask("bridge", ["-j", "fdb", "show", "br", this.bridge])) {
      if (entry.ifname !== tap || entry.state !== "static") continue;
      const where = entry.vlan === undefined ? [] : ["vlan", String(entry.vlan)];
      const mac = String(entry.mac);
      await this.run("bridge", ["fdb", "del", mac, "dev", tap, "master", ...where]);
    }
    for (const id of (await this.vlans()).get(tap) ?? []) {
      await this.run("bridge", ["vlan", "del", "dev", tap, "vid", String(id)]);
    }
    const queues = await this.ask("tc", ["-j", "qdisc", "show", "dev", tap]);
    if (queues.some((q) => q.kind === "tbf")) {
      await this.run("tc", ["qdisc", "del", "dev", tap, "root"]);
    }
  }

  // A TAP's own queue shapes what goes to the guest, which every sender to it feels alike.
  private async limit(tap: string, rateMbps: number): Promise<void> {
    const shape = ["rate", `${rateMbps}mbit`, "burst", BURST, "latency", LATENCY];
    await this.run("tc", ["qdisc", "replace", "dev", tap, "root", "tbf", ...shape]);
  }

  /** The bridge's VLAN that stands for a network, with its tunnel. */
  private async joinTunnel(vni: number): Promise<number> {
    const { rail, uplink } = this.place;
    const tunnel = tunnelName(rail, vni);
    const vlans = await this.vlans();
    const [known] = vlans.get(tunnel) ?? [];
    if (known !== undefined) return known;
    const id = freeId(new Set([...vlans.values()].flat()));
    if (!hasInterface(this.outside, tunnel)) {
      await ipLink(this.outside, [
        ...["add", "name", tunnel, "mtu", String(this.mtu()), "type", "vxlan", "id", String(vni)],
        ...["group", groupOf(vni), "local", await this.linkLocal(), "dev", uplink],
        ...["dstport", String(VXLAN_PORT), "ttl", "1"],
      ]);
    }
    await ipLink(this.outside, ["set", "dev", tunnel, "master", this.bridge]);
    // It passes nothing before it is in a VLAN; once it is, it counts as there.
    await ipLink(this.outside, ["set", "dev", tunnel, "up"]);
    await this.enter(tunnel, id);
    return id;
  }

  /** Puts a port into one VLAN of the bridge, which neither it nor its guest sees. */
  private async enter(port: string, id: number): Promise<void> {
    const join = ["vlan", "add", "dev", port, "vid", String(id), "pvid", "untagged"];
    await this.run("bridge", join);
  }

  private async linkLocal(): Promise<string> {
    const { uplink } = this.place;
    const args = ["-j", "-6", "addr", "show", "dev", uplink, "scope", "link"];
    const [link] = await this.ask("ip", args);
    const [address] = (link?.addr_info ?? []) as readonly { readonly local?: string }[];
    if (address?.local === undefined) {
      throw refuse("unavailable", `${uplink} has no link-local address: is it up?`);
    }
    return address.local;
  }

  private async removeIdleTunnels(): Promise<void> {
    const vlans = await this.vlans();
    const used = new Set(this.vfs().flatMap((vf) => vlans.get(this.tap(vf)) ?? []));
    for (const name of readNames(join(this.outside.root, NET))) {
      if (this.vniOf(name) === undefined) continue;
      if (!(vlans.get(name) ?? []).some((id) => used.has(id))) {
        await removeInterface(this.outside, name);
      }
    }
  }

  /** The networks that the rail's tunnels lead to, by name. */
  private vniOf(name: string): number | undefined {
    const [, rail, vni] = /^ryx(\d+)-([0-9a-f]+)$/.exec(name) ?? [];
    return Number(rail) === this.place.rail && vni ? Number.parseInt(vni, 16) : undefined;
  }

  private async vlans(): Promise<ReadonlyMap<string, readonly number[]>> {
    const rows = await this.ask("bridge", ["-j", "vlan", "show"]);
    return new Map(
      rows.map(({ ifname, vlans }) => [
        String(ifname),
        ((vlans ?? []) as readonly { readonly vlan: number }[]).map((v) => v.vlan),
      ]),
    );
  }

  private tap(vf: number): string {
    return tapName(this.place.rail, vf);
  }

  private async run(tool: "bridge" | "tc", args: readonly string[]): Promise<void> {
    await this.outside.exec(tool, args, TOOL_DEADLINE_MS);
  }

  private async ask(
    tool: "bridge" | "ip" | "tc",
    args: readonly string[],
  ): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const text = await this.outside.exec(tool, args, TOOL_DEADLINE_MS);
    return text.trim() === "" ? [] : JSON.parse(text);
  }
}

/** Link-local, so that it needs no routing; the network is in its last 24 bits. */
function groupOf(vni: number): string {
  return `ff02::7278:${(vni >> 16).toString(16)}:${(vni & 0xffff).toString(16)}`;
}

function freeId(taken: ReadonlySet<number>): number {
  for (let id = VLAN_MIN; id <= VLAN_MAX; id++) if (!taken.has(id)) return id;
  throw refuse("unavailable", "the rail's bridge has no vlan left");
}

/** tc tells bytes per second. */
function rateOf(options: unknown): number {
  const { rate = 0 } = (options ?? {}) as { readonly rate?: number };
  return Math.round((rate * 8) / 1_000_000);
}

function checkNumber(field: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw invalidField(field, `must be a whole number from 0 to ${max}`);
  }
}
