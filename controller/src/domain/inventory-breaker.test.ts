// When nodes that turn out unfit together are too many to be believed.
import { expect, test } from "vitest";
import { BREAKER_WINDOW_MS, isFit, isMassUnfit, turnouts } from "./inventory-breaker.js";
import type { Node } from "./node.js";

const NOW = 1_000_000;
const PAIR = { rail: 0, gpu: "gpu-0", nic: "nic-0", healthy: true };
const fit = { inventory: {}, mismatches: [], pairs: [PAIR] } as unknown as Partial<Node>;
const unfit = { ...fit, pairs: [{ ...PAIR, healthy: false }] };
const withheld = { since: 0, serial: "S", inventory: {} } as unknown as NonNullable<
  Node["withheld"]
>;

function nodes(count: number, over: Partial<Node>): Node[] {
  return Array.from({ length: count }, (_, k) => {
    const id = `node-${JSON.stringify(over).length}-${k}`;
    return { ...fit, id, physicalClusterId: "pc-a", retired: false, ...over } as unknown as Node;
  });
}

function isMass(all: readonly Node[]): boolean {
  const standing = all.map((node) => {
    return { ...node, isFit: isFit(node), isWithheld: node.withheld !== undefined };
  });
  return isMassUnfit(turnouts(standing, NOW).get("pc-a" as never) ?? { fit: 0, turned: new Set() });
}

const turned = (count: number, unfitSince = NOW - 1) => nodes(count, { ...unfit, unfitSince });

test("a machine is fit with a usable pair and nothing that spoils the whole of it", () => {
  const mismatch = { kind: "memory", expected: "2", seen: "1" } as const;
  const [plain] = nodes(1, {});
  expect(isFit(plain!)).toBe(true);
  expect(isFit({ ...plain!, mismatches: [{ ...mismatch, rail: undefined }] })).toBe(false);
  expect(isFit({ ...plain!, mismatches: [{ ...mismatch, rail: 3 }] })).toBe(true);
  expect(isFit({ ...plain!, inventory: undefined })).toBe(false);
  expect(isFit(nodes(1, unfit)[0]!)).toBe(false);
});

test("three may always turn out unfit, a fourth only in a cluster that is large", () => {
  expect(isMass(turned(3))).toBe(false);
  expect(isMass([...nodes(35, {}), ...turned(4)])).toBe(true);
  expect(isMass([...nodes(36, {}), ...turned(4)])).toBe(false);
  expect(isMass([...nodes(36, {}), ...turned(5)])).toBe(true);
});

test("who turned out unfit before the window no longer counts, whoever is held back does", () => {
  const long = turned(20, NOW - BREAKER_WINDOW_MS);
  expect(isMass(long)).toBe(false);
  expect(isMass([...long, ...turned(3)])).toBe(false);
  const held = { withheld: { ...withheld, since: NOW - 10 * BREAKER_WINDOW_MS } };
  expect(isMass([...long, ...nodes(3, held)])).toBe(false);
  expect(isMass([...long, ...nodes(3, held), ...turned(1)])).toBe(true);
  expect(isMass(turned(4, NOW + BREAKER_WINDOW_MS))).toBe(false);
});

test("each cluster has a breaker of its own, and retired nodes have none", () => {
  const elsewhere = nodes(9, { ...unfit, unfitSince: NOW, physicalClusterId: "pc-b" as never });
  expect(isMass([...turned(3), ...elsewhere])).toBe(false);
  expect(isMass(nodes(9, { ...unfit, unfitSince: NOW, retired: true }))).toBe(false);
});
