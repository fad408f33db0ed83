// What a guest's unit may do: its account, its own files, its own devices, nothing beside.
import { expect, test } from "vitest";
import type { Backing } from "./arguments.js";
import { guestPlace } from "./place.js";
import { devicesOf, renderUnit, unitProperties } from "./sandbox.js";

const NEEDS = {
  place: guestPlace("/g", "ins-1"),
  user: { name: "guest", uid: 7, gid: 8 },
  devices: ["/dev/kvm"],
  volumes: ["/v/vol-1.qcow2"],
};

test("a guest with an account runs under it, and finds its own folder and volumes only", () => {
  const properties = unitProperties(NEEDS);
  for (const property of [
    ...["User=guest", "Group=8", "DevicePolicy=closed", "DeviceAllow=/dev/kvm rw"],
    ...["ProtectSystem=strict", "TemporaryFileSystem=/g:ro", "TemporaryFileSystem=/v:ro"],
    ...["BindPaths=/g/ins-1", "BindPaths=/v/vol-1.qcow2"],
  ]) {
    expect(properties).toContain(property);
  }
  const writable = properties.filter((p) => p.startsWith("ReadWritePaths"));
  expect(writable).toEqual([]);
});

test("without an account none is named", () => {
  const properties = unitProperties({ ...NEEDS, user: undefined });
  expect(properties.filter((p) => /^(User|Group)=/.test(p))).toEqual([]);
});

test("a path that a unit would read as several is refused", () => {
  const odd = { ...NEEDS, volumes: ["/v/vol 1.qcow2"] };
  expect(() => unitProperties(odd)).toThrow(/must be absolute/);
});

test("the unit file says what systemd-run is told", () => {
  const lines = renderUnit(NEEDS, "/bin/qemu").split("\n");
  expect(lines).toContain("ExecStart=/bin/qemu");
  for (const property of unitProperties(NEEDS)) expect(lines).toContain(property);
});

function devices(accelerator: "kvm" | "tcg", backings: readonly Backing[], taps = 0): string[] {
  const vpcTaps = Array.from({ length: taps }, () => ({ tap: "t0", mac: "02:00:00:00:00:01" }));
  const map = new Map(backings.map((backing, at) => [`0000:0${at}:00.0`, backing]));
  return devicesOf({ accelerator, vpcTaps, backings: map });
}

test("a guest opens the device nodes of what it was given, and no others", () => {
  const vfio = (group: string): Backing => ({ kind: "vfio", group });
  expect(devices("tcg", [])).toEqual([]);
  expect(devices("kvm", [], 1)).toEqual(["/dev/kvm", "/dev/net/tun"]);
  const groups = [vfio("/dev/vfio/3"), vfio("/dev/vfio/3"), vfio("/dev/vfio/4")];
  const nodes = ["/dev/vfio/vfio", "/dev/vfio/3", "/dev/vfio/4"];
  expect(devices("kvm", groups)).toEqual(["/dev/kvm", ...nodes]);
  const tap = { kind: "tap", tap: "t1", mac: "02:00:00:00:00:02", mtu: 9000 } as const;
  expect(devices("tcg", [tap])).toEqual(["/dev/net/tun"]);
});
