// What to do next, as data: from what should be and what was seen to ordered steps, removals first.
// Pure; it must not know how a step is done. A guest is started only over devices that were seen to
// be ready, so one change takes several observations.
import type { ObservedVf } from "../model/observed-vf.js";
import type { DesiredInstance, DeviceTrace, GuestSpec, ObservedGuest, Step } from "../model.js";
import { activation, deactivations, partitionInTheWay } from "./diff/partitions.js";
import {
  deviceKey,
  isAsDesired,
  isConfigured,
  MAC_NONE,
  type Situation,
  traceKey,
  VFIO,
  View,
} from "./diff/view.js";

/**
 * The next steps, in the order in which they are to be tried. Empty: nothing is left to do, or
 * nothing can be done. Nothing at all is done before a desired state was ever accepted, nor while
 * the guests could not be read.
 */
export function diff(situation: Situation): Step[] {
  const { desired } = situation;
  const view = new View(situation);
  if (!desired || view.unread("")) return [];
  const cleanings = cleanDevices(view);
  const creations = createVfs(situation, view);
  const busy = new Set([...cleanings, ...creations].map((c) => traceKey(c.trace)));
  return [
    ...stopGuests(view),
    ...deactivations(view),
    ...[...cleanings, ...creations].map((c) => c.step),
    ...view.instances.flatMap((instance) => additions(view, instance, busy)),
  ];
}

/** A step on one device. */
interface DeviceStep {
  readonly step: Step;
  readonly trace: DeviceTrace;
}

/** Guests that nobody wants, or that are not built as desired. */
function stopGuests(view: View): Step[] {
  return view.observed.guests.flatMap((guest) => {
    const { instanceId } = guest;
    const instance = view.instances.find((i) => i.instanceId === instanceId);
    if (instance && !mustRebuild(view, instance, guest)) return [];
    return [{ kind: "stop-guest", key: `stop-guest ${instanceId}`, instanceId }];
  });
}

/** While it cannot be told how the guest should look, it is left alone. */
function mustRebuild(view: View, instance: DesiredInstance, guest: ObservedGuest): boolean {
  if (view.obstacle(instance) !== undefined) return false;
  const spec = view.specOf(instance);
  return spec !== undefined && (view.hasLost(guest) || !isBuiltAs(guest, spec));
}

function isBuiltAs(guest: ObservedGuest, spec: GuestSpec): boolean {
  return (
    guest.vcpu === spec.vcpu &&
    guest.memoryMib === spec.memoryMib &&
    sameMembers(functionsOf(guest), functionsOf(spec)) &&
    sameMembers(Object.entries(guest.addresses), Object.entries(spec.addresses))
  );
}

function functionsOf(guest: ObservedGuest | GuestSpec): string[] {
  return guest.functions.map((f) => `${f.guestAddress}=${f.hostAddress}`);
}

function sameMembers(a: readonly unknown[], b: readonly unknown[]): boolean {
  const texts = new Set(a.map(String));
  return a.length === b.length && b.every((member) => texts.has(String(member)));
}

/**
 * Devices in use, in no guest any more and not meant for anybody; the network first. A guest that
 * was told to stop has them until it was seen to be gone.
 */
function cleanDevices(view: View): DeviceStep[] {
  const wholes = view.usedWholes().flatMap((device): DeviceStep[] => {
    const { deviceId } = device;
    const trace = { deviceId };
    if (view.holderOf(device) !== undefined || view.wanterOf(trace) !== undefined) return [];
    // Its reset is for a GPU that is nobody's any more.
    if (device.driver !== VFIO || view.isJoined(deviceId)) return [];
    const key = `unbind-device ${deviceId}`;
    return [{ trace, step: { kind: "unbind-device", key, instanceId: "", deviceId } }];
  });
  return [...view.usedVfs().flatMap((vf) => cleanVf(view, vf)), ...wholes];
}

function cleanVf(view: View, found: ObservedVf): DeviceStep[] {
  if (!isLeftOver(view, found)) return [];
  const { nic, vf } = found;
  const trace = { deviceId: nic, vf };
  const name = deviceKey(nic, vf);
  const key = `unbind-device ${name}`;
  const unbind: Step = { kind: "unbind-device", key, instanceId: "", ...trace };
  const clear: Step = { kind: "clear-vf", key: `clear-vf ${name}`, instanceId: "", nic, vf };
  return [
    ...(found.driver === VFIO ? [{ trace, step: unbind }] : []),
    ...(isConfigured(found) ? [{ trace, step: clear }] : []),
  ];
}

/**
 * A MAC that is neither unset nor the wanted one was somebody else's, and so was a VF that vfio-pci
 * has without a MAC: it was never taken back, so never reset.
 */
function isLeftOver(view: View, found: ObservedVf): boolean {
  if (view.holderOf(found) !== undefined) return false;
  const wanted = view.attachmentOf(found);
  if (!wanted || found.mac === wanted.mac) return !wanted;
  return found.mac !== MAC_NONE || found.driver === VFIO;
}

/**
 * The number of VFs is one per NIC, and a change destroys them all: only while none is in use. A
 * NIC that belongs to no pair serves nobody and is left as it is.
 */
function createVfs({ desired, inventory }: Situation, view: View): DeviceStep[] {
  const count = desired?.vfsPerNic ?? 0;
  const used = new Set(view.usedVfs().map((v) => v.nic));
  const paired = new Set(inventory.pairs.map((p) => p.nic));
  return inventory.nics.flatMap(({ deviceId: nic }): DeviceStep[] => {
    const have = view.observed.vfs.filter((v) => v.nic === nic).length;
    if (have === count || used.has(nic) || view.unread(nic) || !paired.has(nic)) return [];
    const key = `create-vfs ${nic}`;
    const step: Step = { kind: "create-vfs", key, instanceId: "", nic, count };
    return [{ trace: { deviceId: nic }, step }];
  });
}

/** What one instance needs next, leaving alone what is `busy` or another guest still has. */
function additions(view: View, instance: DesiredInstance, busy: ReadonlySet<string>): Step[] {
  const { instanceId } = instance;
  if (view.obstacle(instance) !== undefined) return [];
  const guest = view.observed.guests.find((g) => g.instanceId === instanceId);
  if (guest && mustRebuild(view, instance, guest)) return [];
  const isTaken = (trace: DeviceTrace) =>
    busy.has(trace.deviceId) || busy.has(traceKey(trace)) || view.isHeldByOther(trace, instanceId);
  const steps = prepareDevices(view, instance).filter((s) => !isTaken(s.trace));
  const mine = steps.map((s) => s.step);
  if (guest && (guest.running || guest.bootCount !== instance.bootCount)) {
    return [...mine, ...rebootGuest(instance, guest)];
  }
  const waits = mine.length > 0 || devicesOf(view, instance).some(isTaken);
  if (waits || partitionInTheWay(view, instance)) return mine;
  const join = activation(view, instance);
  if (join) return [join];
  const spec = view.specOf(instance);
  return spec ? [startGuest(spec)] : [];
}

/** Also for a guest that boots or died: starting what is there already changes nothing. */
function startGuest(guest: GuestSpec): Step {
  const { instanceId } = guest;
  return { kind: "start-guest", key: `start-guest ${instanceId}`, instanceId, guest };
}

/** Settings first, then the hand-over: a MAC set after the driver took the VF would stay unseen. */
function prepareDevices(view: View, instance: DesiredInstance) {
  const { instanceId } = instance;
  const bind = (trace: DeviceTrace, driver: string | undefined): DeviceStep[] => {
    if (driver === VFIO) return [];
    const key = `bind-device ${traceKey(trace)}`;
    return [{ trace, step: { kind: "bind-device", key, instanceId, ...trace } }];
  };
  const vfs = instance.attachments.flatMap((attachment): DeviceStep[] => {
    const { nic, vf } = attachment;
    const found = view.vf(nic, vf);
    const trace = { deviceId: nic, vf };
    const key = `configure-vf ${deviceKey(nic, vf)}`;
    const set: Step = { kind: "configure-vf", key, instanceId, attachment };
    const ready = found !== undefined && isAsDesired(found, attachment);
    return [...(ready ? [] : [{ trace, step: set }]), ...bind(trace, found?.driver)];
  });
  const wholes = view.wholesOf(instance);
  return [...vfs, ...wholes.flatMap((id) => bind({ deviceId: id }, view.whole(id)?.driver))];
}

function devicesOf(view: View, instance: DesiredInstance): DeviceTrace[] {
  return [
    ...view.wholesOf(instance).map((deviceId) => ({ deviceId })),
    ...instance.attachments.map(({ nic, vf }) => ({ deviceId: nic, vf })),
  ];
}

function rebootGuest(instance: DesiredInstance, guest: ObservedGuest): Step[] {
  const { instanceId, bootCount } = instance;
  if (guest.bootCount >= bootCount) return [];
  return [{ kind: "reboot-guest", key: `reboot-guest ${instanceId}`, instanceId, bootCount }];
}
