// What is attested about an instance: the facts that the controller intends and the agent reads
// back from the hardware. Both compute the digest here; nobody takes the other's word for it.
import { canonicalJson, sha256Hex } from "./canonical.js";

/** One position of the ordered attachment layout as it stands on the machine. */
export interface AttachmentFacts {
  /** 0-based position; when read back, the one whose guest slot the function actually sits in. */
  readonly position: number;
  /** Stable device id of the NIC, never an index. */
  readonly nic: string;
  /** VF index within the NIC, 0-based. */
  readonly vf: number;
  /** Lower case, colon-separated. */
  readonly mac: string;
  readonly isolation: { readonly kind: "vlan" | "vni" | "pkey"; readonly id: number };
  /** Transmit limit of the VF in Mb/s. */
  readonly rateMbps: number;
  /** Whether the NIC drops frames whose source MAC is not the VF's own. */
  readonly spoofCheck: boolean;
  /**
   * Guest address with prefix length, e.g. `10.0.0.5/24`, as written in the guest's configuration.
   */
  readonly address: string;
}

/** Everything attested about one instance on its node. */
export interface InstanceFacts {
  readonly instanceId: string;
  /** How many times the guest was asked to boot; a reboot raises it. */
  readonly bootCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  /** Stable device ids of the GPUs, in guest order. */
  readonly gpus: readonly string[];
  /** In position order. */
  readonly attachments: readonly AttachmentFacts[];
}

/** Digest of one instance's facts: SHA-256 over canonical JSON, lower-case hexadecimal. */
export function factsDigest(facts: InstanceFacts): string {
  const { instanceId, bootCount, vcpu, memoryMib, gpus, attachments } = facts;
  return sha256Hex(
    canonicalJson({
      v: 1,
      instanceId,
      bootCount,
      vcpu,
      memoryMib,
      gpus,
      attachments: attachments.map((a) => ({
        position: a.position,
        nic: a.nic,
        vf: a.vf,
        mac: a.mac,
        isolation: { kind: a.isolation.kind, id: a.isolation.id },
        rateMbps: a.rateMbps,
        spoofCheck: a.spoofCheck,
        address: a.address,
      })),
    }),
  );
}

/**
 * Digest of a whole node: over the sorted (instance id, digest) pairs. Empty node: a fixed digest.
 */
export function nodeDigest(instances: ReadonlyMap<string, string>): string {
  const pairs = [...instances].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return sha256Hex(canonicalJson({ v: 1, instances: pairs.map(([id, d]) => [id, d]) }));
}
