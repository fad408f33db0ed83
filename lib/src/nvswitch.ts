// How NVIDIA's Fabric Manager divides the NVSwitches of an HGX board: who places instances and who
// activates partitions must mean the same sets. Data only.

/** GPUs on a board whose Fabric Manager knows these partitions. */
export const NVSWITCH_MODULES = 8;

/**
 * Smaller shares of an HGX H100 or H200 board: the fixed partitions of NVIDIA's Fabric Manager
 * (shared NVSwitch virtualization model, default partitions), by module number from 0. The whole
 * board is one more.
 */
export const NVSWITCH_PARTITIONS: readonly (readonly number[])[] = [
  [0, 1, 2, 3],
  [4, 5, 6, 7],
  [0, 2],
  [1, 3],
  [4, 6],
  [5, 7],
  [0],
  [1],
  [2],
  [3],
  [4],
  [5],
  [6],
  [7],
];
