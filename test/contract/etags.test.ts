// What the contract says about etags: whatever changes an object can be made conditional on the
// object being as it was read.
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import * as placement from "@railyard/proto/gen/railyard/v1/placement";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WireError } from "../wire.js";
import { A, I, N, R, S, V } from "./services.js";
import { type Target, type Tenant, target } from "./target.js";

const ABORTED = 10;
const COUNT = 8;
const P = placement.PlacementServiceService;

let at: Target;
let tenant: Tenant;
let network: nets.ClusterNetwork;
let subnet: subnets.ClusterNetworkSubnet;
let reservedIp: ips.ClusterNetworkSubnetReservedIp;
let nic: nics.ClusterNetworkInterface;
let runs: calls.Instance;
let rests: calls.Instance;
let link: links.InstanceClusterNetworkAttachment;
let hold: placement.Hold;
beforeAll(async () => {
  at = await target({ machines: true });
  tenant = await at.tenant();
  const { wire } = tenant;
  const { id: clusterNetworkId } = await tenant.network();
  const { id: subnetId } = await tenant.subnet(clusterNetworkId);
  const where = { clusterNetworkId, subnetId };
  nic = await tenant.interface(clusterNetworkId, subnetId);
  const wanted = ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial(where);
  const made = await wire.call(R.createClusterNetworkSubnetReservedIp, wanted);
  reservedIp = made.clusterNetworkSubnetReservedIp!;
  const { id } = await tenant.instance("rests", Array(COUNT).fill(subnetId));
  await tenant.running(id);
  await wire.call(V.stopInstance, calls.StopInstanceRequest.fromPartial({ id }));
  rests = await tenant.status(id, InstanceStatus.INSTANCE_STATUS_STOPPED);
  runs = await tenant.running((await tenant.instance("runs", [], { profile: "bx3d-8x40" })).id);
  const path = { instanceId: id, id: rests.clusterNetworkAttachments[0]!.id };
  const got = await wire.call(A.getInstanceClusterNetworkAttachment, path);
  link = got.instanceClusterNetworkAttachment!;
  const shape = { clusterNetworkId, instanceProfile: "gx3d-152x1536-8h100", count: 1 };
  const holding = { shape, ttl: { seconds: 3_600n } };
  const request = placement.CreateHoldRequest.fromPartial(holding);
  hold = (await wire.call(P.createHold, request)).hold!;
  network = (await wire.call(N.getClusterNetwork, { id: clusterNetworkId })).clusterNetwork!;
  const found = await wire.call(S.getClusterNetworkSubnet, { clusterNetworkId, id: subnetId });
  subnet = found.clusterNetworkSubnet!;
});
afterAll(() => at.close());

interface Conditional {
  readonly object: () => { readonly id: string; readonly etag: string };
  readonly call: (etag: string) => Promise<unknown>;
}

const OTHER = { name: "other" };
const MASK = { updateMask: ["name"] };
const DRY = { validateOnly: true };
const below = () => ({ clusterNetworkId: network.id });
const inSubnet = () => ({ ...below(), subnetId: subnet.id });
const ofInstance = () => ({ instanceId: rests.id, id: link.id });

const MUTATIONS: Readonly<Record<string, Conditional>> = {
  updateClusterNetwork: {
    object: () => network,
    call: (etag) => {
      const change = { id: network.id, ...MASK, clusterNetwork: OTHER, etag, ...DRY };
      const request = nets.UpdateClusterNetworkRequest.fromPartial(change);
      return tenant.wire.call(N.updateClusterNetwork, request);
    },
  },
  deleteClusterNetwork: {
    object: () => network,
    call: (etag) => {
      const request = { id: network.id, cascade: true, etag, ...DRY };
      return tenant.wire.call(N.deleteClusterNetwork, request);
    },
  },
  updateClusterNetworkSubnet: {
    object: () => subnet,
    call: (etag) => {
      const change = { ...below(), id: subnet.id, ...MASK, clusterNetworkSubnet: OTHER };
      const request = subnets.UpdateClusterNetworkSubnetRequest.fromPartial(change);
      return tenant.wire.call(S.updateClusterNetworkSubnet, { ...request, etag, ...DRY });
    },
  },
  deleteClusterNetworkSubnet: {
    object: () => subnet,
    call: (etag) =>
      tenant.wire.call(S.deleteClusterNetworkSubnet, { ...below(), id: subnet.id, etag, ...DRY }),
  },
  updateClusterNetworkSubnetReservedIp: {
    object: () => reservedIp,
    call: (etag) => {
      const request = ips.UpdateClusterNetworkSubnetReservedIpRequest.fromPartial({
        ...{ ...inSubnet(), id: reservedIp.id, ...MASK, clusterNetworkSubnetReservedIp: OTHER },
        ...{ etag, ...DRY },
      });
      return tenant.wire.call(R.updateClusterNetworkSubnetReservedIp, request);
    },
  },
  deleteClusterNetworkSubnetReservedIp: {
    object: () => reservedIp,
    call: (etag) => {
      const request = { ...inSubnet(), id: reservedIp.id, etag, ...DRY };
      return tenant.wire.call(R.deleteClusterNetworkSubnetReservedIp, request);
    },
  },
  updateClusterNetworkInterface: {
    object: () => nic,
    call: (etag) => {
      const change = { ...below(), id: nic.id, ...MASK, clusterNetworkInterface: OTHER };
      const request = nics.UpdateClusterNetworkInterfaceRequest.fromPartial(change);
      return tenant.wire.call(I.updateClusterNetworkInterface, { ...request, etag, ...DRY });
    },
  },
  deleteClusterNetworkInterface: {
    object: () => nic,
    call: (etag) =>
      tenant.wire.call(I.deleteClusterNetworkInterface, { ...below(), id: nic.id, etag, ...DRY }),
  },
  updateInstance: {
    object: () => runs,
    call: (etag) => {
      const change = { id: runs.id, ...MASK, instance: OTHER, etag, ...DRY };
      const request = calls.UpdateInstanceRequest.fromPartial(change);
      return tenant.wire.call(V.updateInstance, request);
    },
  },
  startInstance: {
    object: () => rests,
    call: (etag) => tenant.wire.call(V.startInstance, { id: rests.id, force: false, etag, ...DRY }),
  },
  stopInstance: {
    object: () => runs,
    call: (etag) => tenant.wire.call(V.stopInstance, { id: runs.id, force: false, etag, ...DRY }),
  },
  rebootInstance: {
    object: () => runs,
    call: (etag) => {
      const request = calls.RebootInstanceRequest.fromPartial({ id: runs.id, etag, ...DRY });
      return tenant.wire.call(V.rebootInstance, request);
    },
  },
  deleteInstance: {
    object: () => runs,
    call: (etag) => tenant.wire.call(V.deleteInstance, { id: runs.id, etag, ...DRY }),
  },
  updateInstanceClusterNetworkAttachment: {
    object: () => link,
    call: (etag) => {
      const request = links.UpdateInstanceClusterNetworkAttachmentRequest.fromPartial({
        ...{ ...ofInstance(), ...MASK, instanceClusterNetworkAttachment: OTHER, etag, ...DRY },
      });
      return tenant.wire.call(A.updateInstanceClusterNetworkAttachment, request);
    },
  },
  moveInstanceClusterNetworkAttachment: {
    object: () => link,
    call: (etag) => {
      const change = { ...ofInstance(), etag, ...DRY };
      const request = links.MoveInstanceClusterNetworkAttachmentRequest.fromPartial(change);
      return tenant.wire.call(A.moveInstanceClusterNetworkAttachment, request);
    },
  },
  deleteInstanceClusterNetworkAttachment: {
    object: () => link,
    call: (etag) => {
      const request = { ...ofInstance(), etag, ...DRY };
      return tenant.wire.call(A.deleteInstanceClusterNetworkAttachment, request);
    },
  },
  deleteHold: {
    object: () => hold,
    call: (etag) => tenant.wire.call(P.deleteHold, { id: hold.id, etag, ...DRY }),
  },
};

async function refusalOf(call: Promise<unknown>): Promise<WireError | undefined> {
  try {
    await call;
  } catch (err) {
    if (err instanceof WireError) return err;
    throw err;
  }
  return undefined;
}

test.each(Object.entries(MUTATIONS))("%s may depend on the object's etag", async (_rpc, it) => {
  const { id, etag } = it.object();
  const stale = await refusalOf(it.call("0123456789abcdef"));
  expect([stale?.code, stale?.reason]).toEqual([ABORTED, "ETAG_MISMATCH"]);
  expect(stale?.details.resource?.resourceName).toBe(id);
  // A retry as it is cannot help: the object has to be read again.
  expect(stale?.details.retry).toBeUndefined();
  expect((await refusalOf(it.call(etag)))?.reason).not.toBe("ETAG_MISMATCH");
});
