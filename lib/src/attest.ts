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

/** Who is in one InfiniBand partition. */
export interface PartitionFacts {
  /** Without the membership bit. */
  readonly pkey: number;
  /** Port GUIDs of full members that are in no other partition but, limited, the default one. */
  readonly members: readonly string[];
  /** Port GUIDs that carry the key in any other way. */
  readonly others: readonly string[];
}

/** Digest of one partition's membership; the order of the GUIDs does not matter. */
export function partitionDigest({ pkey, members, others }: PartitionFacts): string {
  return sha256Hex(
    canonicalJson({ v: 1, pkey, members: [...members].sort(), others: [...others].sort() }),
  );
}

/** Names a partition beside instances in a node's digest, in step keys and logs. */
export function partitionKey(pkey: number): string {
  return `pkey-0x${pkey.toString(16).padStart(4, "0")}`;
}

/**
 * Digest of a whole node: over the sorted (instance id or partition key, digest) pairs. Empty node:
 * a fixed digest.
 */
export function nodeDigest(instances: ReadonlyMap<string, string>): string {
  const pairs = [...instances].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return sha256Hex(canonicalJson({ v: 1, instances: pairs.map(([id, d]) => [id, d]) }));
}
