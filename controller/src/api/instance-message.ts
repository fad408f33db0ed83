// Converts an instance into the message that its tenant sees. Where it runs is not part of it, and
// user data is never shown again.
import { Instance } from "@railyard/proto/gen/railyard/v1/instance";
import {
  HealthReasonCode,
  HealthState,
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import {
  HostFailurePolicy,
  InstanceMetadataProtocol,
} from "@railyard/proto/gen/railyard/v1/instance_template";
import type { Instance as Row, VpcNic } from "../domain/instance.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { InstanceView } from "../service/instance.js";
import type { NamedRef } from "../service/references.js";
import { encode } from "./encode.js";
import { EncodedOnce } from "./encoded-once.js";
import { gpuMessage } from "./profile.js";
import { crnOf, enumOf, headOf, profileReference, reference, resourceGroup } from "./resource.js";

const TYPE = RESOURCE_TYPE.instance;

const encoded = new EncodedOnce<InstanceView>((view) => encode(Instance, instanceMessage(view)));

/** The message, encoded once for each view. */
export function instanceBytes(view: InstanceView): Uint8Array {
  return encoded.of(view);
}

export function instanceMessage(view: InstanceView): Instance {
  const { instance, network, attachments, vpcSubnets } = view;
  const { spec } = instance;
  const [primary, ...further] = [spec.primaryNetworkAttachment, ...spec.networkAttachments].map(
    (nic, i) => nicMessage(nic, vpcSubnets[i]),
  );
  return {
    id: instance.id,
    ...headOf(instance, TYPE),
    ...statusOf(instance),
    ...settingsOf(instance),
    name: instance.name,
    crn: crnOf(TYPE, instance),
    zone: instance.zone,
    vpc: reference(RESOURCE_TYPE.vpc, view.vpc),
    profile: profileReference(RESOURCE_TYPE.instanceProfile, instance.profile),
    image: reference(RESOURCE_TYPE.image, view.image),
    bootVolume: view.bootVolume && reference(RESOURCE_TYPE.volume, view.bootVolume),
    volumes: view.volumes.map((ref) => reference(RESOURCE_TYPE.volume, ref)),
    primaryNetworkAttachment: primary,
    networkAttachments: primary ? [primary, ...further] : [],
    keys: view.keys.map((ref) => reference(RESOURCE_TYPE.key, ref)),
    clusterNetwork: network && reference(RESOURCE_TYPE.clusterNetwork, network),
    clusterNetworkAttachments: attachments.map((a) => reference(RESOURCE_TYPE.attachment, a)),
    gpu: view.profile && gpuMessage(view.profile),
    resourceGroup: resourceGroup(instance.resourceGroupId),
  };
}

function statusOf({ status, statusReasons, healthState, healthReasons, startable }: Row) {
  return {
    status: enumOf(InstanceStatus, "INSTANCE_STATUS", status),
    statusReasons: statusReasons.map(({ code, message, metadata }) => ({
      code: enumOf(InstanceStatusReasonCode, "INSTANCE_STATUS_REASON_CODE", code),
      message,
      metadata: new Map(Object.entries(metadata)),
    })),
    healthState: enumOf(HealthState, "HEALTH_STATE", healthState),
    healthReasons: healthReasons.map(({ code, message }) => ({
      code: enumOf(HealthReasonCode, "HEALTH_REASON_CODE", code),
      message,
    })),
    startable,
  };
}

function settingsOf({ spec: { metadataService, hostFailure } }: Row) {
  const { enabled, protocol, hopLimit } = metadataService;
  return {
    metadataService: {
      enabled,
      protocol: enumOf(InstanceMetadataProtocol, "INSTANCE_METADATA_PROTOCOL", protocol),
      hopLimit,
    },
    availabilityPolicy: {
      hostFailure: enumOf(HostFailurePolicy, "HOST_FAILURE_POLICY", hostFailure),
    },
  };
}

function nicMessage({ id, name }: VpcNic, subnet: NamedRef | undefined) {
  return {
    id,
    name,
    subnet: subnet && reference(RESOURCE_TYPE.vpcSubnet, subnet),
    resourceType: RESOURCE_TYPE.networkAttachment,
  };
}
