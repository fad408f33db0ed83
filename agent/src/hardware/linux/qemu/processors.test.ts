// Which processors a guest is bound to, from what the kernel tells of each NUMA node.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Layout } from "../../../model.js";
import { processorsFor } from "./processors.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "railyard-processors-"));
  plant(0, "0-3,8-11");
  plant(1, "4-7");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function plant(node: number, list: string): void {
  const dir = join(root, `sys/devices/system/node/node${node}`);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "cpulist"), `${list}\n`);
}

function on(...numas: readonly number[]): Layout {
  const expanders = numas.map((numa, guestNuma) => ({ numa, guestNuma, bus: 1, lastBus: 2 }));
  return { expanders, ports: [], devices: [] } as unknown as Layout;
}

test("a guest runs where its devices are", () => {
  expect(processorsFor(root, { layout: on(1), vcpu: 4 })).toBe("4-7");
  expect(processorsFor(root, { layout: on(1, 0), vcpu: 12 })).toBe("0-3,8-11,4-7");
});

test("it runs anywhere where that would be too few, or is not known", () => {
  expect(processorsFor(root, { layout: on(1), vcpu: 5 })).toBeUndefined();
  expect(processorsFor(root, { layout: on(0, 2), vcpu: 1 })).toBeUndefined();
  expect(processorsFor(root, { layout: on(-1), vcpu: 1 })).toBeUndefined();
  expect(processorsFor(root, { vcpu: 1 })).toBeUndefined();
});

test.each([
  "system.slice/cpuset.cpus.effective",
  "cpuset.cpus.effective",
  "cpuset/cpuset.effective_cpus",
])("it is bound to no processors that guests do not have by %s", (name) => {
  const file = join(root, "sys/fs/cgroup", name);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "0-5\n");
  expect(processorsFor(root, { layout: on(1), vcpu: 2 })).toBe("4-7");
  expect(processorsFor(root, { layout: on(1), vcpu: 3 })).toBeUndefined();
  // The kernel refuses to bind a process to nothing but those.
  writeFileSync(file, "0-3\n");
  expect(processorsFor(root, { layout: on(1), vcpu: 1 })).toBeUndefined();
});

test.each(["", "$(id)", "0-", "1 2", "0-3\nUser=root"])(
  "what is no list binds nothing: %j",
  (list) => {
    plant(3, list);
    expect(processorsFor(root, { layout: on(3), vcpu: 1 })).toBeUndefined();
  },
);
