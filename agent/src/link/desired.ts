// Turns an encoded desired state into the agent's own words, and refuses one that breaks a rule:
// what passes here is fit to reach hardware. It must not know what the machine has.

import { asRailyardError, invalidField, Violations } from "@railyard/lib/errors";
import { isId } from "@railyard/lib/ids";
import {
  DesiredState,
  IsolationKind,
  type DesiredAttachment as WireAttachment,
  type DesiredInstance as WireInstance,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { Desired, DesiredAttachment, DesiredInstance, Isolation } from "../model.js";
import { faultsFrom } from "./faults.js";
import { partitionsFrom } from "./partitions.js";

const INSTANCES_MAX = 64;
const ATTACHMENTS_MAX = 256;
const GPUS_MAX = 64;
const USER_DATA_BYTES_MAX = 64 * 1024;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const ADDRESS = /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/;
const DEVICE = /^[-0-9a-zA-Z_.:]{1,64}$/;
const KINDS: ReadonlyMap<IsolationKind, Isolation["kind"]> = new Map([
  [IsolationKind.ISOLATION_KIND_VLAN, "vlan"],
  [IsolationKind.ISOLATION_KIND_VNI, "vni"],
  [IsolationKind.ISOLATION_KIND_PKEY, "pkey"],
]);

export interface DesiredScope {
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly body: Uint8Array;
}

/** Decodes and checks a body. Throws `invalid` naming every rule that it breaks. */
export function decodeDesired({ epoch, generation, body }: DesiredScope): Desired {
  const state = decodeBody(body);
  const bad = new Violations();
  if (state.instances.length > INSTANCES_MAX) bad.add("instances", "are too many");
  const taken = new Set<string>();
  const instances = state.instances.map((wire, i) => {
    const path = `instances[${i}]`;
    checkInstance(wire, path, bad);
    for (const name of [wire.instanceId, ...devicesOf(wire)]) {
      if (taken.has(name)) bad.add(path, `${name} is listed twice`);
      taken.add(name);
    }
    return instanceOf(wire);
  });
  const faults = faultsFrom(state.faults, bad);
  const partitions = partitionsFrom(state.partitions, bad);
  bad.throwIfAny();
  return { epoch, generation, vfsPerNic: state.vfsPerNic, instances, faults, partitions };
}

function decodeBody(body: Uint8Array): DesiredState {
  try {
    return DesiredState.decode(body);
  } catch (cause) {
    throw invalidField("body", asRailyardError(cause).message);
  }
}

function devicesOf(wire: WireInstance): string[] {
  return [...wire.gpus, ...wire.attachments.map((a) => `${a.nic} ${a.vf}`)];
}

function checkInstance(wire: WireInstance, path: string, bad: Violations): void {
  if (!isId(wire.instanceId)) bad.add(`${path}.instance_id`, "is not an id");
  if (wire.gpus.length > GPUS_MAX) bad.add(`${path}.gpus`, "are too many");
  if (!wire.gpus.every((g) => DEVICE.test(g))) bad.add(`${path}.gpus`, "hold no device id");
  if (wire.attachments.length > ATTACHMENTS_MAX) bad.add(`${path}.attachments`, "are too many");
  if (wire.userData.length > USER_DATA_BYTES_MAX) bad.add(`${path}.user_data`, "is too long");
  for (const field of ["bootCount", "memoryMib"] as const) {
    if (wire[field] > BigInt(Number.MAX_SAFE_INTEGER)) bad.add(`${path}.${field}`, "is too large");
  }
  for (const [i, attachment] of wire.attachments.entries()) {
    const at = `${path}.attachments[${i}]`;
    if (attachment.position !== i) bad.add(`${at}.position`, `must be ${i}`);
    if (attachment.pair >= wire.gpus.length) bad.add(`${at}.pair`, "names no gpu");
    checkAttachment(attachment, at, bad);
  }
}

function checkAttachment(wire: WireAttachment, path: string, bad: Violations): void {
  const { isolation } = wire;
  if (!DEVICE.test(wire.nic)) bad.add(`${path}.nic`, "is not a device id");
  if (!MAC.test(wire.mac)) bad.add(`${path}.mac`, "is not a lower-case MAC");
  if (!ADDRESS.test(wire.address)) bad.add(`${path}.address`, "is not an address with prefix");
  if (!isolation || !KINDS.has(isolation.kind)) bad.add(`${path}.isolation.kind`, "is not known");
  if (!isolation?.id) bad.add(`${path}.isolation.id`, "must be set");
}

function instanceOf(wire: WireInstance): DesiredInstance {
  const { instanceId, name, vcpu, gpus, volumes, vpcNics, userData, sshKeys } = wire;
  const { image, metadataService } = wire;
  return {
    instanceId,
    name,
    bootCount: Number(wire.bootCount),
    vcpu,
    memoryMib: Number(wire.memoryMib),
    gpus,
    attachments: wire.attachments.map(attachmentOf),
    image: {
      id: image?.id ?? "",
      path: image?.path ?? "",
      sha256: image?.sha256 ?? "",
      sizeBytes: Number(image?.sizeBytes ?? 0n),
    },
    volumes,
    vpcNics,
    metadataService: metadataService ?? { enabled: false, protocol: "http", hopLimit: 1 },
    userData,
    sshKeys,
  };
}

function attachmentOf(wire: WireAttachment): DesiredAttachment {
  const { isolation, ...rest } = wire;
  return {
    ...rest,
    isolation: {
      kind: (isolation && KINDS.get(isolation.kind)) ?? "vlan",
      id: isolation?.id ?? 0,
    },
  };
}
