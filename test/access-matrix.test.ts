// Who gets which answer: every RPC, with the token of every role, on an object of the caller's own
// account, of another one, and on none. Kept as a golden file;
// RAILYARD_UPDATE_GOLDEN=1 writes it anew.
import { readFileSync, writeFileSync } from "node:fs";
import { toServiceError, wireName } from "@railyard/controller/api/grpc-status";
import { Role } from "@railyard/proto/gen/railyard/admin/v1/token";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DescribedRpc, nameOf, RPCS } from "./fuzz/descriptors.js";
import { type OpenGate, type Outcome, openGate } from "./fuzz/gate.js";
import { type Names, namesObject, validRequest } from "./fuzz/requests.js";
import { declare, OBJECTS, populate, type World, withIds } from "./fuzz/world.js";

const GOLDEN = new URL("./access-matrix.golden.txt", import.meta.url);
const HEAD = `# RPC, whose object it names, and the answer to a caller with the token of each role.
# ok: answered. not-built: the server says so. "-": the RPC names no object.
`;
const COLUMNS: readonly [string, Role | undefined][] = [
  ["no-token", undefined],
  ["viewer", Role.ROLE_TENANT_VIEWER],
  ["editor", Role.ROLE_TENANT_EDITOR],
  ["admin", Role.ROLE_TENANT_ADMIN],
  ["operator", Role.ROLE_OPERATOR],
  ["release", Role.ROLE_RELEASE_ENGINEER],
  ["auditor", Role.ROLE_AUDITOR],
];
const SHORT: Readonly<Record<string, string>> = {
  "UNAUTHENTICATED UNAUTHENTICATED": "unauthenticated",
  "PERMISSION_DENIED FORBIDDEN": "forbidden",
  "UNIMPLEMENTED NOT_IMPLEMENTED": "not-built",
  "NOT_FOUND NOT_FOUND": "not-found",
};

let gate: OpenGate;
let mine: World;
let theirs: World;
const tokens: string[] = [];
beforeAll(async () => {
  gate = await openGate();
  await declare(gate);
  [mine, theirs] = [await populate(gate, "mine"), await populate(gate, "theirs")];
  for (const [, role] of COLUMNS) tokens.push(role === undefined ? "" : await mine.token(role));
});
afterAll(() => gate.close());

const foreignIds = () => Object.fromEntries(OBJECTS.map((noun) => [noun, theirs.names.ids[noun]!]));

/** Ids of no object, as long as those of another account's. */
function missingIds(): Record<string, string> {
  const changed = (id: string) => `${id.slice(0, -6)}absent`;
  return Object.fromEntries(Object.entries(foreignIds()).map(([noun, id]) => [noun, changed(id)]));
}

/** The variants of a request: which objects it names. */
function variants(rpc: DescribedRpc): [string, Names][] {
  if (rpc.listener === "admin" || !namesObject(rpc)) return [["-", mine.names]];
  return [
    ["own", mine.names],
    ["foreign", withIds(mine.names, foreignIds())],
    ["missing", withIds(mine.names, missingIds())],
  ];
}

async function ask(rpc: DescribedRpc, names: Names, token: string): Promise<Outcome> {
  return gate.call(rpc, token, validRequest(rpc, names));
}

function cell(outcome: Outcome): string {
  if (!outcome) return "ok";
  const text = `${wireName(outcome.code)} ${outcome.reason}`;
  return SHORT[text] ?? text.replace(" ", "/");
}

async function matrix(): Promise<string> {
  const rows = [["rpc", "object", ...COLUMNS.map(([name]) => name)]];
  for (const rpc of RPCS) {
    for (const [whose, names] of variants(rpc)) {
      const cells = [];
      for (const token of tokens) cells.push(cell(await ask(rpc, names, token)));
      rows.push([nameOf(rpc).replace(/^railyard\./, ""), whose, ...cells]);
    }
  }
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (row: string[]) =>
    row
      .map((text, i) => text.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  return `${HEAD}${rows.map(line).join("\n")}\n`;
}

test("who gets which answer is as the golden file says", async () => {
  const found = await matrix();
  if (process.env.RAILYARD_UPDATE_GOLDEN) writeFileSync(GOLDEN, found);
  expect(found).toBe(readFileSync(GOLDEN, "utf8"));
});

/** Everything that a refused caller sees, with the ids it gave itself exchanged for their nouns. */
function seen(outcome: Outcome, ids: Readonly<Record<string, string>>): string {
  if (!outcome) return "answered";
  const { code, metadata } = toServiceError(outcome);
  const [details] = metadata.get("grpc-status-details-bin");
  let text = `${code} ${(details as Buffer).toString("latin1")}`;
  for (const [noun, id] of Object.entries(ids)) text = text.replaceAll(id, noun);
  return text;
}

test("another account's object is answered like a missing one, in every field", async () => {
  const secret = await mine.token(Role.ROLE_TENANT_ADMIN);
  for (const rpc of RPCS.filter(({ listener }) => listener === "tenant")) {
    for (const nouns of [[...OBJECTS], ...OBJECTS.map((noun) => [noun])]) {
      const of = (ids: Readonly<Record<string, string>>) => ({
        ...Object.fromEntries(OBJECTS.map((noun) => [noun, mine.names.ids[noun]!])),
        ...Object.fromEntries(nouns.map((noun) => [noun, ids[noun]!])),
      });
      const [foreign, none] = [of(foreignIds()), of(missingIds())];
      const said = await ask(rpc, withIds(mine.names, foreign), secret);
      const wanted = await ask(rpc, withIds(mine.names, none), secret);
      expect(seen(said, foreign), `${nameOf(rpc)} ${nouns}`).toBe(seen(wanted, none));
    }
  }
});
