// A cluster network: an isolated RDMA network of one account, mapped in secret to one physical
// cluster.
import type { Cidr } from "@railyard/lib/address";
import type { ClusterNetworkId, PhysicalClusterId } from "@railyard/lib/ids";
import type { Owned } from "./lifecycle.js";
import type { IsolationKind } from "./profile.js";

export interface ClusterNetwork extends Owned {
  readonly id: ClusterNetworkId;
  readonly name: string;
  /** Name of the cluster network profile. */
  readonly profile: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly resourceGroupId: string;
  readonly prefix: Cidr;
  /** Never shown to tenants. */
  readonly physicalClusterId: PhysicalClusterId;
  /** Never shown to tenants. */
  readonly isolation: { readonly kind: IsolationKind; readonly id: number };
}

/** Used when the creator gives no prefix. */
export const DEFAULT_PREFIX = "10.0.0.0/9";

/** Smallest prefix: one that still holds a smallest subnet. */
export const PREFIX_LENGTH_MAX = 29;
