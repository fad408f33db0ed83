// Puts rails without SR-IOV beside a machine's own devices, behind the same contract: their VFs are
// made, set, read back, given and taken like real ones. For labs; a real site has no use for it.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { refuse } from "@railyard/lib/errors";
import type { GuestSpec } from "../../../model.js";
import type { Hardware, MachineFacts, PciFunction } from "../../hardware.js";
import { readNames, readText } from "../attributes.js";
import type { Outside } from "../outside.js";
import type { Backing } from "../qemu/arguments.js";
import { nicAddress, softDeviceAt, softFunction, tapName, vfAddress } from "./names.js";
import { Rail } from "./rail.js";

export interface OverlayOptions {
  /** Stands for the machine's own serial. */
  readonly serial: string;
  /** VFs that each rail can have. */
  readonly vfs: number;
  readonly rails: readonly {
    readonly uplink: string;
    readonly leaf: string;
    readonly speedGbps: number;
  }[];
}

/** The rails of one machine. */
export interface OverlayRails {
  readonly options: OverlayOptions;
  readonly rails: readonly Rail[];
  /** TAPs for VFs, stand-ins for GPUs. Throws `unavailable` for what is not handed over. */
  backings(spec: GuestSpec): Promise<ReadonlyMap<string, Backing>>;
  isGpuGiven(rail: number): boolean;
  setGpuGiven(rail: number, given: boolean): void;
  /** The user id that may open the TAPs. */
  readonly uid: number | undefined;
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** Throws `invalid` for an uplink that is no interface name. */
export function overlayRails(
  outside: Outside,
  options: OverlayOptions,
  place: { readonly dataDir: string; readonly uid?: number },
): OverlayRails {
  const rails = options.rails.map(
    ({ uplink }, rail) => new Rail(outside, { rail, uplink, vfsMax: options.vfs }),
  );
  // A stand-in exists in guests only. That one was given is forgotten at boot, as a binding is.
  const boot = readText(join(outside.root, BOOT_ID)) ?? "";
  const marks = join(place.dataDir, "overlay", boot);
  const isGpuGiven = (rail: number) => readNames(marks).includes(`gpu-${rail}`);
  return {
    options,
    rails,
    isGpuGiven,
    setGpuGiven(rail, given) {
      mkdirSync(marks, { recursive: true });
      const mark = join(marks, `gpu-${rail}`);
      if (given) writeFileSync(mark, "");
      else rmSync(mark, { force: true });
    },
    backings: (spec) => backingsOf(spec, rails, isGpuGiven),
    uid: place.uid,
  };
}

/** The machine below with the rails beside its own devices. */
export function withOverlay(machine: Hardware, overlay: OverlayRails): Hardware {
  const { rails } = overlay;
  const named = (name: string) => rails[overlay.options.rails.findIndex((r) => r.uplink === name)];
  const give = async (address: string, given: boolean): Promise<boolean> => {
    const device = softDeviceAt(address);
    if (device === undefined) return false;
    const rail = rails[device.rail];
    if (rail === undefined) throw refuse("unavailable", `pci function ${address} is gone`);
    if (device.kind === "gpu") overlay.setGpuGiven(device.rail, given);
    if (device.kind === "vf") await rail.setGiven(device.vf, given);
    return true;
  };
  return {
    ...machine,
    async readFacts() {
      return addRails(await machine.readFacts(), overlay);
    },
    setVfCount(address, count) {
      const rail = rails[softDeviceAt(address)?.rail ?? -1];
      return rail ? rail.setVfCount(count, overlay.uid) : machine.setVfCount(address, count);
    },
    configureVf(pfName, vf, settings) {
      const rail = named(pfName);
      return rail ? rail.configure(vf, settings) : machine.configureVf(pfName, vf, settings);
    },
    readVfs: (pfName) => named(pfName)?.read() ?? machine.readVfs(pfName),
    async bindVfio(address) {
      if (!(await give(address, true))) await machine.bindVfio(address);
    },
    async unbindVfio(address) {
      if (!(await give(address, false))) await machine.unbindVfio(address);
    },
  };
}

function addRails(facts: MachineFacts, overlay: OverlayRails): MachineFacts {
  const { serial, vfs: vfsMax } = overlay.options;
  const driver = (given: boolean) => (given ? "vfio-pci" : "");
  const functions = overlay.rails.flatMap((rail, index): PciFunction[] => {
    const vfs = rail.vfs();
    const none = { vfsMax: 0, vfs: [] };
    const whole = { rail: index, vf: -1 };
    return [
      softFunction(
        { ...whole, kind: "gpu" },
        { ...none, driver: driver(overlay.isGpuGiven(index)) },
      ),
      softFunction(
        { ...whole, kind: "nic" },
        { driver: "", vfsMax, vfs: vfs.map((vf) => vfAddress(index, vf)) },
      ),
      ...vfs.map((vf) =>
        softFunction(
          { kind: "vf", rail: index, vf },
          { ...none, driver: driver(rail.isGiven(vf)) },
        ),
      ),
    ];
  });
  const interfaces = overlay.options.rails.flatMap(({ leaf, speedGbps }, index) => {
    const rail = overlay.rails[index];
    return rail ? [rail.asInterface(leaf, speedGbps, nicAddress(index))] : [];
  });
  return {
    ...facts,
    serial,
    functions: [...facts.functions, ...functions],
    interfaces: [...facts.interfaces, ...interfaces],
  };
}

async function backingsOf(
  { functions, desired }: GuestSpec,
  rails: readonly Rail[],
  isGpuGiven: (rail: number) => boolean,
): Promise<ReadonlyMap<string, Backing>> {
  const found = new Map<string, Backing>();
  for (const { hostAddress } of functions) {
    const device = softDeviceAt(hostAddress);
    const rail = rails[device?.rail ?? -1];
    if (!device || !rail) throw notGiven(hostAddress);
    if (device.kind === "gpu" && isGpuGiven(device.rail)) {
      found.set(hostAddress, { kind: "stand-in" });
      continue;
    }
    const reading = (await rail.read()).find((r) => r.vf === device.vf);
    if (!reading || !rail.isGiven(device.vf)) throw notGiven(hostAddress);
    const { mac } = reading;
    const mtu = desired.attachments.find((a) => a.mac === mac)?.mtu ?? rail.mtu();
    if (mtu > rail.mtu()) {
      throw refuse("unavailable", `rail ${device.rail} carries ${rail.mtu()} bytes, not ${mtu}`);
    }
    found.set(hostAddress, { kind: "tap", tap: tapName(device.rail, device.vf), mac, mtu });
  }
  return found;
}

function notGiven(address: string) {
  return refuse("unavailable", `pci function ${address} cannot be given to a guest`);
}
