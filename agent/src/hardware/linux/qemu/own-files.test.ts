// What is read and reached in a folder that somebody else has been at work in.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { agentIds, cutOwnText, isOwnFolder, reachSocket, readOwnText } from "./own-files.js";

const OTHER = 12_345;
const { uid } = agentIds();
let dir: string;
let path: string;
let server: Server | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "railyard-own-"));
  path = join(dir, "it");
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

test("a file of the agent's is read, its end if it is long", () => {
  writeFileSync(path, " words\n");
  expect(readOwnText(path)).toBe("words");
  writeFileSync(path, "x".repeat(3 * 1024 * 1024));
  appendFileSync(path, "the end");
  expect(readOwnText(path)).toHaveLength(1024 * 1024);
  expect(readOwnText(path)?.endsWith("xthe end")).toBe(true);
});

test.each([
  ["nothing", () => undefined],
  ["a pipe, which nobody waits for", () => execFileSync("/usr/bin/mkfifo", [path])],
  ["a folder", () => mkdirSync(path)],
  ["a device", () => symlinkSync("/dev/zero", path)],
  [
    "a link to a file of the agent's",
    () => {
      writeFileSync(join(dir, "other"), "words");
      symlinkSync(join(dir, "other"), path);
    },
  ],
])("no words are in %s", (_, make) => {
  make();
  expect(readOwnText(path)).toBeUndefined();
});

test.runIf(uid === 0)("what another account wrote is not the agent's", () => {
  writeFileSync(path, "words");
  chownSync(path, OTHER, OTHER);
  expect(readOwnText(path)).toBeUndefined();
  mkdirSync(join(dir, "folder"));
  expect(isOwnFolder(join(dir, "folder"))).toBe(true);
  chownSync(join(dir, "folder"), OTHER, OTHER);
  expect(isOwnFolder(join(dir, "folder"))).toBe(false);
});

test("a link to a folder is no folder", () => {
  symlinkSync(dir, path);
  expect(isOwnFolder(path)).toBe(false);
});

const MIB = 1024 * 1024;

test("a long file is cut to its newest words, and whoever appends to it goes on there", () => {
  const writer = openSync(path, "a");
  appendFileSync(writer, "x".repeat(MIB));
  cutOwnText(path);
  expect(statSync(path).size).toBe(MIB);
  appendFileSync(writer, "the end\n");
  cutOwnText(path);
  const kept = 64 * 1024;
  appendFileSync(writer, "and on");
  closeSync(writer);
  const [notice, ...words] = readFileSync(path, "utf8").split("\n");
  expect(notice).toBe(`(cut: ${MIB + "the end\n".length - kept} bytes before this are gone)`);
  expect(words[0]).toHaveLength(kept - 1);
  expect(words[0]?.endsWith("xthe end")).toBe(true);
  expect(words.slice(1)).toEqual(["and on"]);
});

test.each([
  ["a link", symlinkSync],
  ["another name of the same file", linkSync],
])("nothing is cut over %s", (_, make) => {
  const other = join(dir, "other");
  writeFileSync(other, "x".repeat(2 * MIB));
  make(other, path);
  cutOwnText(path);
  expect(statSync(other).size).toBe(2 * MIB);
});

test.runIf(uid === 0)("what another account wrote is not cut, nor is a pipe waited for", () => {
  writeFileSync(path, "x".repeat(2 * MIB));
  chownSync(path, OTHER, OTHER);
  cutOwnText(path);
  expect(statSync(path).size).toBe(2 * MIB);
  execFileSync("/usr/bin/mkfifo", [join(dir, "pipe")]);
  cutOwnText(join(dir, "pipe"));
  cutOwnText(join(dir, "none"));
});

async function listenAt(place: string): Promise<void> {
  const made = createServer((peer) => peer.on("error", () => undefined).end("hello"));
  server = made;
  made.listen(place);
  await once(made, "listening");
}

test("a socket of the account is reached, also by a path that no address can hold", async () => {
  await listenAt(path);
  const deep = join(dir, "d".repeat(60), "d".repeat(60));
  mkdirSync(deep, { recursive: true });
  execFileSync("/usr/bin/mv", [path, join(deep, "it")]);
  const [heard] = await once(reachSocket(join(deep, "it"), uid), "data");
  expect(String(heard)).toBe("hello");
});

test("a socket that is another's, or only linked to, is not reached", async () => {
  const other = join(dir, "other");
  await listenAt(other);
  symlinkSync(other, path);
  expect(() => reachSocket(path, uid)).toThrow("it is no socket");
  expect(() => reachSocket(other, uid + 1)).toThrow(`it is of the account ${uid}`);
  expect(() => reachSocket(join(dir, "none"), uid)).toThrow("ENOENT");
  writeFileSync(join(dir, "file"), "");
  expect(() => reachSocket(join(dir, "file"), uid)).toThrow("it is no socket");
});
