// Proves address arithmetic against plain models.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  cidrContains,
  cidrLast,
  cidrSize,
  cidrsOverlap,
  formatCidr,
  formatIpv4,
  macsTogether,
  newMac,
  parseCidr,
  parseIpv4,
  prefixForCount,
} from "./address.js";
import { systemRng } from "./rng.js";

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const cidr = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([a, prefix]) => {
  const size = 2 ** (32 - prefix);
  return { first: Math.floor(a / size) * size, prefix };
});

test("formatting and parsing an address are inverse", () => {
  fc.assert(fc.property(address, (a) => parseIpv4(formatIpv4(a)) === a));
});

test("formatting and parsing a block are inverse", () => {
  fc.assert(fc.property(cidr, (c) => formatCidr(parseCidr(formatCidr(c)) ?? c) === formatCidr(c)));
});

test("host bits, leading zeros, signs, spaces, short forms and hex are refused", () => {
  for (const text of [
    ...["10.0.0.1/24", "10.0.0/8", "010.0.0.0/8", "0x0a.0.0.0/8", "10.0.0.0/33", ""],
    ...["10.0.0.0/09", "10.0.0.0/008", "0.0.0.0/00", "10.00.0.0/8", "10.0.0.0/+8", "10.0.0.0/-8"],
    ...["10.0.0.0/ 8", " 10.0.0.0/8", "10.0.0.0/8 ", "10.0.0.0 /8", "10.0.0.0/8\n", "10.0.0.0/"],
    ...["10.0.0.0/8/8", "10.0.0.0/8.0", "10.0.0.0/0x8", "10.0.0.0/1e1", "10.0.0.0/٨", "10.0.0.0"],
  ]) {
    expect(parseCidr(text), JSON.stringify(text)).toBeUndefined();
  }
  for (const text of [
    ...["1.2.3", "1.2.3.4.5", "256.0.0.0", "1.2.3.04", "00.2.3.4", "a"],
    ...[
      "+1.2.3.4",
      "1.2.3.-4",
      " 1.2.3.4",
      "1.2.3.4 ",
      "1.2. 3.4",
      "1.2.3.4\n",
      "1.2.3.4.",
      "1..3.4",
    ],
  ]) {
    expect(parseIpv4(text), JSON.stringify(text)).toBeUndefined();
  }
  expect(parseCidr("0.0.0.0/0")).toEqual({ first: 0, prefix: 0 });
  expect(parseCidr("10.0.0.0/30")).toEqual({ first: 0x0a00_0000, prefix: 30 });
});

test("overlap is symmetric and containment implies it", () => {
  fc.assert(
    fc.property(cidr, cidr, (a, b) => {
      expect(cidrsOverlap(a, b)).toBe(cidrsOverlap(b, a));
      if (cidrContains(a, b)) expect(cidrsOverlap(a, b)).toBe(true);
      expect(cidrsOverlap(a, b)).toBe(cidrContains(a, b) || cidrContains(b, a));
    }),
  );
});

test("a block ends where its size says", () => {
  const c = parseCidr("10.0.0.0/9") ?? { first: 0, prefix: 0 };
  expect(cidrSize(c)).toBe(2 ** 23);
  expect(formatIpv4(cidrLast(c))).toBe("10.127.255.255");
  expect(prefixForCount(256)).toBe(24);
});

test("a new MAC is unicast and locally administered", () => {
  const rng = systemRng();
  for (let i = 0; i < 100; i++) {
    const mac = newMac(rng);
    expect(mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    expect(Number.parseInt(mac.slice(0, 2), 16) & 3).toBe(2);
  }
});

test("MACs of what is made together are as unicast, different, and begin alike", () => {
  const draw = macsTogether(systemRng());
  const macs = Array.from({ length: 100 }, draw);
  expect(new Set(macs.map((mac) => mac.slice(0, 8))).size).toBe(1);
  expect(new Set(macs).size).toBeGreaterThan(90);
  for (const mac of macs) expect(mac).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
});
