// Tests of the plot of free room.
import { ClusterFragmentation } from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import { expect, test } from "vitest";
import { plotOf } from "./placement-fragmentation.js";

test("each size of gang is a bar: how many fit of those that would unscattered", () => {
  const blocks = [
    { memberCount: 1, blockCount: 4, unscatteredCount: 4 },
    { memberCount: 2, blockCount: 1, unscatteredCount: 2 },
    { memberCount: 4, blockCount: 0, unscatteredCount: 1 },
  ];
  const shapes = [{ gpuCount: 8, fitCount: 4, blocks }];
  const cluster = ClusterFragmentation.fromPartial({ physicalCluster: "hopper-a", shapes });
  const [full, half, none] = ["█".repeat(32), "█".repeat(16) + "░".repeat(16), "░".repeat(32)];
  expect(plotOf(cluster)).toEqual([
    "",
    "hopper-a: gangs of instances with 8 GPUs, 4 of which fit",
    `     1 ${full} 4 of 4`,
    `     2 ${half} 1 of 2`,
    `     4 ${none} 0 of 1`,
  ]);
});
