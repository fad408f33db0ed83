// What cloud-init finds in a guest: NoCloud's three files, as texts. Pure; JSON throughout, which
// is YAML too. Source: cloud-init's documentation of NoCloud and of network configuration 2.
import type { GuestSpec } from "../../../model.js";

export interface SeedFiles {
  readonly "meta-data": string;
  readonly "user-data": Uint8Array;
  readonly "network-config": string;
}

const NO_USER_DATA = new TextEncoder().encode("#cloud-config\n{}\n");

/** The files for one guest: cluster interfaces in position order, then those of the VPC. */
export function seedFiles({ instanceId, name, desired, addresses }: GuestSpec): SeedFiles {
  const cluster = desired.attachments.map(({ position, mac, mtu }) => [
    `cluster${position}`,
    {
      match: { macaddress: mac },
      optional: true,
      mtu,
      ...(addresses[mac] && { addresses: [addresses[mac]] }),
    },
  ]);
  const vpc = desired.vpcNics.map(({ mac }, index) => [
    `vpc${index}`,
    { match: { macaddress: mac }, optional: true, dhcp4: true },
  ]);
  return {
    "meta-data": text({
      "instance-id": instanceId,
      "local-hostname": name,
      "public-keys": desired.sshKeys,
    }),
    "user-data": desired.userData.length > 0 ? desired.userData : NO_USER_DATA,
    "network-config": text({ version: 2, ethernets: Object.fromEntries([...cluster, ...vpc]) }),
  };
}

/** The fixed addresses in a guest's network configuration, by MAC; none when it is not readable. */
export function addressesIn(networkConfig: string): Readonly<Record<string, string>> {
  let config: { readonly ethernets?: Readonly<Record<string, unknown>> };
  try {
    config = JSON.parse(networkConfig);
  } catch {
    // Cut off in the writing: the guest that was to have it did not start.
    return {};
  }
  const entries = Object.values(config.ethernets ?? {}).flatMap((entry) => {
    const { match, addresses } = entry as Ethernet;
    const [address] = addresses ?? [];
    return match?.macaddress && address ? [[match.macaddress, address] as const] : [];
  });
  return Object.fromEntries(entries);
}

interface Ethernet {
  readonly match?: { readonly macaddress?: string };
  readonly addresses?: readonly string[];
}

function text(value: unknown): string {
  return `${JSON.stringify(value, undefined, 1)}\n`;
}
