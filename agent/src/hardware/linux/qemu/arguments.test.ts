// The arguments of one guest against a golden file, and their inverse.
import { expect, test } from "vitest";
import type { DesiredInstance, GuestSpec, Layout } from "../../../model.js";
import { type GuestMachine, qemuArguments, readDefinition } from "./arguments.js";
import { guestPlace } from "./place.js";

const LAYOUT: Layout = {
  expanders: [{ numa: -1, guestNuma: -1, bus: 0x10, lastBus: 0x15 }],
  ports: [],
  gpus: [{ deviceId: "gpu-0", guestAddress: "0000:13:00.0" }],
  attachments: [
    { position: 0, nic: "nic-0", vf: 0, guestAddress: "0000:14:00.0" },
    { position: 1, nic: "nic-0", vf: 1, guestAddress: "0000:15:00.0" },
  ],
  nvSwitches: [],
  mmioBytes: 0,
};
const FUNCTIONS = [
  { guestAddress: "0000:13:00.0", hostAddress: "fa00:00:04.0" },
  { guestAddress: "0000:14:00.0", hostAddress: "fa01:00:00.0" },
  { guestAddress: "0000:15:00.0", hostAddress: "0000:3b:00.2" },
];

function machine(change: Partial<GuestSpec> = {}): GuestMachine {
  const own = { instanceId: "ins-1", name: "one", bootCount: 1, vcpu: 2, memoryMib: 1024 };
  return {
    spec: {
      ...own,
      functions: FUNCTIONS,
      addresses: {},
      desired: own as DesiredInstance,
      layout: LAYOUT,
      ...change,
    },
    place: guestPlace("/g", "ins-1"),
    accelerator: "tcg",
    disks: [
      { path: "/v/a,b.qcow2", format: "qcow2", readOnly: false },
      { path: "/g/ins-1/seed.iso", format: "raw", readOnly: true },
    ],
    vpcTaps: [{ tap: "ryv0", mac: "02:00:00:00:ff:01" }],
    backings: new Map([
      ["fa00:00:04.0", { kind: "stand-in" }],
      ["fa01:00:00.0", { kind: "tap", tap: "ry0v0", mac: "02:00:00:00:00:01", mtu: 9000 }],
      ["0000:3b:00.2", { kind: "vfio", group: "/dev/vfio/12" }],
    ]),
    layoutArguments: ({ functions }) =>
      functions.flatMap((fn) => [
        "-device",
        `vfio-pci,id=fnbus15,bus=bus15,host=${fn.hostAddress}`,
      ]),
  };
}

test("the arguments of a guest stand as they always stood", async () => {
  const lines = `${qemuArguments(machine()).join(" ").replaceAll(" -", "\n-")}\n`;
  await expect(lines).toMatchFileSnapshot("arguments.golden.txt");
});

test("what was asked for is read back from the arguments, wherever a function comes from", () => {
  const read = readDefinition(qemuArguments(machine()));
  expect(read).toMatchObject({ vcpu: 2, memoryMib: 1024 });
  const plain = ({ guestAddress, hostAddress }: (typeof FUNCTIONS)[number]) =>
    `${guestAddress} ${hostAddress}`;
  expect(read.functions.map(plain).sort()).toEqual(FUNCTIONS.map(plain).sort());
});

test("a guest listens on unix sockets only, in a sandbox", () => {
  const args = qemuArguments(machine());
  expect(args.filter((arg) => /tcp|telnet|vnc|[0-9]:[0-9]{4,5}\b/.test(arg))).toEqual([]);
  expect(args).toContain("-nodefaults");
  expect(args[args.indexOf("-sandbox") + 1]).toMatch(/^on,.*spawn=deny/);
});

test("functions without a layout, or of unknown make, are a mistake of ours", () => {
  const { layout: _, ...rest } = machine().spec;
  expect(() => qemuArguments({ ...machine(), spec: rest })).toThrow("no layout");
  expect(() => qemuArguments({ ...machine(), backings: new Map() })).toThrow("nothing is known");
});
