// What stands on an emulated hypervisor, read by other means than the agent's: a few words of
// shell over sysfs and `ip`. Knows nothing of what should be there.
import type { Inside } from "../inside.js";

/** One function as sysfs has it. */
export interface SeenFunction {
  readonly address: string;
  readonly pciId: string;
  /** Empty when none. */
  readonly driver: string;
  /** The only driver that may have it; empty: any. */
  readonly override: string;
}

export interface SeenVf extends SeenFunction {
  readonly vf: number;
  readonly mac: string;
  readonly vlan: number;
  readonly rateMbps: number;
  readonly spoofCheck: boolean;
  readonly trust: boolean;
}

export interface SeenPf extends SeenFunction {
  readonly name: string;
  readonly numvfs: number;
  readonly vfs: readonly SeenVf[];
}

export interface Seen {
  readonly pfs: readonly SeenPf[];
  readonly functions: readonly SeenFunction[];
}

const LOOK = `
cd /sys/bus/pci/devices
for address in *; do
  driver=$(readlink $address/driver)
  ids=$(cat $address/vendor $address/device | tr '\\n' ' ')
  echo "function $address $ids$(cat $address/driver_override) \${driver##*/}"
done
for path in */sriov_numvfs; do
  address=\${path%/*}
  echo "pf $address $(ls $address/net) $(cat $path)"
  for link in $address/virtfn*; do
    [ -e $link ] && echo "vf $address \${link##*virtfn} $(readlink $link | sed 's,.*/,,')"
  done
  echo "links $address $(ip -j -d link show dev $(ls $address/net))"
done
exit 0`;

interface LinkVf {
  readonly vf: number;
  readonly address: string;
  readonly vlan_list?: readonly { readonly vlan?: number }[];
  readonly rate?: { readonly max_tx: number };
  readonly spoofchk: boolean;
  readonly trust: boolean;
}

/** One look at everything. */
export async function look(inside: Inside): Promise<Seen> {
  const rows = (await inside.ask(LOOK)).split("\n").map((line) => line.split(" "));
  const of = (kind: string) => rows.filter(([first]) => first === kind).map((row) => row.slice(1));
  const functions = of("function").map((row) => {
    const [address = "", vendor = "", device = "", only = "", driver = ""] = row;
    const override = only === "(null)" ? "" : only;
    return { address, pciId: `${vendor}:${device}`.replaceAll("0x", ""), override, driver };
  });
  const at = (wanted: string): SeenFunction => {
    const found = functions.find(({ address }) => address === wanted);
    if (!found) throw new Error(`${wanted} is not on the bus`);
    return found;
  };
  const vfAddress = new Map(of("vf").map(([pf, vf, address = ""]) => [`${pf} ${vf}`, address]));
  const links = new Map(of("links").map(([pf, ...json]) => [pf, json.join(" ")]));
  const pfs = of("pf").map(([address = "", name = "", numvfs]): SeenPf => {
    const [link] = JSON.parse(links.get(address) ?? "[]") as { vfinfo_list?: LinkVf[] }[];
    const vfs = (link?.vfinfo_list ?? []).map((vf): SeenVf => {
      return { ...at(vfAddress.get(`${address} ${vf.vf}`) ?? ""), ...settingsOf(vf) };
    });
    return { ...at(address), name, numvfs: Number(numvfs), vfs };
  });
  return { pfs, functions };
}

function settingsOf({ vf, address, vlan_list, rate, spoofchk, trust }: LinkVf) {
  const vlan = vlan_list?.[0]?.vlan ?? 0;
  return { vf, mac: address, vlan, rateMbps: rate?.max_tx ?? 0, spoofCheck: spoofchk, trust };
}
