// What stands on the machine, told as the facts that are attested: read from the guest's own
// definition and from the VFs, never from what was asked for. Pure.
import type { AttachmentFacts, InstanceFacts } from "@railyard/lib/attest";
import type { ObservedVf } from "../model/observed-vf.js";
import type { Layout, ObservedGuest } from "../model.js";
import { isUnjoined } from "./diff/partitions.js";
import { isolationOf, type View } from "./diff/view.js";

/**
 * The facts of one running guest. A function's position is the one whose compiled guest address it
 * sits at. Undefined when the guest does not run, or when a function of it is not known, not on
 * vfio-pci, or at no such address: then there is no place to tell it in. Nor while its GPUs are not
 * joined: it may run, but not as desired.
 */
export function readBack(
  view: View,
  guest: ObservedGuest,
  layout: Layout,
): InstanceFacts | undefined {
  if (!guest.running || view.hasLost(guest)) return undefined;
  const instance = view.instances.find((one) => one.instanceId === guest.instanceId);
  if (instance && isUnjoined(view, instance)) return undefined;
  const gpus: { readonly at: number; readonly deviceId: string }[] = [];
  const attachments: AttachmentFacts[] = [];
  for (const { guestAddress, hostAddress } of guest.functions) {
    const device = view.deviceAt(hostAddress);
    if (!device) return undefined;
    const { deviceId, vf } = device;
    if (vf === undefined) {
      // NVSwitches follow from the GPUs; they are no facts, but must be where they belong.
      if (layout.nvSwitches.some((s) => s.deviceId === deviceId && s.guestAddress === guestAddress))
        continue;
      const at = layout.gpus.findIndex((g) => g.guestAddress === guestAddress);
      if (at === -1) return undefined;
      gpus.push({ at, deviceId });
      continue;
    }
    const found = view.vf(deviceId, vf);
    const slot = layout.attachments.find((a) => a.guestAddress === guestAddress);
    if (!found || !slot) return undefined;
    attachments.push(attachmentFacts(guest, found, slot.position));
  }
  const { instanceId, bootCount, vcpu, memoryMib } = guest;
  return {
    instanceId,
    bootCount,
    vcpu,
    memoryMib,
    gpus: gpus.sort((a, b) => a.at - b.at).map((g) => g.deviceId),
    attachments: attachments.sort((a, b) => a.position - b.position),
  };
}

function attachmentFacts(guest: ObservedGuest, vf: ObservedVf, position: number): AttachmentFacts {
  return {
    position,
    nic: vf.nic,
    vf: vf.vf,
    mac: vf.mac,
    isolation: isolationOf(vf),
    rateMbps: vf.rateMbps,
    spoofCheck: vf.spoofCheck,
    address: guest.addresses[vf.mac] ?? "",
  };
}
