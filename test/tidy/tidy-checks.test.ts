// Proof that the tidy checks bite: planted sources with one violation each are reported, and
// harmless neighbours are not.
import { expect, test } from "vitest";
import { checkImports } from "./imports.js";
import { checkShape } from "./shape.js";
import { type Check, parseSource } from "./source.js";
import { checkWords } from "./words.js";

const OPENING = "// What this is for.\n";
const LEFT = ["TO", "DO"].join("");

function count(check: Check, path: string, code: string): number {
  return check(parseSource(path, OPENING + code)).length;
}

const BAD_IMPORTS: readonly (readonly [string, string])[] = [
  ["controller/src/domain/a.ts", 'import { s } from "../store/contract.js";'],
  ["controller/src/domain/a.ts", 'export type { S } from "../store/contract.js";'],
  ["controller/src/domain/a.ts", 'import { realClock } from "@railyard/lib/clock";'],
  ["controller/src/service/a.ts", 'import { open } from "../store/sqlite.js";'],
  ["controller/src/service/a.ts", 'const x = await import("../store/sqlite.js");'],
  ["controller/src/service/a.ts", 'import { Node } from "@railyard/proto/gen/a";'],
  ["controller/src/service/a.ts", 'import { status } from "@grpc/grpc-js";'],
  ["controller/src/catalog/a.ts", 'import { t } from "../service/a.js";'],
  ["controller/src/api/a.ts", 'import { t } from "../store/contract.js";'],
  ["controller/src/api/a.ts", 'import { t } from "@railyard/agent/model";'],
  ["controller/src/api/a.ts", 'import { t } from "../../../lib/src/ids.js";'],
  ["controller/src/api/a.ts", 'import { t } from "@railyard/controller/config";'],
  ["controller/src/api/a.ts", 'import { t } from "../../../test/yard.js";'],
  ["controller/src/store/tables/a.ts", 'import Database from "better-sqlite3";'],
  ["controller/src/unknown/a.ts", "export const a = 1;"],
  ["agent/src/model.ts", 'import { t } from "./ledger.js";'],
  ["agent/src/reconcile/diff.ts", 'import { t } from "../ledger.js";'],
  ["agent/src/reconcile/reconcile.ts", 'import { t } from "../hardware/linux/sysfs.js";'],
  ["agent/src/ledger.ts", 'import { execFile } from "node:child_process";'],
  ["agent/src/ledger.ts", 'import { execFile } from "child_process";'],
  ["agent/src/agent.ts", 'import { t } from "@railyard/controller/config";'],
  ["lib/src/ids.ts", 'import { t } from "@railyard/proto/gen/a";'],
  ["lib/src/loop.ts", 'import { pino } from "pino";'],
  ["lib/src/bus/memory.ts", 'import { connect } from "@nats-io/transport-node";'],
  ["lib/src/log.ts", 'import { createUser } from "@nats-io/nkeys";'],
  ["cli/src/main.ts", 'import { t } from "@railyard/controller/config";'],
];

test.each(BAD_IMPORTS)("in %s, %s is reported", (path, code) => {
  expect(count(checkImports, path, code)).toBe(1);
});

const GOOD_IMPORTS: readonly (readonly [string, string])[] = [
  [
    "controller/src/domain/a.ts",
    'import { t } from "./b.js";\nimport { p } from "@railyard/lib/ids";',
  ],
  ["controller/src/service/a.ts", 'import { Tx } from "../store/contract.js";'],
  ["controller/src/service/a.ts", 'import type { Row } from "../store/rows.js";'],
  ["controller/src/service/a.test.ts", 'import { open } from "../store/sqlite.js";'],
  ["controller/src/store/sqlite.ts", 'import Database from "better-sqlite3";'],
  ["controller/src/controller.ts", 'import { open } from "./store/sqlite.js";'],
  ["controller/src/api/a.ts", 'import { status } from "@grpc/grpc-js";'],
  ["agent/src/console.ts", 'import { Pty } from "./hardware/hardware.js";'],
  ["agent/src/reconcile/reconcile.ts", 'import { diff } from "./diff.js";'],
  ["agent/src/hardware/linux/exec.ts", 'import { execFile } from "node:child_process";'],
  ["cli/src/main.ts", 'import { t } from "@railyard/proto/gen/a";'],
  ["test/yard.ts", 'import { open } from "@railyard/controller/store/sqlite";'],
];

test.each(GOOD_IMPORTS)("in %s, %s is allowed", (path, code) => {
  expect(count(checkImports, path, code)).toBe(0);
});

const LONG_FUNCTION = `export function f() {\n${"  g();\n".repeat(60)}}`;

const BAD_SHAPES: readonly (readonly [string, string, string])[] = [
  ["a file of 401 lines", "lib/src/a.ts", "g();\n".repeat(400)],
  ["a function of 62 lines", "lib/src/a.ts", LONG_FUNCTION],
  ["a line of 101 characters", "lib/src/a.ts", `// ${"x".repeat(98)}`],
  ["four positional parameters", "lib/src/a.ts", "export function f(a, b, c, d) {}"],
  ["a constructor with four parameters", "lib/src/a.ts", "class A { constructor(a, b, c, d) {} }"],
  ["a file named utils", "lib/src/utils.ts", "g();"],
  ["a folder named helpers", "lib/src/helpers/a.ts", "g();"],
  ["a manager", "lib/src/node-manager.ts", "g();"],
];

test.each(BAD_SHAPES)("%s is reported", (_, path, code) => {
  expect(count(checkShape, path, code)).toBe(1);
});

test("a file without an opening comment is reported, even when it opens with a #! line", () => {
  for (const text of ["export const a = 1;\n", "#!/usr/bin/env node\nstart();\n"]) {
    expect(checkShape(parseSource("cli/bin/a.js", text))).toHaveLength(1);
  }
});

test("a file of modest size draws no finding", () => {
  expect(count(checkShape, "lib/src/a.ts", "export function f(a, b, c) {}\n")).toBe(0);
});

const BAD_WORDS: readonly (readonly [string, string])[] = [
  ["lib/src/a.ts", "const t = Date.now();"],
  ["lib/src/a.ts", "const t = new Date();"],
  ["lib/src/a.ts", "const t = Date();"],
  ["lib/src/a.ts", "const t = performance.now();"],
  ["lib/src/a.ts", "const t = Math.random();"],
  ["lib/src/a.ts", "const t = crypto.randomUUID();"],
  ["lib/src/a.ts", 'import { randomBytes } from "node:crypto";'],
  ["lib/src/a.ts", 'import { setTimeout as sleep } from "node:timers/promises";'],
  ["lib/src/a.ts", "setTimeout(f, 1);"],
  ["lib/src/a.ts", "globalThis.setInterval(f, 1);"],
  ["lib/src/a.ts", "const home = process.env.HOME;"],
  ["lib/src/a.ts", 'const home = process["env"].HOME;'],
  ["lib/src/a.ts", 'import { env } from "node:process";'],
  ["lib/src/a.ts", "const f = (x: any) => x;"],
  ["lib/src/a.ts", "const f = x!.y;"],
  ["lib/src/a.ts", "export const f = () => 1;"],
  ["lib/src/a.ts", "export default f;"],
  ["lib/src/a.ts", "export default function f() {}"],
  ["lib/src/a.ts", 'throw new Error("no");'],
  ["lib/src/a.ts", `// ${LEFT}: later`],
  ["lib/src/a.ts", `/**\n * ${LEFT} later\n */`],
  ["controller/src/placement/a.ts", "export async function f() {}"],
  ["controller/src/domain/a.ts", "type P = Promise<number>;"],
  ["agent/src/reconcile/diff.ts", "await f();"],
  ["lib/src/a.test.ts", "test.only('x', f);"],
  ["test/a.test.ts", "describe.skip('x', f);"],
  ["test/a.test.ts", "test.concurrent.skip('x', f);"],
];

test.each(BAD_WORDS)("in %s, %s is reported", (path, code) => {
  expect(count(checkWords, path, code)).toBe(1);
});

const GOOD_WORDS: readonly (readonly [string, string])[] = [
  ["lib/src/clock.ts", "const t = Date.now(); setTimeout(f, 1);"],
  ["lib/src/a.ts", "const t = new Date(0); clock.setTimeout(f, 1);"],
  ["lib/src/config.ts", "const e = process.env;"],
  ["lib/src/a.ts", "switch (x) { default: f(); }"],
  ["lib/src/a.ts", `const text = "${LEFT}";`],
  ["agent/src/ledger.ts", "export async function f() { await g(); }"],
  ["test/a.test.ts", "const t = Date.now(); list.only; test.skipIf(bare)('x', f);"],
];

test.each(GOOD_WORDS)("in %s, %s is allowed", (path, code) => {
  expect(count(checkWords, path, code)).toBe(0);
});
