// Tests of module numbers: told, guessed or unknown; and of boards divided otherwise than usual.
import { NVSWITCH_PARTITIONS } from "@railyard/lib/nvswitch";
import { expect, test } from "vitest";
import type { MachineFacts, PartitionReading } from "../hardware/hardware.js";
import type { Gpu } from "../model.js";
import { partitioned } from "./partitions.js";

const WHOLE = [0, 1, 2, 3, 4, 5, 6, 7];
const addressOf = (k: number) => `0000:${k + 1}0:00.0`;
const GPUS = WHOLE.map((k) => ({ deviceId: `gpu-${k}`, pciAddress: addressOf(k) }) as Gpu);
/** The last GPU by address is the first module, and so on. */
const told = (module: number) => ({ module, pciAddress: addressOf(7 - module) });
const untold = (module: number) => ({ module, pciAddress: "" });

function facts(sets: readonly (readonly number[])[], gpuOf = told): MachineFacts {
  const partitions = sets.map((modules, id): PartitionReading => {
    return { id, active: false, gpus: modules.map(gpuOf) };
  });
  return { partitions } as Partial<MachineFacts> as MachineFacts;
}

const USUAL = [WHOLE, ...NVSWITCH_PARTITIONS];

test("modules are numbered as the Fabric Manager tells them, whatever the address order", () => {
  const { gpus, partitions, warnings } = partitioned(facts(USUAL), GPUS);
  expect(partitions?.[1]).toEqual({ id: 1, gpus: ["gpu-4", "gpu-5", "gpu-6", "gpu-7"] });
  expect(gpus.map(({ module }) => module)).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
  expect(warnings).toEqual([]);
});

test("modules that are not told are guessed by address, and that is said", () => {
  const { gpus, warnings } = partitioned(facts(USUAL, untold), GPUS);
  expect(gpus.map(({ module }) => module)).toEqual(WHOLE);
  expect(warnings.map(({ kind }) => kind)).toEqual(["gpu-module-guessed"]);
});

test("with a GPU missing nothing is guessed, as every number could be wrong", () => {
  const { gpus, partitions } = partitioned(facts(USUAL, untold), GPUS.slice(1));
  expect(partitions?.[1]?.gpus).toEqual(["", "", "", ""]);
  expect(gpus.every(({ module }) => module === undefined)).toBe(true);
});

test("two modules at one address are not believed", () => {
  const doubled = (module: number) => ({ module, pciAddress: addressOf(Math.min(module, 6)) });
  const kinds = partitioned(facts(USUAL, doubled), GPUS).warnings.map(({ kind }) => kind);
  expect(kinds).toEqual(["gpu-module-guessed"]);
});

test("a board that is divided otherwise is warned of, with what differs", () => {
  const sets = [...USUAL.filter((set) => set.join() !== "0,2"), [0, 1]];
  const [doubt] = partitioned(facts(sets), GPUS).warnings;
  expect(doubt).toMatchObject({ kind: "partitions-differ", deviceId: "" });
  expect(doubt?.message).toContain("lacks {0,2}, beside them it has {0,1}");
});

test("one that fell off the bus is still known by its address", () => {
  const { gpus, partitions } = partitioned(facts(USUAL), GPUS.slice(1));
  expect(gpus[0]?.module).toBe(6);
  expect(partitions?.[1]?.gpus).toEqual(["gpu-4", "gpu-5", "gpu-6", "gpu-7"]);
  expect(partitions?.[2]?.gpus).toEqual(["gpu-0000:10:00.0", "gpu-1", "gpu-2", "gpu-3"]);
});

test("a machine without partitions has no modules and no doubts about them", () => {
  const none = {} as Partial<MachineFacts> as MachineFacts;
  expect(partitioned(none, GPUS)).toEqual({ gpus: GPUS, warnings: [] });
});
