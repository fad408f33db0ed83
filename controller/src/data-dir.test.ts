// Tests of the data directory: what is made once, kept, and kept from others.
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRng } from "@railyard/lib/rng";
import { expect, test } from "vitest";
import { DataDir } from "./data-dir.js";

const path = join(mkdtempSync(join(tmpdir(), "railyard-data-")), "a", "b");
const open = () => new DataDir(path, systemRng());

test("secrets are made at the first start and are the same at the next", () => {
  const [first, second] = [open(), open()];
  expect(second.signer.publicKey).toBe(first.signer.publicKey);
  expect(second.identity).toEqual(first.identity);
  expect(second.keyFor("pages")).toEqual(first.keyFor("pages"));
  expect(first.keyFor("pages")).not.toEqual(first.keyFor("answers"));
  expect(first.keyFor("pages")).toHaveLength(32);
});

test("only its owner may enter the directory or read a file in it", () => {
  const dir = open();
  dir.operatorToken.write("ry_x");
  expect(statSync(path).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(path)) {
    expect([name, statSync(join(path, name)).mode & 0o777]).toEqual([name, 0o600]);
  }
  expect(dir.operatorToken.read()).toBe("ry_x");
  expect(readFileSync(join(path, "operator.token"), "utf8")).toBe("ry_x\n");
});

test("endpoints are there while the controller listens", () => {
  const dir = open();
  dir.writeEndpoints({ tenant: "127.0.0.1:1", admin: "127.0.0.1:2" });
  const file = join(path, "endpoints.json");
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    tenant: "127.0.0.1:1",
    admin: "127.0.0.1:2",
  });
  dir.removeEndpoints();
  dir.removeEndpoints();
  expect(existsSync(file)).toBe(false);
});

test("a thing is the first of its name once in the life of the directory", () => {
  expect([open().first("x"), open().first("x"), open().first("y")]).toEqual([true, false, true]);
});
