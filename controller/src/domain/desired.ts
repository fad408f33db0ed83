// The whole desired state of one node as the controller means it. dispatch/ turns it into wire
// bytes; the intended digest of each instance is computed from it here.
import type { InstanceFacts } from "@railyard/lib/attest";
import type { FaultId, InstanceId, NodeId } from "@railyard/lib/ids";
import type { DesiredPartition } from "./fabric.js";
import type { FaultSpec } from "./node-fault.js";
import type { IsolationKind } from "./profile.js";

export interface DesiredAttachment {
  readonly attachmentId: string;
  readonly position: number;
  readonly rail: number;
  /** Index into the instance's `gpus`. */
  readonly pair: number;
  readonly nic: string;
  readonly vf: number;
  readonly mac: string;
  /** With prefix length, e.g. `10.0.0.5/24`. */
  readonly address: string;
  readonly isolation: { readonly kind: IsolationKind; readonly id: number };
  readonly rateMbps: number;
  readonly mtu: number;
  readonly spoofCheck: boolean;
}

export interface DesiredInstance {
  readonly instanceId: InstanceId;
  readonly name: string;
  readonly bootCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly gpus: readonly string[];
  readonly attachments: readonly DesiredAttachment[];
  readonly image: {
    readonly id: string;
    readonly path: string;
    readonly sha256: string;
    readonly sizeBytes: number;
  };
  readonly volumes: readonly {
    readonly id: string;
    readonly capacityGib: number;
    readonly boot: boolean;
  }[];
  readonly vpcNics: readonly { readonly subnetId: string; readonly mac: string }[];
  readonly metadataService: {
    readonly enabled: boolean;
    readonly protocol: string;
    readonly hopLimit: number;
  };
  /** Base64. */
  readonly userData: string;
  readonly sshKeys: readonly string[];
}

export interface DesiredNode {
  readonly nodeId: NodeId;
  readonly epoch: bigint;
  readonly generation: bigint;
  readonly vfsPerNic: number;
  /** Ordered by instance id. */
  readonly instances: readonly DesiredInstance[];
  /** Of the whole fabric, by key; for a fabric node only. */
  readonly partitions?: readonly DesiredPartition[];
  /** What a made-up machine is to do wrong, by id; nothing of it is attested. */
  readonly faults: readonly (FaultSpec & { readonly id: FaultId })[];
}

/** The facts that must be read back before the instance counts as running. */
export function intendedFacts(instance: DesiredInstance): InstanceFacts {
  const { instanceId, bootCount, vcpu, memoryMib, gpus, attachments } = instance;
  return {
    instanceId,
    bootCount,
    vcpu,
    memoryMib,
    gpus,
    attachments: attachments.map(
      ({ position, nic, vf, mac, isolation, rateMbps, spoofCheck, address }) => ({
        position,
        nic,
        vf,
        mac,
        isolation,
        rateMbps,
        spoofCheck,
        address,
      }),
    ),
  };
}
