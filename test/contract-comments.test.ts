// Holds the contract to its own rules: everything in it is explained, everything a request can
// carry is limited, and calls of one kind take the same fields. Knows descriptors, no handler.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescField, DescFile, DescMessage, Message } from "@bufbuild/protobuf";
import { createFileRegistry, fromBinary, getOption, hasOption } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readImage()));
const ours = [...registry.files].filter((f) => f.proto.package.startsWith("railyard."));
const packages = new Set(["railyard.v1", "railyard.admin.v1"]);
const publicFiles = ours.filter((f) => packages.has(f.proto.package));

const reads = /^(Get|List|Watch|Check|Attach|Explain|Simulate|Propose|Validate|Export|Verify)/;
const repeatable = /^(Create|BatchCreate|Add|Move|Reboot|Apply|Drain|Fence)/;

function readImage(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "railyard-contract-"));
  try {
    const file = join(folder, "image.binpb");
    execFileSync(join(ROOT, "node_modules/.bin/buf"), ["build", "-o", file], { cwd: ROOT });
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Place {
  readonly path: readonly number[];
  readonly name: string;
}

/** Every place of a file that needs a comment, with its path in the source information. */
function placesOf(file: DescFile): Place[] {
  const enums = (list: DescFile["enums"], path: number[]): Place[] =>
    list.flatMap((e, i) => [
      { path: [...path, i], name: e.typeName },
      ...e.values.map((v, k) => ({
        path: [...path, i, 2, k],
        name: `${e.typeName}.${v.name}`,
      })),
    ]);
  const messages = (list: readonly DescMessage[], path: number[]): Place[] =>
    list.flatMap((m) => {
      const here = [...path, indexIn(m, file)];
      return [
        { path: here, name: m.typeName },
        ...m.proto.field.map((f, k) => ({
          path: [...here, 2, k],
          name: `${m.typeName}.${f.name}`,
        })),
        ...enums(m.nestedEnums, [...here, 4]),
        ...messages(m.nestedMessages, [...here, 3]),
      ];
    });
  const services = file.services.flatMap((s, i) => [
    { path: [6, i], name: s.typeName },
    ...s.methods.map((r, k) => ({ path: [6, i, 2, k], name: `${s.typeName}.${r.name}` })),
  ]);
  const extensions = file.extensions.map((x, i) => ({ path: [7, i], name: x.typeName }));
  return [...messages(file.messages, [4]), ...enums(file.enums, [5]), ...services, ...extensions];
}

/** The place of a message among its siblings as written: map entries count there too. */
function indexIn(message: DescMessage, file: DescFile): number {
  const siblings = message.parent?.proto.nestedType ?? file.proto.messageType;
  return siblings.indexOf(message.proto);
}

function uncommented(file: DescFile): string[] {
  const commented = new Set(
    file.proto.sourceCodeInfo?.location
      .filter((l) => l.leadingComments.trim() !== "")
      .map((l) => l.path.join(".")),
  );
  return placesOf(file)
    .filter((p) => !commented.has(p.path.join(".")))
    .map((p) => p.name);
}

/** Every message of the project that a request can carry, the request included. */
function reachable(from: DescMessage, seen: Set<DescMessage>): void {
  if (seen.has(from) || from.typeName.startsWith("google.")) return;
  seen.add(from);
  for (const field of from.fields) {
    if (field.message) reachable(field.message, seen);
  }
}

function limitsOf(field: DescField): { length: number; charset: number; items: number } {
  const option = registry.getExtension("railyard.v1.limits");
  const message = option?.message;
  if (!option || !message || !hasOption(field, option)) return { length: 0, charset: 0, items: 0 };
  const limits = reflect(message, getOption(field, option) as Message);
  const read = (name: string): number => {
    const member = message.fields.find((f) => f.name === name);
    if (!member) throw new Error(`limits have no ${name}`);
    return Number(limits.get(member));
  };
  return { length: read("max_length"), charset: read("charset"), items: read("max_items") };
}

const STRING = 9;
const BYTES = 12;

function missingLimits(field: DescField): string[] {
  const limits = limitsOf(field);
  const mask = field.message?.typeName === "google.protobuf.FieldMask";
  const many = field.fieldKind === "list" || field.fieldKind === "map" || mask;
  const key = field.fieldKind === "map" ? field.mapKey : undefined;
  const kinds: readonly unknown[] = [field.scalar, key];
  const text = kinds.includes(STRING);
  const missing: string[] = [];
  if (many && limits.items === 0) missing.push("max_items");
  if ((text || kinds.includes(BYTES)) && limits.length === 0) missing.push("max_length");
  if (text && limits.charset === 0) missing.push("charset");
  return missing.map((m) => `${field.parent.typeName}.${field.name}: ${m}`);
}

function methodsLacking(fields: readonly string[], concerned: (name: string) => boolean): string[] {
  return publicFiles
    .flatMap((f) => f.services.flatMap((s) => s.methods))
    .filter((m) => concerned(m.name))
    .filter((m) => !fields.every((name) => m.input.fields.some((f) => f.name === name)))
    .map((m) => m.name);
}

test("everything in the contract has a comment of its own", () => {
  expect(ours.flatMap((f) => f.messages).length).toBeGreaterThan(100);
  expect(ours.flatMap(uncommented)).toEqual([]);
});

test("every string, list, map and byte field that a request can carry has its limits", () => {
  const seen = new Set<DescMessage>();
  for (const file of publicFiles) {
    for (const method of file.services.flatMap((s) => s.methods)) reachable(method.input, seen);
  }
  expect(seen.size).toBeGreaterThan(50);
  expect([...seen].flatMap((m) => m.fields.flatMap(missingLimits))).toEqual([]);
});

test("every mutation can be validated only", () => {
  expect(methodsLacking(["validate_only"], (name) => !reads.test(name))).toEqual([]);
});

test("every call that makes something or must not happen twice takes a request id", () => {
  expect(methodsLacking(["request_id"], (name) => repeatable.test(name))).toEqual([]);
});

test("every list is paged", () => {
  const lists = (name: string): boolean => name.startsWith("List");
  expect(methodsLacking(["page_size", "page_token"], lists)).toEqual([]);
});

test("updates take a mask and an etag, deletes an etag", () => {
  expect(methodsLacking(["update_mask", "etag"], (n) => n.startsWith("Update"))).toEqual([]);
  expect(methodsLacking(["etag"], (n) => n.startsWith("Delete"))).toEqual([]);
});
