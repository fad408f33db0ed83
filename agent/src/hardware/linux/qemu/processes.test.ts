// How a guest becomes a unit of its own where systemd runs.
import { expect, test } from "vitest";
import { guestPlace } from "./place.js";
import { QEMU, unitArguments } from "./processes.js";

const PLACE = guestPlace("/g", "ins-1");

test("a guest is a unit of its own, named after the instance, that goes when it ends", () => {
  const args = unitArguments(PLACE, ["-machine", "q35"], undefined);
  expect(args.slice(0, 4)).toEqual(["--quiet", "--collect", "--unit", "railyard-guest-ins-1"]);
  expect(args.slice(-4)).toEqual(["--", QEMU, "-machine", "q35"]);
  expect(args.some((arg) => arg.startsWith("User="))).toBe(false);
});

test("a guest with an account runs under it, and may write to its own directory", () => {
  const args = unitArguments(PLACE, [], { name: "guest", uid: 7, gid: 8 });
  for (const property of ["User=guest", "Group=8", "NoNewPrivileges=yes", "ReadWritePaths=/g"]) {
    expect(args[args.indexOf(property) - 1]).toBe("--property");
  }
});
