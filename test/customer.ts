// What a customer does, as short calls for tests: networks, subnets, interfaces, instances of the
// example document's zone. It knows the public contract and nothing below it.
import { randomUUID } from "node:crypto";
import {
  ClusterNetworkServiceService,
  CreateClusterNetworkRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import {
  ClusterNetworkInterfaceServiceService,
  CreateClusterNetworkInterfaceRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import {
  ClusterNetworkSubnetServiceService,
  CreateClusterNetworkSubnetRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import {
  CreateInstanceRequest,
  type Instance,
  InstanceServiceService,
} from "@railyard/proto/gen/railyard/v1/instance";
import {
  GetInstanceLayoutRequest,
  type InstanceLayoutRow,
} from "@railyard/proto/gen/railyard/v1/instance_layout";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import type { InstanceTemplate } from "@railyard/proto/gen/railyard/v1/instance_template";
import { until } from "./until.js";
import { type Wire, WireError } from "./wire.js";

const NOT_FOUND = 5;
const UNAVAILABLE = 14;
export const ZONE = "us-east-3";

export class Customer {
  constructor(readonly wire: Wire) {}

  async network(change: Partial<CreateClusterNetworkRequest> = {}) {
    const request = CreateClusterNetworkRequest.fromPartial({
      profile: "hopper-1",
      vpcId: "vpc-research",
      zone: ZONE,
      ...change,
    });
    const made = await this.wire.call(ClusterNetworkServiceService.createClusterNetwork, request);
    return present(made.clusterNetwork);
  }

  async subnet(clusterNetworkId: string, change: Partial<CreateClusterNetworkSubnetRequest> = {}) {
    const { createClusterNetworkSubnet } = ClusterNetworkSubnetServiceService;
    const request = CreateClusterNetworkSubnetRequest.fromPartial({
      clusterNetworkId,
      range: { $case: "totalIpv4AddressCount", value: 256n },
      ...change,
    });
    const made = await this.wire.call(createClusterNetworkSubnet, request);
    return present(made.clusterNetworkSubnet);
  }

  async interface(clusterNetworkId: string, subnetId: string, name = "") {
    const { createClusterNetworkInterface } = ClusterNetworkInterfaceServiceService;
    const request = CreateClusterNetworkInterfaceRequest.fromPartial({
      clusterNetworkId,
      subnetId,
      name,
    });
    const made = await this.wire.call(createClusterNetworkInterface, request);
    return present(made.clusterNetworkInterface);
  }

  /** An instance with one attachment per subnet id, in that order. */
  async instance(
    name: string,
    subnetIds: readonly string[],
    change: Partial<InstanceTemplate> = {},
  ): Promise<Instance> {
    const { createInstance } = InstanceServiceService;
    const made = await this.wire.call(createInstance, instanceRequest(name, subnetIds, change));
    return present(made.instance);
  }

  /** Like `instance`, again with the same request id until the server has answered. */
  async instanceAtLast(name: string, subnetIds: readonly string[]): Promise<Instance> {
    const { createInstance } = InstanceServiceService;
    const request = { ...instanceRequest(name, subnetIds), requestId: randomUUID() };
    return until("the create is answered", async () => {
      try {
        return present((await this.wire.call(createInstance, request)).instance);
      } catch (err) {
        if (err instanceof WireError && err.code === UNAVAILABLE) return undefined;
        throw err;
      }
    });
  }

  async get(id: string): Promise<Instance | undefined> {
    try {
      const { instance } = await this.wire.call(InstanceServiceService.getInstance, { id });
      return present(instance);
    } catch (err) {
      if (err instanceof WireError && err.code === NOT_FOUND) return undefined;
      throw err;
    }
  }

  /** Waits until the instance has one of the statuses. */
  status(id: string, ...wanted: InstanceStatus[]): Promise<Instance> {
    return until(`instance ${wanted.map((s) => InstanceStatus[s]).join(" or ")}`, async () => {
      const instance = await this.get(id);
      return instance && wanted.includes(instance.status) ? instance : undefined;
    });
  }

  running(id: string): Promise<Instance> {
    return this.status(id, InstanceStatus.INSTANCE_STATUS_RUNNING);
  }

  async delete(id: string): Promise<void> {
    const request = { id, etag: "", validateOnly: false };
    await this.wire.call(InstanceServiceService.deleteInstance, request);
  }

  /** Waits until the instance can no longer be found. */
  async gone(id: string): Promise<void> {
    await until("instance gone", async () => (await this.get(id)) === undefined);
  }

  async layout(id: string): Promise<InstanceLayoutRow[]> {
    const request = GetInstanceLayoutRequest.fromPartial({ id });
    const { layout } = await this.wire.call(InstanceServiceService.getInstanceLayout, request);
    return present(layout).rows;
  }
}

/** The request for an instance with one attachment per subnet id. */
export function instanceRequest(
  name: string,
  subnetIds: readonly string[],
  change: Partial<InstanceTemplate> = {},
): CreateInstanceRequest {
  return CreateInstanceRequest.fromPartial({
    name,
    template: {
      zone: ZONE,
      profile: "gx3d-152x1536-8h100",
      imageId: "img-ubuntu-24-04",
      keyIds: ["key-ops"],
      metadataService: { enabled: true, hopLimit: 1 },
      primaryNetworkAttachment: { subnetId: "vsub-research-3" },
      clusterNetworkAttachments: subnetIds.map((subnetId) => ({
        interface: { $case: "newInterface" as const, value: { subnetId } },
      })),
      ...change,
    },
  });
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the answer lacks its object");
  return value;
}
