// Shows what is understood of PCIe's own attributes, malformed ones included.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  readAnswers,
  readBars,
  readBoardSerial,
  readLinkMax,
  readLinkNow,
  serialIn,
} from "./pcie.js";

let dir: string;
const attribute = (name: string, text: string | Buffer) => writeFileSync(join(dir, name), text);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "pcie-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("a link is read in GT/s and lanes, and as zeros where the kernel does not know", () => {
  attribute("current_link_speed", "32.0 GT/s PCIe\n");
  attribute("current_link_width", "16\n");
  expect(readLinkNow(dir)).toEqual({ speedGts: 32, width: 16 });
  attribute("current_link_speed", "Unknown\n");
  expect(readLinkNow(dir)).toEqual({ speedGts: 0, width: 16 });
});

test("a link can do what its weaker end can", () => {
  const port = join(dir, "port");
  mkdirSync(port);
  attribute("max_link_speed", "32.0 GT/s PCIe");
  attribute("max_link_width", "16");
  writeFileSync(join(port, "max_link_speed"), "16.0 GT/s PCIe");
  expect(readLinkMax(dir, port)).toEqual({ speedGts: 16, width: 16 });
  expect(readLinkMax(dir, undefined)).toEqual({ speedGts: 32, width: 16 });
});

test("BARs have their size and kind; VFs share theirs", () => {
  const none = "0x0000000000000000 0x0000000000000000 0x0000000000000000";
  const lines = Array.from({ length: 13 }, () => none);
  lines[0] = "0x0000000092000000 0x0000000092ffffff 0x0000000000040200";
  lines[1] = "0x0000200000000000 0x0000201fffffffff 0x000000000014220c";
  lines[3] = "0x0000000000003000 0x000000000000307f 0x0000000000040101";
  lines[7] = "0x0000203000000000 0x00002030007fffff 0x000000000014220c";
  attribute("resource", lines.join("\n"));
  expect(readBars(dir, 8)).toEqual({
    bars: [
      { bytes: 2 ** 24, wide: false, prefetchable: false },
      { bytes: 2 ** 37, wide: true, prefetchable: true },
    ],
    vfBars: [{ bytes: 2 ** 20, wide: true, prefetchable: true }],
  });
  expect(readBars(dir, 0).vfBars).toEqual([]);
  attribute("resource", "nonsense");
  expect(readBars(dir, 8)).toEqual({ bars: [], vfBars: [] });
});

test("only registers that are all ones mean that a device does not answer", () => {
  expect(readAnswers(dir)).toBe(true);
  attribute("config", Buffer.alloc(64, 0xff));
  expect(readAnswers(dir)).toBe(false);
  attribute("config", Buffer.concat([Buffer.alloc(8, 0xff), Buffer.alloc(56)]));
  expect(readAnswers(dir)).toBe(true);
});

const large = (tag: number, data: string) =>
  Buffer.concat([Buffer.from([tag, data.length, 0]), Buffer.from(data)]);
const field = (keyword: string, text: string) => keyword + String.fromCharCode(text.length) + text;

test("the serial is found among the fields of the vital product data", async () => {
  const fields = field("PN", "900-9X766") + field("SN", "MT2301X\u0000 ");
  attribute("vpd", Buffer.concat([large(0x82, "a NIC"), large(0x90, fields), Buffer.from([0x78])]));
  expect(await readBoardSerial(systemClock(), dir, 1000)).toBe("MT2301X");
});

test.each([
  ["nothing", Buffer.alloc(0)],
  ["ones only", Buffer.alloc(64, 0xff)],
  ["a length beyond the end", Buffer.from([0x90, 0xff, 0xff, 0x53, 0x4e, 0xff])],
  ["no serial", large(0x90, field("PN", "x"))],
  ["the end first", Buffer.from([0x78, 0x90, 0, 0])],
])("vital product data with %s have no serial", (_, data) => {
  expect(serialIn(data)).toBe("");
});

test("a function without vital product data has no serial", async () => {
  expect(await readBoardSerial(systemClock(), dir, 1000)).toBe("");
});
