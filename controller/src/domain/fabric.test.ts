// Tests of who is to be in which partition, and of what the ports' tables mean.
import { guidOf } from "@railyard/lib/guid";
import { expect, test } from "vitest";
import { areIsolated, desiredPartitions, portMemberships } from "./fabric.js";

const port = (n: number, pkey: number, phase: "present" | "leaving" = "present") => ({
  mac: `02:00:00:00:00:0${n}`,
  pkey,
  phase,
});
const [a, b, c] = [port(1, 0x102), port(2, 0x101), port(3, 0x101)];
const seen = (pkey: number, ...ports: (typeof a)[]) => {
  return { pkey, members: ports.map(guidOf), others: [] };
};

test("everything present is a member of its network's partition, in an order of its own", () => {
  const wanted = [
    { pkey: 0x101, members: [guidOf(b), guidOf(c)] },
    { pkey: 0x102, members: [guidOf(a)] },
  ];
  expect(desiredPartitions([a, c, b])).toEqual(wanted);
  expect(desiredPartitions([b, a, c, port(4, 0x103, "leaving")])).toEqual(wanted);
});

test("ports are isolated once each is in its own partition and nowhere else", () => {
  const all = [a, b, c];
  expect(areIsolated([a], portMemberships([seen(0x102, a)], all))).toBe(true);
  expect(areIsolated([a, b], portMemberships([seen(0x102, a)], all))).toBe(false);
  const twice = portMemberships([seen(0x101, b), seen(0x102, a, b)], all);
  expect(areIsolated([b], twice)).toBe(false);
});

test("somebody else's port, or an improper member, spoils the partition for all in it", () => {
  const stranger = portMemberships([seen(0x101, b, a)], [a, b, c]);
  expect(areIsolated([b], stranger)).toBe(false);
  const improper = [{ pkey: 0x101, members: [guidOf(b)], others: [guidOf(c)] }];
  expect(areIsolated([b], portMemberships(improper, [b, c]))).toBe(false);
});

test("a neighbour of the same network that is on its way out spoils nothing", () => {
  const leaving = port(3, 0x101, "leaving");
  expect(areIsolated([b], portMemberships([seen(0x101, b, leaving)], [b, leaving]))).toBe(true);
});
