// Checks the interfaces that a request wants to make, one or a whole instance's worth, before
// anything is written: subnets, addresses, names, each against the store and against the rest of
// the request.
import { formatIpv4 } from "@railyard/lib/address";
import type { ClusterNetworkId, ReservedIpId, SubnetId } from "@railyard/lib/ids";
import type { Faults } from "../domain/faults.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Subnet } from "../domain/subnet.js";
import type { AccountReads } from "../store/contract.js";
import { checkNewName, hasAny } from "./naming.js";
import { anyReservedIp } from "./provider-ip.js";
import { checkAddress, ipNameTaken } from "./reserved-ip.js";

/** The primary address asked for: an existing reserved IP, or a new one. */
export type AddressWish =
  | { readonly kind: "existing"; readonly id: ReservedIpId }
  | {
      readonly kind: "new";
      /** Empty: any free address. */
      readonly address: string;
      readonly name: string;
      readonly autoDelete: boolean;
    };

export interface InterfaceWish {
  /** Undefined: the subnet of the existing reserved IP. */
  readonly subnetId: SubnetId | undefined;
  readonly primaryIp: AddressWish;
  readonly name: string;
  readonly autoDelete: boolean;
  readonly allowIpSpoofing: boolean;
}

/** An interface that can be made. */
export interface InterfacePlan {
  readonly subnet: Subnet;
  /** Empty: four random words are drawn when it is made. */
  readonly name: string;
  readonly autoDelete: boolean;
  readonly allowIpSpoofing: boolean;
  readonly ip:
    | { readonly kind: "existing"; readonly row: ReservedIp }
    | {
        readonly kind: "new";
        readonly address: number | undefined;
        /** Empty: drawn as well. */
        readonly name: string;
        readonly autoDelete: boolean;
      };
  /** Path of the wish, ending in a dot, or empty. */
  readonly path: string;
}

/**
 * Plans the interfaces of one request; remembers what earlier ones use up. With a network, what
 * lies in another one is missing.
 */
export class InterfacePlanner {
  private readonly used = new Set<string>();
  private readonly mine: AccountReads;
  private readonly faults: Faults;
  private readonly network: ClusterNetworkId | undefined;

  constructor(of: {
    readonly mine: AccountReads;
    readonly faults: Faults;
    readonly network?: ClusterNetworkId;
  }) {
    this.mine = of.mine;
    this.faults = of.faults;
    this.network = of.network;
  }

  /** The plan of one wish found at `path` (ending in a dot, or empty); faults when impossible. */
  async plan(wish: InterfaceWish, path: string): Promise<InterfacePlan | undefined> {
    const ip = wish.primaryIp;
    const row = ip.kind === "existing" ? await this.existingIp(ip.id, path) : undefined;
    const subnet = await this.subnetOf(wish, { path, row });
    const clusterNetworkId = this.network ?? subnet?.clusterNetworkId;
    await this.checkInterfaceName(wish, path, clusterNetworkId);
    if (!subnet) return undefined;
    const { name, autoDelete, allowIpSpoofing } = wish;
    const about = { subnet, name, autoDelete, allowIpSpoofing, path };
    if (ip.kind === "existing") return row && { ip: { kind: "existing", row }, ...about };
    return { ip: await this.newIp(ip, path, subnet), ...about };
  }

  /** The reserved IP, with a fault when it may not be had; what else is asked is held to it. */
  private async existingIp(id: ReservedIpId, path: string): Promise<ReservedIp | undefined> {
    const field = `${path}primary_ip.reserved_ip_id`;
    const row = await anyReservedIp(this.mine, id);
    if (!row || !this.inside(row)) {
      this.faults.missing(field, RESOURCE_TYPE.reservedIp, id);
      return undefined;
    }
    if (row.owner === "provider") {
      const reason = "RESERVED_IP_PROVIDER_OWNED";
      this.faults.invalid(field, "belongs to the provider", reason);
    } else if (row.targetId || !this.first(`ip ${id}`)) {
      this.faults.add({
        code: "precondition",
        field,
        description: `${RESOURCE_TYPE.reservedIp} ${id} is already bound to an interface`,
        reason: "RESERVED_IP_ALREADY_BOUND",
        resource: { type: RESOURCE_TYPE.reservedIp, id },
        ...(row.targetId && { holders: [{ type: RESOURCE_TYPE.interface, id: row.targetId }] }),
      });
    }
    return row;
  }

  private async subnetOf(
    wish: InterfaceWish,
    at: { readonly path: string; readonly row: ReservedIp | undefined },
  ): Promise<Subnet | undefined> {
    const field = `${at.path}subnet_id`;
    const id = wish.subnetId ?? at.row?.subnetId;
    if (!id) {
      if (wish.primaryIp.kind === "new") {
        this.faults.invalid(field, "is required unless an existing reserved IP is named");
      }
      return undefined;
    }
    const subnet = await this.mine.subnets.get(id);
    if (!subnet || !this.inside(subnet)) {
      this.faults.missing(field, RESOURCE_TYPE.subnet, id);
      return undefined;
    }
    if (at.row && at.row.subnetId !== id) {
      this.faults.invalid(field, "is not the subnet of the reserved IP that is named");
    }
    return subnet;
  }

  private async checkInterfaceName(
    { name }: InterfaceWish,
    path: string,
    clusterNetworkId: ClusterNetworkId | undefined,
  ): Promise<void> {
    if (name === "") return;
    await checkNewName(this.faults, {
      field: `${path}name`,
      name,
      taken: async () =>
        clusterNetworkId !== undefined &&
        (!this.first(`interface ${clusterNetworkId} ${name}`) ||
          (await hasAny(this.mine.interfaces, { clusterNetworkId, name }))),
    });
  }

  private async newIp(
    ip: Extract<AddressWish, { kind: "new" }>,
    path: string,
    subnet: Subnet,
  ): Promise<InterfacePlan["ip"]> {
    const field = `${path}primary_ip.reserved_ip`;
    const wanted = { subnet, field: `${field}.address`, text: ip.address };
    const address = await checkAddress(this.mine, this.faults, wanted);
    if (address !== undefined && !this.first(`address ${subnet.id} ${address}`)) {
      const description = `${formatIpv4(address)} is asked for twice`;
      this.faults.invalid(wanted.field, description, "ADDRESS_TAKEN");
    }
    const { name, autoDelete } = ip;
    if (name !== "") {
      const inStore = ipNameTaken(this.mine, subnet.id);
      await checkNewName(this.faults, {
        field: `${field}.name`,
        name,
        taken: async (n) => !this.first(`ip-name ${subnet.id} ${n}`) || (await inStore(n)),
      });
    }
    return { kind: "new", address, name, autoDelete };
  }

  private inside({ clusterNetworkId }: { readonly clusterNetworkId: ClusterNetworkId }): boolean {
    return this.network === undefined || this.network === clusterNetworkId;
  }

  /** Whether nothing earlier in this request has used `key`. */
  private first(key: string): boolean {
    if (this.used.has(key)) return false;
    this.used.add(key);
    return true;
  }
}
