// How an instance is shown.
import { Instance } from "@railyard/proto/gen/railyard/v1/instance";
import {
  HealthReasonCode,
  HealthState,
  InstanceStatus,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import {
  type AvailabilityPolicy,
  HostFailurePolicy,
  InstanceMetadataProtocol,
  type InstanceMetadataService,
} from "@railyard/proto/gen/railyard/v1/instance_template";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import type { View } from "../output.js";
import { countOf, nameOf, reasonsOf, timeOf, wordOf, yesNo } from "../words.js";
import { whyOf } from "./instance-state.js";

export const INSTANCE_VIEW: View<Instance> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "STATUS", cell: ({ status }) => wordOf(InstanceStatus, status), state: true },
    { title: "HEALTH", cell: (it) => wordOf(HealthState, it.healthState), state: true },
    { title: "PROFILE", cell: ({ profile }) => profile?.name ?? "" },
    { title: "ZONE", cell: ({ zone }) => zone },
    { title: "NETWORK", cell: ({ clusterNetwork }) => nameOf(clusterNetwork) },
    { title: "ATTACHMENTS", cell: (it) => countOf(it.clusterNetworkAttachments.length) },
  ],
  details: [
    { title: "REASONS", cell: (it) => whyOf(it).join("\n") },
    { title: "HEALTH REASONS", cell: (it) => reasonsOf(HealthReasonCode, it.healthReasons) },
    { title: "STATE", cell: (it) => wordOf(LifecycleState, it.lifecycleState), state: true },
    { title: "STARTABLE", cell: ({ startable }) => yesNo(startable) },
    { title: "GPUS", cell: ({ gpu }) => (gpu ? `${gpu.count}x ${gpu.model}` : "") },
    { title: "IMAGE", cell: ({ image }) => nameOf(image) },
    { title: "VPC", cell: ({ vpc }) => nameOf(vpc) },
    { title: "VPC SUBNET", cell: (it) => nameOf(it.primaryNetworkAttachment?.subnet) },
    { title: "BOOT VOLUME", cell: ({ bootVolume }) => nameOf(bootVolume) },
    { title: "VOLUMES", cell: ({ volumes }) => volumes.map(nameOf).join(", ") },
    { title: "KEYS", cell: ({ keys }) => keys.map(nameOf).join(", ") },
    { title: "METADATA SERVICE", cell: ({ metadataService }) => metadataOf(metadataService) },
    { title: "HOST FAILURE", cell: (it) => hostFailureOf(it.availabilityPolicy) },
    { title: "CRN", cell: ({ crn }) => crn },
    { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt) },
    { title: "ETAG", cell: ({ etag }) => etag },
  ],
  json: Instance.toJSON,
};

function metadataOf(service: InstanceMetadataService | undefined): string {
  if (!service?.enabled) return "off";
  const { protocol, hopLimit } = service;
  return `${wordOf(InstanceMetadataProtocol, protocol)}, ${hopLimit} hops`;
}

function hostFailureOf(policy: AvailabilityPolicy | undefined): string {
  return wordOf(HostFailurePolicy, policy?.hostFailure ?? 0);
}
