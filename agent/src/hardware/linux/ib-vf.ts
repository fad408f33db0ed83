// Sets and reads the virtual functions of an InfiniBand adapter: a node GUID, a port GUID and the
// link's policy each, as mlx5 shows them in sysfs. Whether a port is in a partition is the subnet
// manager's to say; its GUID tells which one it is meant for.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { invalidField, refuse } from "@railyard/lib/errors";
import { type Guid, guidOf, identityOf } from "@railyard/lib/guid";
import type { VfReading, VfSettings } from "../hardware.js";
import { readLinkName, readText } from "./attributes.js";
import { RDMA } from "./infiniband.js";
import type { Outside } from "./outside.js";
import { isPciAddress, PCI_DEVICES } from "./sysfs.js";

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const VF_MAX = 1023;
const MAC_NONE = "00:00:00:00:00:00";
const GUID_NONE = "0".repeat(16);
/** The virtual link is up when the physical one is. */
const FOLLOW = "Follow";
const DOWN = "Down";

/** Whether the name is an InfiniBand adapter's: its RDMA device, not a network interface. */
export function isInfinibandPf(root: string, pfName: string): boolean {
  return NAME.test(pfName) && existsSync(join(root, RDMA, pfName, "device/sriov"));
}

/** Sets one VF. Errors: `invalid` for what such a VF does not have; otherwise see `Hardware`. */
export async function setGuids(
  outside: Outside,
  place: { readonly pfName: string; readonly vf: number; readonly deadlineMs: number },
  settings: VfSettings,
): Promise<void> {
  const { vf, deadlineMs } = place;
  if (!Number.isInteger(vf) || vf < 0 || vf > VF_MAX) throw invalidField("vf", "is not a vf");
  const { mac, pkey = 0, vlan, rateMbps } = settings;
  if (vlan !== 0 || settings.vni !== undefined) throw invalidField("vlan", "is for ethernet");
  if (rateMbps !== 0) throw invalidField("rateMbps", "cannot be set on an infiniband vf");
  const guid = mac === MAC_NONE && pkey === 0 ? GUID_NONE : guidOf({ mac, pkey });
  const dir = join(PCI_DEVICES, pfAddress(outside.root, place.pfName), "sriov", String(vf));
  const text = guid.replace(/..(?=.)/g, "$&:");
  await outside.write(join(dir, "node"), text, deadlineMs);
  await outside.write(join(dir, "port"), text, deadlineMs);
  await outside.write(join(dir, "policy"), guid === GUID_NONE ? DOWN : FOLLOW, deadlineMs);
}

/** All VFs in VF order. One whose parts do not fit together is in no partition. */
export function readGuids(root: string, pfName: string): readonly VfReading[] {
  const dir = join(root, PCI_DEVICES, pfAddress(root, pfName));
  const found: VfReading[] = [];
  for (let vf = 0; vf <= VF_MAX && existsSync(join(dir, "sriov", String(vf))); vf++) {
    const read = (name: string) => readText(join(dir, "sriov", String(vf), name)) ?? "";
    const [node, port] = [guidIn(read("node")), guidIn(read("port"))];
    const { mac, pkey } = identityOf(port);
    const whole = node === port && read("policy") === FOLLOW;
    const never = { vlan: 0, rateMbps: 0, spoofCheck: true };
    found.push({ vf, mac, pkey: whole ? pkey : 0, ...never });
  }
  return found;
}

function guidIn(text: string): Guid {
  const digits = text.toLowerCase().replaceAll(":", "");
  if (!/^[0-9a-f]{16}$/.test(digits)) throw refuse("unavailable", "a vf does not tell its GUID");
  return digits;
}

function pfAddress(root: string, pfName: string): string {
  if (!NAME.test(pfName)) throw invalidField("pfName", "must be an RDMA device name");
  const address = readLinkName(join(root, RDMA, pfName, "device"));
  if (!isPciAddress(address)) throw refuse("unavailable", `${pfName} is gone`);
  return address;
}
