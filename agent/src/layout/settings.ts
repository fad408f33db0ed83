// What a guest had better set so that its cluster NICs are used well: texts for its owner. It must
// not know the host.
import type { DesiredAttachment, DesiredInstance, Layout } from "../model.js";

export interface GuestSettings {
  /** One `NAME=value` a line. */
  readonly ncclEnvironment: string;
  /** Commands for a POSIX shell. */
  readonly networkSettings: string;
  /** In the form of sysctl.conf. */
  readonly kernelSettings: string;
}

/** Where the settings expect the topology file. */
const TOPOLOGY_FILE = "/etc/nccl-topology.xml";
/** Of each NIC: this, plus its position. Below are the tables that distributions name. */
const FIRST_TABLE = 1000;
/** RoCE v2 over IPv4 on NICs of the mlx5 family, with one address and no VLAN in the guest. */
const GID_INDEX = 3;

/** The settings; empty texts for an instance without attachments. */
export function guestSettings(instance: DesiredInstance, layout: Layout): GuestSettings {
  const { attachments } = instance;
  const none = { ncclEnvironment: "", networkSettings: "", kernelSettings: "" };
  if (attachments.length === 0) return none;
  const shared = sharesSubnet(attachments);
  const blocks = attachments.map((a) =>
    nicSettings(a, layout.attachments[a.position]?.guestAddress ?? "", shared),
  );
  return {
    ncclEnvironment: lines(ncclSettings(attachments)),
    networkSettings: lines(blocks.flat()),
    kernelSettings: lines(kernelSettings(shared)),
  };
}

function ncclSettings(attachments: readonly DesiredAttachment[]): string[] {
  const ethernet = attachments.every((a) => a.isolation.kind !== "pkey");
  return [
    `NCCL_TOPO_FILE=${TOPOLOGY_FILE}`,
    // A rail is a network of its own: a ring stays on the rail that it began on.
    "NCCL_CROSS_NIC=0",
    ...(ethernet ? [`NCCL_IB_GID_INDEX=${GID_INDEX}`] : []),
  ];
}

/**
 * The interface is found by its place, as its name is the guest's own choice; one of virtio stands
 * a level further down.
 */
function nicSettings(attachment: DesiredAttachment, place: string, shared: boolean): string[] {
  const { position, address, mtu } = attachment;
  const [ip = ""] = address.split("/");
  const table = FIRST_TABLE + position;
  return [
    `# position ${position}`,
    `pci=/sys/bus/pci/devices/${place}`,
    "nic=$(ls $pci/net 2>/dev/null || ls $pci/virtio*/net)",
    `ip link set dev "$nic" mtu ${mtu} up`,
    `ip address replace ${address} dev "$nic"`,
    ...(shared
      ? [
          `ip route replace ${subnetOf(address)} dev "$nic" src ${ip} table ${table}`,
          `ip rule del from ${ip} table ${table} 2>/dev/null`,
          `ip rule add from ${ip} table ${table}`,
        ]
      : []),
  ];
}

/** Without these, any NIC of a subnet answers for the addresses of all the others in it. */
function kernelSettings(shared: boolean): string[] {
  return [
    "net.ipv4.conf.all.arp_ignore = 1",
    "net.ipv4.conf.all.arp_announce = 2",
    ...(shared ? ["net.ipv4.conf.all.rp_filter = 2"] : []),
  ];
}

function sharesSubnet(attachments: readonly DesiredAttachment[]): boolean {
  return new Set(attachments.map((a) => subnetOf(a.address))).size < attachments.length;
}

/** `10.0.0.5/24` → `10.0.0.0/24`. */
function subnetOf(address: string): string {
  const [ip = "", prefix = ""] = address.split("/");
  const value = ip.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(prefix));
  const base = value - (value % size);
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256);
  return `${parts.join(".")}/${prefix}`;
}

function lines(of: readonly string[]): string {
  return of.map((line) => `${line}\n`).join("");
}
