// What a guest's PCI buses consist of, in the agent's own words. Plain data; it must not know what
// is placed where, nor why.
import type { DeviceId } from "../model.js";

/** A host bridge of the guest for one NUMA node (`pxb-pcie`). */
export interface Expander {
  /** NUMA node of the host; -1 when unknown. */
  readonly numa: number;
  /** NUMA node of the guest, from 0; -1 when the host's is unknown. */
  readonly guestNuma: number;
  /** Its own bus number; every bus below it is higher, up to `lastBus`. */
  readonly bus: number;
  readonly lastBus: number;
}

/** A bridge of the guest: a root port, or a port of a virtual switch. */
export interface GuestPort {
  readonly kind: "root" | "upstream" | "downstream";
  /** Where it sits. */
  readonly bus: number;
  readonly slot: number;
  /** The bus behind it; names it, as no two ports open the same. */
  readonly secondaryBus: number;
}

/** A whole device given to a guest. */
export interface PlacedDevice {
  readonly deviceId: DeviceId;
  readonly guestAddress: string;
}
