// One virtual function of a network adapter, in the agent's own words. Plain data; it must not know
// who tells it, nor whose the function is.
import type { DeviceId } from "../model.js";

/**
 * A link held up or down, a rate that is guaranteed, leave to change its own address, a priority in
 * the VLAN tag, a tag by another protocol (802.1ad), which no switch takes for the same VLAN.
 */
export type VfStray = "state" | "min-rate" | "trust" | "vlan-priority" | "vlan-protocol";

/** One VF as read from the machine. */
export interface ObservedVf {
  readonly nic: DeviceId;
  readonly vf: number;
  readonly pciAddress: string;
  /** All zeros until one was set. */
  readonly mac: string;
  /** 0 = none. */
  readonly vlan: number;
  /** Where the node itself encapsulates: 0 = none. Undefined where it cannot. */
  readonly vni?: number;
  /** The partition that an InfiniBand port's GUID is meant for: 0 = none. Undefined on Ethernet. */
  readonly pkey?: number;
  readonly rateMbps: number;
  readonly spoofCheck: boolean;
  /** As in `VfSettings`. */
  readonly astray?: readonly VfStray[];
  readonly iommuGroup?: string;
  /** Bound driver, empty when none. */
  readonly driver: string;
}
