// Declared profiles in the domain's words. Knows nothing of servers or of what is stored.
import type { AttachmentCount, ClusterNetworkProfile, InstanceProfile } from "../profile.js";
import type {
  AttachmentsDecl,
  ClusterNetworkProfileDecl,
  InstanceProfileDecl,
} from "./document.js";
import { isolationOf } from "./references.js";

export function declaredClusterNetworkProfile(
  decl: ClusterNetworkProfileDecl,
): ClusterNetworkProfile {
  const { isolation: _, ...rest } = decl;
  return { ...rest, isolationKind: isolationOf(decl) };
}

/** The family defaults to the part of the name before its first hyphen. */
export function declaredInstanceProfile(decl: InstanceProfileDecl): InstanceProfile {
  const { name, vcpu, numaCount, bandwidthMbps, attachmentLayout } = decl;
  return {
    name,
    family: decl.family ?? name.split("-", 1)[0] ?? name,
    vcpu,
    memoryGib: decl.memoryGiB,
    gpu: decl.gpu && {
      manufacturer: decl.gpu.manufacturer,
      model: decl.gpu.model,
      count: decl.gpu.count,
      memoryGib: decl.gpu.memoryGiB,
    },
    numaCount,
    bandwidthMbps,
    diskGib: decl.diskGiB,
    attachments: decl.attachments && attachmentCount(decl.attachments),
    attachmentLayout,
  };
}

function attachmentCount(decl: AttachmentsDecl): AttachmentCount {
  if (decl.range) return { kind: "range", ...decl.range };
  const values = decl.enum ?? [];
  return {
    kind: "enum",
    values,
    ...(decl.default !== undefined && { default: decl.default }),
  };
}
