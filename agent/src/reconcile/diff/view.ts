// One look at a machine beside what it should be: lookups by device, traces of use, who holds and
// who wants what. Pure; it decides nothing, so that diff and reports judge by the same words.
import type { ObservedVf } from "../../model/observed-vf.js";
import type {
  Desired,
  DesiredAttachment,
  DesiredInstance,
  DeviceId,
  DeviceTrace,
  GuestFunction,
  GuestSpec,
  Inventory,
  Isolation,
  Layout,
  LayoutResult,
  Observed,
  ObservedDevice,
  ObservedGuest,
} from "../../model.js";
import { splitGroup } from "./groups.js";
import { partitionObstacle } from "./partitions.js";

/** A VF's MAC until one was set. */
export const MAC_NONE = "00:00:00:00:00:00";
/** The driver that hands a function to a guest. */
export const VFIO = "vfio-pci";

/** A guest to be, with the place of every function of it. */
export type LaidOutSpec = GuestSpec & { readonly layout: Layout };

export interface Situation {
  /** Undefined until one was ever accepted: then nothing is wanted, and nothing may be removed. */
  readonly desired: Desired | undefined;
  readonly observed: Observed;
  readonly inventory: Inventory;
  /** By instance id; one for every desired instance. */
  readonly layouts: ReadonlyMap<string, LayoutResult>;
  /** How guests ended by themselves, in words, until they run again; by instance id. */
  readonly ends?: ReadonlyMap<string, string>;
}

/** Names a whole device, or one VF of it, in maps, step keys and logs. */
export function deviceKey(deviceId: DeviceId, vf?: number): string {
  return vf === undefined ? deviceId : `${deviceId} ${vf}`;
}

export function traceKey(trace: DeviceTrace): string {
  return deviceKey(trace.deviceId, trace.vf);
}

export class View {
  readonly instances: readonly DesiredInstance[];
  readonly observed: Observed;
  private readonly vfs: ReadonlyMap<string, ObservedVf>;
  private readonly wholes: ReadonlyMap<string, ObservedDevice>;
  private readonly byAddress = new Map<string, DeviceTrace>();
  private readonly onVfio = new Set<string>();
  private readonly holders = new Map<string, string>();
  private readonly wanters = new Map<string, string>();
  private readonly attachments = new Map<string, DesiredAttachment>();
  private readonly joined: ReadonlySet<string>;

  constructor(private readonly situation: Situation) {
    this.observed = situation.observed;
    this.instances = situation.desired?.instances ?? [];
    const { vfs, gpus, nvSwitches, partitions, guests } = this.observed;
    this.joined = new Set(partitions.flatMap((p) => (p.active ? p.gpus : [])));
    const wholes = [...gpus, ...nvSwitches];
    this.vfs = new Map(vfs.map((v) => [deviceKey(v.nic, v.vf), v]));
    this.wholes = new Map(wholes.map((d) => [d.deviceId, d]));
    for (const v of vfs) this.byAddress.set(v.pciAddress, { deviceId: v.nic, vf: v.vf });
    for (const d of wholes) this.byAddress.set(d.pciAddress, { deviceId: d.deviceId });
    for (const { driver, pciAddress } of [...vfs, ...wholes]) {
      if (driver === VFIO) this.onVfio.add(pciAddress);
    }
    for (const guest of guests) {
      for (const f of guest.functions) this.holders.set(f.hostAddress, guest.instanceId);
    }
    for (const instance of this.instances) {
      const { instanceId, attachments } = instance;
      for (const id of this.wholesOf(instance)) this.wanters.set(id, instanceId);
      for (const attachment of attachments) {
        const key = deviceKey(attachment.nic, attachment.vf);
        this.wanters.set(key, instanceId);
        this.attachments.set(key, attachment);
      }
    }
  }

  vf(nic: DeviceId, vf: number): ObservedVf | undefined {
    return this.vfs.get(deviceKey(nic, vf));
  }

  /** A GPU or NVSwitch. */
  whole(deviceId: DeviceId): ObservedDevice | undefined {
    return this.wholes.get(deviceId);
  }

  /** The GPUs that the instance is to have, and the NVSwitches that go with them. */
  wholesOf(instance: DesiredInstance): readonly DeviceId[] {
    const result = this.situation.layouts.get(instance.instanceId);
    const nvSwitches = result?.ok ? result.layout.nvSwitches : [];
    return [...instance.gpus, ...nvSwitches.map(({ deviceId }) => deviceId)];
  }

  /** Whether a Fabric Manager on the host divides the NVSwitches. */
  get dividesNvSwitches(): boolean {
    return this.situation.inventory.fabricManager;
  }

  /** Whether the instance has a share of GPUs that NVSwitches join. */
  needsPartition({ instanceId, gpus }: DesiredInstance): boolean {
    if (gpus.length === 0 || this.situation.inventory.nvSwitches.length === 0) return false;
    const result = this.situation.layouts.get(instanceId);
    return result?.ok === true && result.layout.nvSwitches.length === 0;
  }

  /** Whether the GPU is in a partition that is active. */
  isJoined(deviceId: DeviceId): boolean {
    return this.joined.has(deviceId);
  }

  /** Whether a guest has the GPU or NVSwitch. */
  isHeld(deviceId: DeviceId): boolean {
    const device = this.whole(deviceId);
    return device !== undefined && this.holderOf(device) !== undefined;
  }

  /** The device behind a host PCI address; undefined when it is none of ours. */
  deviceAt(hostAddress: string): DeviceTrace | undefined {
    return this.byAddress.get(hostAddress);
  }

  /** Instance id of the guest that has the function; undefined when none has. */
  holderOf(device: ObservedVf | ObservedDevice): string | undefined {
    return this.holders.get(device.pciAddress);
  }

  /** Whether a function that the guest was given is not, or no longer, on vfio-pci. */
  hasLost(guest: ObservedGuest): boolean {
    return guest.functions.some((f) => !this.onVfio.has(f.hostAddress));
  }

  /** Whether a guest of another instance still has the device. */
  isHeldByOther(trace: DeviceTrace, instanceId: string): boolean {
    const { deviceId, vf } = trace;
    const device = vf === undefined ? this.whole(deviceId) : this.vf(deviceId, vf);
    const holder = device && this.holderOf(device);
    return holder !== undefined && holder !== instanceId;
  }

  /** The attachment that is to have the VF. */
  attachmentOf({ nic, vf }: ObservedVf): DesiredAttachment | undefined {
    return this.attachments.get(deviceKey(nic, vf));
  }

  /** Instance id of the desired instance that is to have the device. */
  wanterOf(trace: DeviceTrace): string | undefined {
    return this.wanters.get(traceKey(trace));
  }

  /** Whether a NIC's VFs could not be read, or the guests could not when no NIC is given. */
  unread(deviceId: DeviceId | ""): boolean {
    return this.observed.problems.some((p) => p.deviceId === deviceId);
  }

  /** VFs with any sign of use. */
  usedVfs(): readonly ObservedVf[] {
    return this.observed.vfs.filter(
      (v) => v.driver === VFIO || isConfigured(v) || this.holderOf(v) !== undefined,
    );
  }

  /** GPUs and NVSwitches with any sign of use; one in an active partition carries its network. */
  usedWholes(): readonly ObservedDevice[] {
    const isUsed = ({ driver, deviceId }: ObservedDevice) =>
      driver === VFIO || this.isJoined(deviceId) || this.isHeld(deviceId);
    return [...this.wholes.values()].filter(isUsed);
  }

  /** Every device with any sign of use. */
  traces(): readonly { readonly trace: DeviceTrace; readonly holder: string | undefined }[] {
    return [
      ...this.usedVfs().map((v) => ({
        trace: { deviceId: v.nic, vf: v.vf },
        holder: this.holderOf(v),
      })),
      ...this.usedWholes().map((d) => ({
        trace: { deviceId: d.deviceId },
        holder: this.holderOf(d),
      })),
    ];
  }

  /** Why an instance cannot be brought further by steps; undefined when it can. */
  obstacle(instance: DesiredInstance): string | undefined {
    const result = this.situation.layouts.get(instance.instanceId);
    if (!result?.ok) return result?.problem.message ?? "the instance has no layout";
    const foreign = instance.attachments.find((a) => !canIsolate(this.vf(a.nic, a.vf), a));
    if (foreign) return `isolation by ${foreign.isolation.kind} cannot be read back here`;
    const unread = instance.attachments.find((a) => this.unread(a.nic));
    if (unread) return `${unread.nic} could not be read`;
    const absent = instance.attachments.find((a) => !this.vf(a.nic, a.vf));
    if (absent) return `${deviceKey(absent.nic, absent.vf)} does not exist yet`;
    const gone = this.wholesOf(instance).find((id) => !this.whole(id));
    if (gone !== undefined) return `${gone} could not be read`;
    return splitGroup(this, instance) ?? partitionObstacle(this, instance);
  }

  /** What the guest is to be started from; undefined while a device of it is not there. */
  specOf(instance: DesiredInstance): LaidOutSpec | undefined {
    const result = this.situation.layouts.get(instance.instanceId);
    if (!result?.ok) return undefined;
    const functions: GuestFunction[] = [];
    const { layout } = result;
    for (const { deviceId, guestAddress } of [...layout.gpus, ...layout.nvSwitches]) {
      const device = this.whole(deviceId);
      if (!device) return undefined;
      functions.push({ guestAddress, hostAddress: device.pciAddress });
    }
    for (const { nic, vf, guestAddress } of layout.attachments) {
      const found = this.vf(nic, vf);
      if (!found) return undefined;
      functions.push({ guestAddress, hostAddress: found.pciAddress });
    }
    const { instanceId, name, bootCount, vcpu, memoryMib } = instance;
    return {
      instanceId,
      name,
      bootCount,
      vcpu,
      memoryMib,
      functions: functions.sort(byGuestAddress),
      addresses: Object.fromEntries(instance.attachments.map((a) => [a.mac, a.address])),
      desired: instance,
      layout,
    };
  }
}

/** Whether a VF reads as its attachment wants it. */
export function isAsDesired(vf: ObservedVf, wanted: DesiredAttachment): boolean {
  return differences(vf, wanted).length === 0;
}

/** Names of the settings that do not read as the attachment wants them. */
export function differences(vf: ObservedVf, wanted: DesiredAttachment): readonly string[] {
  const { kind, id } = wanted.isolation;
  const same: readonly (readonly [string, boolean])[] = [
    ["mac", vf.mac === wanted.mac],
    [kind, canIsolate(vf, wanted) && isolationOf(vf).id === id],
    ["rate", vf.rateMbps === wanted.rateMbps],
    ["spoof-check", vf.spoofCheck === wanted.spoofCheck],
  ];
  return [...same.flatMap(([name, is]) => (is ? [] : [name])), ...(vf.astray ?? [])];
}

/** Whether a VF carries settings of some instance. */
export function isConfigured(vf: ObservedVf): boolean {
  return vf.mac !== MAC_NONE || isolationOf(vf).id !== 0;
}

/** What separates the VF's network, as the VF tells it: id 0 when nothing does yet. */
export function isolationOf({ vlan, vni, pkey }: ObservedVf): Isolation {
  if (pkey !== undefined) return { kind: "pkey", id: pkey };
  return vni === undefined ? { kind: "vlan", id: vlan } : { kind: "vni", id: vni };
}

/**
 * Whether a VF can carry the membership and tell of it: a VLAN, a VNI where the node itself
 * encapsulates, a partition on InfiniBand. One that is not there yet may turn out to be able to.
 */
function canIsolate(vf: ObservedVf | undefined, { isolation }: DesiredAttachment): boolean {
  if (!vf) return isolation.kind !== "vni";
  return isolation.kind === isolationOf(vf).kind;
}

/** Guest addresses have fixed width, so text order is bus order. */
function byGuestAddress(a: GuestFunction, b: GuestFunction): number {
  return a.guestAddress < b.guestAddress ? -1 : a.guestAddress > b.guestAddress ? 1 : 0;
}
