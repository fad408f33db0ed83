// Reads the RDMA devices of PCI functions, which InfiniBand and RoCE adapters both have. Knows
// sysfs' names, not which device is used for what.
import { join } from "node:path";
import type { RdmaDevice, RdmaPort } from "../hardware.js";
import { readLinkName, readNames, readText } from "./attributes.js";
import { isPciAddress } from "./sysfs.js";

export const RDMA = "/sys/class/infiniband";
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const PORT = /^[1-9]\d{0,2}$/;
const GUID = /^([0-9a-f]{4}:){3}[0-9a-f]{4}$/;
const GID = /^([0-9a-f]{4}:){7}[0-9a-f]{4}$/;

/** The RDMA devices of the functions in `wanted`, in name order. */
export function readRdmaDevices(root: string, wanted: ReadonlySet<string>): readonly RdmaDevice[] {
  return readNames(join(root, RDMA)).flatMap((name) => {
    const dir = join(root, RDMA, name);
    const pciAddress = readLinkName(join(dir, "device"));
    if (!NAME.test(name) || !isPciAddress(pciAddress) || !wanted.has(pciAddress)) return [];
    const ports = readNames(join(dir, "ports"))
      .filter((port) => PORT.test(port))
      .map((port) => readPort(join(dir, "ports", port), Number(port)))
      .sort((a, b) => a.port - b.port);
    const nodeGuid = guid(readText(join(dir, "node_guid")));
    return {
      name,
      pciAddress,
      nodeGuid,
      systemGuid: guid(readText(join(dir, "sys_image_guid"))),
      ports,
    };
  });
}

function readPort(dir: string, port: number): RdmaPort {
  // `4: ACTIVE`; `400 Gb/sec (4X NDR)`.
  const active = /^4:/.test(readText(join(dir, "state")) ?? "");
  const rate = /^([\d.]{1,6}) Gb\/sec/.exec(readText(join(dir, "rate")) ?? "")?.[1];
  return {
    port,
    infiniband: readText(join(dir, "link_layer")) === "InfiniBand",
    active,
    speedMbps: active ? Math.round(Number(rate ?? 0) * 1000) : 0,
    guid: interfaceId(readText(join(dir, "gids/0"))),
    neighbour: "",
  };
}

// A port's GUID is the lower half of its first GID.
function interfaceId(gid: string | undefined): string {
  const text = gid?.toLowerCase() ?? "";
  const digits = GID.test(text) ? text.replaceAll(":", "").slice(16) : "";
  return /^0*$/.test(digits) ? "" : digits;
}

function guid(text: string | undefined): string {
  const lower = text?.toLowerCase() ?? "";
  return GUID.test(lower) ? lower.replaceAll(":", "") : "";
}
