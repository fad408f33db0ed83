// The contract of a fabric's subnet manager: what an agent beside it may ask. Reading asks the
// ports themselves, never the subnet manager's memory of them. linux/opensm.ts implements it; fake/
// puts a made-up fabric below that.
import type { DesiredPartition, FabricReading } from "../model/fabric.js";

/** Errors: as for `Hardware`. */
export interface SubnetManager {
  /** Every port of every channel adapter on the fabric, with its partition table. */
  readPorts(): Promise<FabricReading>;
  /** Whether the subnet manager was told these partitions last. */
  holds(partitions: readonly DesiredPartition[]): Promise<boolean>;
  /**
   * Replaces all partitions but the default one, and has the subnet manager apply them. It does so
   * in its own time: only `readPorts` tells when.
   */
  setPartitions(partitions: readonly DesiredPartition[]): Promise<void>;
}
