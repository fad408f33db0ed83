// Converts the template of an instance into what the use cases take: unset members get the
// contract's defaults here, every rule is theirs.
import {
  type AvailabilityPolicy,
  type ClusterNetworkAttachmentPrototype,
  HostFailurePolicy,
  InstanceMetadataProtocol,
  type InstanceMetadataService,
  InstanceTemplate,
} from "@railyard/proto/gen/railyard/v1/instance_template";
import type { InstanceSpec } from "../domain/instance.js";
import type { AttachmentWish } from "../service/instance-attachments.js";
import type { CreateInstance } from "../service/instance-create.js";
import { idFrom } from "./id.js";
import { addressWish, subnetOf } from "./interface.js";

const HOP_LIMIT_DEFAULT = 1;

/** Everything about an instance but its name. */
export function templateWish(template = InstanceTemplate.create()): Omit<CreateInstance, "name"> {
  const { zone, profile, imageId, vpcId, bootVolumeId, volumeIds, keyIds, userData } = template;
  const { primaryNetworkAttachment, networkAttachments } = template;
  const { placementTargetId, resourceGroupId, clusterNetworkAttachments } = template;
  return {
    metadataService: metadataServiceOf(template.metadataService),
    ...{ zone, profile, imageId, vpcId, bootVolumeId, volumeIds, keyIds, userData },
    ...{ primaryNetworkAttachment, networkAttachments, placementTargetId, resourceGroupId },
    hostFailure: hostFailureOf(template.availabilityPolicy),
    clusterNetworkAttachments: clusterNetworkAttachments.map(attachmentWish),
  };
}

/** Absent means off; unset members mean HTTP and one hop. */
export function metadataServiceOf(
  message: InstanceMetadataService | undefined,
): InstanceSpec["metadataService"] {
  const https = message?.protocol === InstanceMetadataProtocol.INSTANCE_METADATA_PROTOCOL_HTTPS;
  return {
    enabled: message?.enabled ?? false,
    protocol: https ? "https" : "http",
    hopLimit: message?.hopLimit || HOP_LIMIT_DEFAULT,
  };
}

/** Absent or unset means restart. */
export function hostFailureOf(
  message: AvailabilityPolicy | undefined,
): InstanceSpec["hostFailure"] {
  const { HOST_FAILURE_POLICY_STOP: stop } = HostFailurePolicy;
  return message?.hostFailure === stop ? "stop" : "restart";
}

/** What the prototype asks for. */
export function attachmentWish({
  name,
  interface: bound,
}: ClusterNetworkAttachmentPrototype): AttachmentWish {
  if (bound?.$case === "interfaceId") {
    const id = idFrom("interface", bound.value);
    return { name, bound: { kind: "interface", id } };
  }
  if (!bound) return { name, bound: undefined };
  const { subnetId, primaryIp, autoDelete = true, allowIpSpoofing } = bound.value;
  const wish = {
    subnetId: subnetOf(subnetId),
    primaryIp: addressWish(primaryIp),
    name: bound.value.name,
    autoDelete,
    allowIpSpoofing,
  };
  return { name, bound: { kind: "new", wish } };
}
