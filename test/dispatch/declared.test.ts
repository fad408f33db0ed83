// The example file against the made-up machines: what the agent's own discovery finds in each is
// what the file declares.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFakeHardware } from "@railyard/agent/hardware/fake/fake";
import { inventoryOf } from "@railyard/agent/inventory";
import { judge } from "@railyard/controller/domain/declaration";
import { checkMzone } from "@railyard/controller/domain/mzone";
import { objectsOf } from "@railyard/controller/domain/mzone/objects";
import { systemClock } from "@railyard/lib/clock";
import { expect, test } from "vitest";
import { exampleMzone } from "../yard.js";

test("a made-up machine of each kind is what the example declares, rail for rail", async () => {
  const checked = checkMzone(exampleMzone());
  if (!checked.ok) throw new Error(JSON.stringify(checked.violations));
  const objects = objectsOf(checked.mzone);
  for (const name of ["wdc07-a-r01-s01", "wdc07-b-r01-s01"]) {
    const server = objects.find((o) => o.kind === "server" && o.key === name);
    if (server?.kind !== "server") throw new Error(`${name} is not declared`);
    const { serial, cluster, leafGroup, hardware, cabling } = server.row;
    const group = objects.find(
      (o) => o.kind === "leafGroup" && o.key === `${cluster}/${leafGroup}`,
    );
    const kind = objects.find((o) => o.kind === "hardware" && o.key === hardware);
    if (group?.kind !== "leafGroup" || kind?.kind !== "hardware") throw new Error("not declared");
    const { rails } = group.row;
    const dir = mkdtempSync(join(tmpdir(), "railyard-declared-"));
    const leaves = rails.map((rail) => rail.leaves);
    const options = { dir, model: hardware, serial, cabling: leaves, clock: systemClock() };
    const seen = inventoryOf(await createFakeHardware(options).readFacts());
    const inventory = { ...seen, nvSwitches: seen.nvSwitches.length };
    const declared = { serial, hardware: kind.row, rails, cabling };
    const { mismatches, pairs } = judge(declared, { serial: seen.serial, inventory });
    rmSync(dir, { recursive: true });
    expect(mismatches).toEqual([]);
    expect(pairs.map(({ rail, healthy }) => [rail, healthy])).toEqual(
      Array.from({ length: 8 }, (_, rail) => [rail, true]),
    );
  }
});
