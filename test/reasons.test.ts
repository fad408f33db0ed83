// Walks the contract's reasons: each is given somewhere in the server and shown by a test, or the
// contract itself says that it never is. Writes the list of them in docs/. Knows no rule.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { INSTANCE_STATUS_REASON_CODES } from "@railyard/controller/domain/instance";
import { HEALTH_REASON_CODES, LIFECYCLE_REASON_CODES } from "@railyard/controller/domain/lifecycle";
import { ErrorReason } from "@railyard/proto/gen/railyard/v1/error_reason";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const CONTRACT = join(ROOT, "proto/railyard/v1/error_reason.proto");
const PREFIX = "ERROR_REASON_";

/** Given by calls that answer NOT_IMPLEMENTED; once such a call is built a test must show it. */
const OF_CALLS_NOT_BUILT = [
  ...["PLAN_STALE", "PLAN_NEEDS_OVERRIDE", "NODE_NOT_EMPTY", "BACKUP_EXISTS"],
];

interface Reason {
  readonly name: string;
  readonly meaning: string;
  readonly deprecated: boolean;
}

/** Every reason with its comment, as the contract has them. */
function reasonsOf(text: string): readonly Reason[] {
  const reasons: Reason[] = [];
  let comment: string[] = [];
  for (const line of text.split("\n").map((one) => one.trim())) {
    const found = /^ERROR_REASON_(\w+) = \d+( \[deprecated = true\])?;$/.exec(line);
    if (line.startsWith("//")) comment.push(line.slice(3));
    else if (found?.[1]) {
      const meaning = comment.join(" ");
      reasons.push({ name: found[1], meaning, deprecated: found[2] !== undefined });
    }
    if (!line.startsWith("//")) comment = [];
  }
  return reasons.filter(({ name }) => name !== "UNSPECIFIED");
}

/** The texts of all TypeScript files below a folder of which `wanted` approves. */
function textsBelow(folder: string, wanted: (path: string) => boolean): readonly string[] {
  const paths = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  return paths
    .filter((path) => /\.ts$/.test(path) && !/(^|\/)(dist|node_modules)\//.test(path))
    .filter(wanted)
    .map((path) => readFileSync(join(ROOT, folder, path), "utf8"));
}

const isTest = (path: string) => path.endsWith(".test.ts");
const SERVER = ["controller/src", "lib/src"].flatMap((f) => textsBelow(f, (p) => !isTest(p)));
const TESTS = [
  ...textsBelow("test", (path) => path !== "reasons.test.ts"),
  ...textsBelow("controller/src", isTest),
  readFileSync(join(ROOT, "test/access-matrix.golden.txt"), "utf8"),
];
const REASONS = reasonsOf(readFileSync(CONTRACT, "utf8"));

const isGiven = ({ name }: Reason) => SERVER.some((text) => text.includes(`"${name}"`));
// A test may expect it behind its code: "9 CONSOLE_BUSY".
const isShown = ({ name }: Reason) =>
  TESTS.some((text) => new RegExp(`["/ ]${name}\\b`).test(text));
const names = (reasons: readonly Reason[]) => reasons.map(({ name }) => name);

test("the walk knows every reason of the contract", () => {
  const known = Object.keys(ErrorReason).filter((key) => key.startsWith(PREFIX));
  const wanted = known.map((key) => key.slice(PREFIX.length));
  expect(names(REASONS)).toEqual(wanted.filter((name) => name !== "UNSPECIFIED"));
});

test("every reason that the server can give is shown by a test", () => {
  const given = REASONS.filter(isGiven);
  expect(given.length).toBeGreaterThan(60);
  expect(names(given.filter((reason) => !isShown(reason)))).toEqual([]);
});

test("a reason that is never given is deprecated, or of a call that is not built", () => {
  const never = REASONS.filter((reason) => !isGiven(reason));
  const excused = ({ name, deprecated }: Reason) => deprecated || OF_CALLS_NOT_BUILT.includes(name);
  expect(names(never.filter((reason) => !excused(reason)))).toEqual([]);
  expect(names(REASONS.filter((reason) => reason.deprecated && isGiven(reason)))).toEqual([]);
});

test("every reason that is given is one of the contract's", () => {
  const found = SERVER.flatMap((text) => [...text.matchAll(/\breason: "([A-Z][A-Z_]+)"/g)]);
  const given = new Set(found.map(([, name]) => name));
  expect([...given].filter((name) => !names(REASONS).includes(name ?? ""))).toEqual([]);
});

test("a reason for a status, a health or a lifecycle is given, or says that it never is", () => {
  const given = [INSTANCE_STATUS_REASON_CODES, HEALTH_REASON_CODES, LIFECYCLE_REASON_CODES].flat();
  const declared = /((?: {2}\/\/.*\n)+) {2}\w+_REASON_CODE_(\w+) = [1-9]\d*;/g;
  const codes = ["instance_status", "resource"].flatMap((file) => {
    const text = readFileSync(join(ROOT, `proto/railyard/v1/${file}.proto`), "utf8");
    return [...text.matchAll(declared)];
  });
  expect(codes.length).toBeGreaterThan(given.length);
  const never = codes.filter(([, comment]) => comment?.trimStart().startsWith("// Never given:"));
  const names = (of: typeof codes) => of.map(([, , name]) => name?.toLowerCase());
  const said = names(codes).filter((name) => !names(never).includes(name));
  expect(said.sort()).toEqual([...given].sort());
});

test("the list in docs/ is the contract's", async () => {
  const rows = REASONS.map(({ name, meaning }) => `- \`${name}\`: ${meaning}`);
  const head = [
    "# Reasons of errors",
    "",
    "`ErrorInfo.reason` of every refusal, with domain `railyard`. `test/reasons.test.ts` keeps",
    "this list and sees that each reason is shown by a test.",
    "",
  ];
  const list = `${[...head, ...rows].join("\n")}\n`;
  await expect(list).toMatchFileSnapshot("../docs/reasons.md");
});
