// Writes one NIC of a made-up machine into its tree: the function, an interface per port, the RDMA
// device, the vital product data. Knows no other device.
import { createHash } from "node:crypto";
import { setDriver } from "./drivers.js";
import type { HardwareModel } from "./models.js";
import { netdevName, permanentMac, resourceText } from "./places.js";
import { addFunction, link, makeDir, NET, put, putBytes } from "./tree.js";

const RDMA = "/sys/class/infiniband";
const BOARD_SERIAL_DIGITS = 12;

export interface NicPlace {
  readonly address: string;
  readonly parent: string;
  readonly numa: number;
  readonly iommuGroup: number;
  readonly nic: HardwareModel["nic"];
  /** The machine's. */
  readonly serial: string;
  readonly index: number;
  /** What every endpoint has. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Serial of a NIC's board; the same for the same machine. */
export function boardSerial(serial: string, index: number): string {
  const digest = createHash("sha256").update(`${serial} board ${index}`).digest("hex");
  return `MT${digest.slice(0, BOARD_SERIAL_DIGITS).toUpperCase()}`;
}

/** Name of a NIC's RDMA device. */
export function rdmaName(index: number): string {
  return `mlx5_${index}`;
}

export function renderNic(root: string, place: NicPlace): void {
  const { address, parent, numa, iommuGroup, nic, serial, index, attributes } = place;
  const { vendor, device, vfDevice, vfsMax, ports, portSpeedMbps } = nic;
  const dir = addFunction(root, {
    ...{ address, parent, numa, iommuGroup, vendor, device },
    classCode: nic.infiniband ? "020700" : "020000",
    attributes: {
      ...attributes,
      sriov_totalvfs: String(vfsMax),
      sriov_numvfs: "0",
      sriov_drivers_autoprobe: "1",
      sriov_vf_device: vfDevice,
      resource: resourceText(address, nic.ranges, { ranges: nic.vfRanges, vfs: vfsMax }),
    },
  });
  putBytes(root, `${dir}/vpd`, vitalProductData(boardSerial(serial, index)));
  setDriver(root, { address, dir }, "mlx5_core");
  const infiniband = nic.infiniband ?? false;
  const macs = Array.from({ length: ports }, (_, port) => permanentMac(serial, index, port));
  const rdmaPorts = infiniband
    ? macs.map((mac) => ({ mac, speedMbps: portSpeedMbps }))
    : macs.slice(0, 1).map((mac) => ({ mac, speedMbps: ports * portSpeedMbps }));
  addRdma(root, dir, { name: rdmaName(index), ports: rdmaPorts, infiniband });
  // The kernel shows an interface there only while IPoIB is loaded.
  if (infiniband) makeDir(root, `${dir}/sriov`);
  for (let port = 0; !infiniband && port < ports; port++) {
    const name = netdevName(address, port);
    addNetdev(root, dir, {
      name,
      mac: permanentMac(serial, index, port),
      port,
      speedMbps: portSpeedMbps,
    });
  }
}

export function addNetdev(
  root: string,
  dir: string,
  dev: {
    readonly name: string;
    readonly mac: string;
    readonly port: number;
    readonly speedMbps: number;
  },
): void {
  const netdev = `${dir}/net/${dev.name}`;
  makeDir(root, netdev);
  put(root, `${netdev}/address`, dev.mac);
  put(root, `${netdev}/addr_assign_type`, "0");
  put(root, `${netdev}/dev_port`, String(dev.port));
  put(root, `${netdev}/mtu`, "9216");
  put(root, `${netdev}/carrier`, "1");
  put(root, `${netdev}/operstate`, "up");
  put(root, `${netdev}/speed`, String(dev.speedMbps));
  link(root, `${netdev}/device`, dir);
  link(root, `${NET}/${dev.name}`, netdev);
}

/** GUID of the port that came with this MAC. */
export function portGuid(mac: string): string {
  const digits = mac.replaceAll(":", "");
  return `${digits.slice(0, 6)}0300${digits.slice(6)}`;
}

function addRdma(
  root: string,
  dir: string,
  dev: {
    readonly name: string;
    readonly ports: readonly { readonly mac: string; readonly speedMbps: number }[];
    readonly infiniband: boolean;
  },
): void {
  const rdma = `${dir}/infiniband/${dev.name}`;
  makeDir(root, rdma);
  put(root, `${rdma}/node_type`, "1: CA");
  for (const [index, { mac, speedMbps }] of dev.ports.entries()) {
    const port = `${rdma}/ports/${index + 1}`;
    const guid = portGuid(mac).replace(/....(?=.)/g, "$&:");
    makeDir(root, `${port}/gids`);
    if (index === 0) put(root, `${rdma}/node_guid`, guid);
    if (index === 0) put(root, `${rdma}/sys_image_guid`, guid);
    put(root, `${port}/link_layer`, dev.infiniband ? "InfiniBand" : "Ethernet");
    put(root, `${port}/state`, "4: ACTIVE");
    put(root, `${port}/phys_state`, "5: LinkUp");
    put(root, `${port}/rate`, `${speedMbps / 1000} Gb/sec (4X NDR)`);
    put(root, `${port}/gids/0`, `fe80:0000:0000:0000:${guid}`);
  }
  link(root, `${rdma}/device`, dir);
  link(root, `${RDMA}/${dev.name}`, rdma);
}

/** As PCI Local Bus Specification 3.0, appendix I, has it: a name, read-only fields, the end. */
export function vitalProductData(serial: string): Buffer {
  const large = (tag: number, data: Buffer) =>
    Buffer.concat([Buffer.from([tag, data.length & 0xff, data.length >> 8]), data]);
  const field = (keyword: string, text: string) =>
    Buffer.concat([Buffer.from(keyword), Buffer.from([text.length]), Buffer.from(text)]);
  const fields = Buffer.concat([field("PN", "900-9X766"), field("SN", serial)]);
  return Buffer.concat([
    large(0x82, Buffer.from("ConnectX-7")),
    large(0x90, fields),
    Buffer.from([0x78]),
  ]);
}
