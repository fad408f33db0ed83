// gRPC door of both kinds of profile. Profiles belong to nobody and have no row of their own:
// their etag is a digest of what is shown.
import { sha256Hex } from "@railyard/lib/canonical";
import {
  ClusterNetworkProfile,
  type ClusterNetworkProfileServiceServer,
  FabricKind,
  IsolationKind,
  RailAlignment,
} from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import {
  AttachmentLayout,
  InstanceProfile,
  type InstanceProfileAttachmentCount,
  type InstanceProfileServiceServer,
} from "@railyard/proto/gen/railyard/v1/instance_profile";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import type { AttachmentCount, InstanceProfile as Profile } from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { ServiceContext } from "../service/context.js";
import {
  type ClusterNetworkProfileView,
  getClusterNetworkProfile,
  getInstanceProfile,
  type InstanceProfileView,
  listClusterNetworkProfiles,
  listInstanceProfiles,
} from "../service/profile.js";
import type { Handlers, MessageType } from "./handler.js";
import { pageToken, readPage } from "./paging.js";
import { boundOf, enumOf, profileReference } from "./resource.js";

const ETAG_LENGTH = 16;

export function clusterNetworkProfileHandlers(
  ctx: ServiceContext,
): Handlers<ClusterNetworkProfileServiceServer> {
  return {
    getClusterNetworkProfile: async ({ name }) => ({
      clusterNetworkProfile: networkProfile(await getClusterNetworkProfile(ctx, name)),
    }),
    listClusterNetworkProfiles: async (request, rpc) => {
      const filter = request.zone === "" ? {} : { zone: request.zone };
      const bound = boundOf(filter);
      const listing = readPage(rpc, request, bound);
      const page = await listClusterNetworkProfiles(ctx, { ...filter, ...listing });
      return {
        clusterNetworkProfiles: page.rows.map(networkProfile),
        nextPageToken: pageToken(rpc, bound, { ...page, rows: page.rows.map(keyOf) }),
        totalSize: BigInt(page.total),
      };
    },
  };
}

export function instanceProfileHandlers(
  ctx: ServiceContext,
): Handlers<InstanceProfileServiceServer> {
  return {
    getInstanceProfile: async ({ name }) => ({
      instanceProfile: instanceProfile(await getInstanceProfile(ctx, name)),
    }),
    listInstanceProfiles: async (request, rpc) => {
      const { clusterNetworkProfile } = request;
      const filter = clusterNetworkProfile === "" ? {} : { clusterNetworkProfile };
      const bound = boundOf(filter);
      const page = await listInstanceProfiles(ctx, { ...filter, ...readPage(rpc, request, bound) });
      return {
        instanceProfiles: page.rows.map(instanceProfile),
        nextPageToken: pageToken(rpc, bound, { ...page, rows: page.rows.map(keyOf) }),
        totalSize: BigInt(page.total),
      };
    },
  };
}

function keyOf({ profile }: ClusterNetworkProfileView | InstanceProfileView) {
  const { createdAt, name } = profile;
  return { createdAt, name, id: name };
}

function networkProfile({ profile, zones }: ClusterNetworkProfileView): ClusterNetworkProfile {
  const { name, family, rails, speedGbps, mtu, subnetRouting } = profile;
  const { instanceProfile: type } = RESOURCE_TYPE;
  return withEtag(ClusterNetworkProfile, {
    name,
    family,
    createdAt: new Date(profile.createdAt),
    etag: "",
    resourceType: RESOURCE_TYPE.clusterNetworkProfile,
    lifecycleState: LifecycleState.LIFECYCLE_STATE_STABLE,
    lifecycleReasons: [],
    zones: [...zones],
    supportedInstanceProfiles: profile.instanceProfiles.map((n) => profileReference(type, n)),
    capabilities: {
      fabricKind: enumOf(FabricKind, "FABRIC_KIND", profile.fabric),
      rails,
      speedGbps,
      mtu,
      rdma: true,
      subnetRouting,
      railAlignment: enumOf(RailAlignment, "RAIL_ALIGNMENT", profile.railAlignment),
      isolationKind: enumOf(IsolationKind, "ISOLATION_KIND", profile.isolationKind),
    },
  });
}

function instanceProfile({
  profile,
  clusterNetworkProfiles,
}: InstanceProfileView): InstanceProfile {
  const { name, family, vcpu, memoryGib, numaCount, diskGib, bandwidthMbps } = profile;
  const count = profile.attachments && attachmentCount(profile.attachments);
  const { clusterNetworkProfile: type } = RESOURCE_TYPE;
  return withEtag(InstanceProfile, {
    name,
    family,
    createdAt: new Date(profile.createdAt),
    etag: "",
    resourceType: RESOURCE_TYPE.instanceProfile,
    lifecycleState: LifecycleState.LIFECYCLE_STATE_STABLE,
    lifecycleReasons: [],
    vcpu,
    memoryGib,
    gpu: gpuMessage(profile),
    numaCount,
    disks: diskGib > 0 ? [{ quantity: 1, sizeGb: diskGib }] : [],
    bandwidthMbps: BigInt(bandwidthMbps),
    clusterNetworkAttachmentCount: count,
    supportedClusterNetworkProfiles: clusterNetworkProfiles.map((n) => profileReference(type, n)),
    attachmentLayout: enumOf(AttachmentLayout, "ATTACHMENT_LAYOUT", profile.attachmentLayout),
  });
}

/** The GPUs of a profile, as profiles and instances show them. */
export function gpuMessage({ gpu }: Profile) {
  if (!gpu) return undefined;
  const { count, manufacturer, model, memoryGib } = gpu;
  return { count, manufacturer, model, memoryGibTotal: count * memoryGib };
}

function attachmentCount(count: AttachmentCount): InstanceProfileAttachmentCount {
  switch (count.kind) {
    case "dependent":
      return { type: { $case: "dependent", value: {} } };
    case "enum": {
      const values = [...count.values].sort((a, b) => a - b);
      return { type: { $case: "enum", value: { values, default: count.default } } };
    }
    case "range": {
      const { min, max, step } = count;
      return { type: { $case: "range", value: { min, max, step } } };
    }
  }
}

function withEtag<T extends object>(type: MessageType<T>, message: T): T {
  return { ...message, etag: sha256Hex(type.encode(message).finish()).slice(0, ETAG_LENGTH) };
}
