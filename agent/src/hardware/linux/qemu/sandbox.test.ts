// What a guest's unit may do: its account, its own files, its own devices, nothing beside.
import { expect, test } from "vitest";
import type { Backing } from "./arguments.js";
import { guestPlace } from "./place.js";
import { devicesOf, type GuestNeeds, renderUnit, unitProperties } from "./sandbox.js";

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
    ...["BindPaths=/g/ins-1/box", "BindPaths=/v/vol-1.qcow2"],
    "BindReadOnlyPaths=/g/ins-1/seed.iso",
  ]) {
    expect(properties).toContain(property);
  }
  const writable = properties.filter((p) => p.startsWith("ReadWritePaths"));
  expect(writable).toEqual([]);
});

/** The properties of one kind, without its name. */
function values(name: string, change: Partial<GuestNeeds> = {}): readonly string[] {
  return unitProperties({ ...NEEDS, ...change })
    .filter((property) => property.startsWith(`${name}=`))
    .map((property) => property.slice(name.length + 1));
}

test("it runs on the processors that it is bound to", () => {
  expect(values("CPUAffinity")).toEqual([]);
  expect(values("CPUAffinity", { processors: "0-3,8" })).toEqual(["0-3,8"]);
});

test("its words are appended to, so that a file that was cut meanwhile stays short", () => {
  expect(values("StandardError")).toEqual([`append:${NEEDS.place.complaints}`]);
});

test("keys and settings are out of reach, and so is where the machine's daemons listen", () => {
  const user = undefined;
  const hidden = values("InaccessiblePaths", { user });
  expect(hidden).toEqual(expect.arrayContaining(["-/etc/railyard", "-/etc/shadow", "-/etc/ssh"]));
  expect(values("TemporaryFileSystem", { user })).toContain("/run:ro");
});

test("guests of one account cannot look into each other's processes", () => {
  expect(values("InaccessiblePaths")).toContain("-/proc");
  expect(values("SystemCallFilter").at(-1)).toMatch(/^~.*\bprocess_vm_readv process_vm_writev\b/);
});

test("what is private is hidden whole, but for what the guest has of it", () => {
  const place = guestPlace("/d/guests", "ins-1");
  const privatePaths = ["/d", "/d/volumes", "/k/node.json", "/etc/railyard/credentials.json"];
  const needs = {
    place,
    volumes: [],
    privatePaths,
    images: ["/d/images/one.img", "/d/images/one.img"],
  };
  expect(values("TemporaryFileSystem", needs)).toEqual(["/run:ro", "/d:ro"]);
  expect(values("InaccessiblePaths", needs)).toContain("-/k/node.json");
  expect(values("InaccessiblePaths", needs).join()).not.toContain("-/d");
  expect(values("BindPaths", needs)).toEqual(["/d/guests/ins-1/box"]);
  const shown = ["/d/guests/ins-1/seed.iso", "/d/images/one.img"];
  expect(values("BindReadOnlyPaths", needs)).toEqual(shown);
});

test("volumes of others are hidden from a guest without any, and an image elsewhere stays", () => {
  const needs = { volumes: [], privatePaths: ["/v"], images: ["/srv/odd name.img"] };
  expect(values("InaccessiblePaths", needs)).toContain("-/v");
  expect(values("BindReadOnlyPaths", needs)).toEqual(["/g/ins-1/seed.iso"]);
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
