// What the contract says about names, in every scope that has them: form, prefixes kept for the
// provider, four random words for who gives none, uniqueness in the scope and nowhere else.
import * as quotas from "@railyard/proto/gen/railyard/admin/v1/quota";
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { instanceRequest, ZONE } from "../customer.js";
import { A, I, N, R, S, V } from "./services.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const ALREADY_EXISTS = 6;
const MASK = { updateMask: ["name"] };
const SMALL = { profile: "bx3d-8x40" };

interface Named {
  readonly id: string;
  readonly name: string;
}

/** How things of one kind get and change their names. */
interface Scope {
  readonly fields: readonly [create: string, update: string];
  create(name: string, of: Places): Promise<Named>;
  rename(id: string, name: string): Promise<unknown>;
}

/** Two scopes of each kind: what is below the one is not below the other. */
interface Places {
  readonly tenant: Tenant;
  readonly clusterNetworkId: string;
  readonly subnetId: string;
  readonly instanceId: string;
}

let at: Target;
let here: Places;
let there: Places;
beforeAll(async () => {
  at = await target();
  here = await places(await at.tenant());
  there = await places(await at.tenant());
});
afterAll(() => at.close());

async function places(tenant: Tenant): Promise<Places> {
  const subject = quotas.QuotaSubject.QUOTA_SUBJECT_CLUSTER_NETWORKS_PER_REGION;
  const more = { account: tenant.account, limits: [{ subject, limit: 20n }] };
  const request = quotas.SetQuotaRequest.fromPartial(more);
  await at.admin.call(quotas.QuotaServiceService.setQuota, request);
  const clusterNetworkId = (await tenant.network()).id;
  const subnetId = (await tenant.subnet(clusterNetworkId)).id;
  const { id: instanceId } = await tenant.instance("holder", Array(8).fill(subnetId));
  const { INSTANCE_STATUS_RUNNING: runs, INSTANCE_STATUS_FAILED: failed } = InstanceStatus;
  const { INSTANCE_STATUS_STOPPED: stopped } = InstanceStatus;
  const { status } = await tenant.status(instanceId, runs, failed);
  if (status === runs) {
    await tenant.wire.call(
      V.stopInstance,
      calls.StopInstanceRequest.fromPartial({ id: instanceId }),
    );
    await tenant.status(instanceId, stopped);
  }
  return { tenant, clusterNetworkId, subnetId, instanceId };
}

const below = () => ({ clusterNetworkId: here.clusterNetworkId });
const inSubnet = () => ({ ...below(), subnetId: here.subnetId });
const wire = () => here.tenant.wire;

const SCOPES: Readonly<Record<string, Scope>> = {
  "a network's": {
    fields: ["name", "cluster_network.name"],
    async create(name, { tenant }) {
      const wish = { profile: "hopper-1", vpcId: "vpc-research", zone: ZONE, name };
      const request = nets.CreateClusterNetworkRequest.fromPartial(wish);
      return (await tenant.wire.call(N.createClusterNetwork, request)).clusterNetwork!;
    },
    rename: (id, name) =>
      wire().call(
        N.updateClusterNetwork,
        nets.UpdateClusterNetworkRequest.fromPartial({ id, ...MASK, clusterNetwork: { name } }),
      ),
  },
  "a subnet's": {
    fields: ["name", "cluster_network_subnet.name"],
    async create(name, { tenant, clusterNetworkId }) {
      const request = subnets.CreateClusterNetworkSubnetRequest.fromPartial({
        ...{ clusterNetworkId, name, range: { $case: "totalIpv4AddressCount", value: 8n } },
      });
      return (await tenant.wire.call(S.createClusterNetworkSubnet, request)).clusterNetworkSubnet!;
    },
    rename: (id, name) =>
      wire().call(
        S.updateClusterNetworkSubnet,
        subnets.UpdateClusterNetworkSubnetRequest.fromPartial({
          ...{ ...below(), id, ...MASK, clusterNetworkSubnet: { name } },
        }),
      ),
  },
  "a reserved IP's": {
    fields: ["name", "cluster_network_subnet_reserved_ip.name"],
    async create(name, { tenant, clusterNetworkId, subnetId }) {
      const request = ips.CreateClusterNetworkSubnetReservedIpRequest.fromPartial({
        ...{ clusterNetworkId, subnetId, name },
      });
      const made = await tenant.wire.call(R.createClusterNetworkSubnetReservedIp, request);
      return made.clusterNetworkSubnetReservedIp!;
    },
    rename: (id, name) =>
      wire().call(
        R.updateClusterNetworkSubnetReservedIp,
        ips.UpdateClusterNetworkSubnetReservedIpRequest.fromPartial({
          ...{ ...inSubnet(), id, ...MASK, clusterNetworkSubnetReservedIp: { name } },
        }),
      ),
  },
  "an interface's": {
    fields: ["name", "cluster_network_interface.name"],
    async create(name, { tenant, clusterNetworkId, subnetId }) {
      const request = nics.CreateClusterNetworkInterfaceRequest.fromPartial({
        ...{ clusterNetworkId, subnetId, name },
      });
      const made = await tenant.wire.call(I.createClusterNetworkInterface, request);
      return made.clusterNetworkInterface!;
    },
    rename: (id, name) =>
      wire().call(
        I.updateClusterNetworkInterface,
        nics.UpdateClusterNetworkInterfaceRequest.fromPartial({
          ...{ ...below(), id, ...MASK, clusterNetworkInterface: { name } },
        }),
      ),
  },
  "an instance's": {
    fields: ["name", "instance.name"],
    async create(name, { tenant }) {
      const request = instanceRequest(name, [], SMALL);
      return (await tenant.wire.call(V.createInstance, request)).instance!;
    },
    rename: (id, name) =>
      wire().call(
        V.updateInstance,
        calls.UpdateInstanceRequest.fromPartial({ id, ...MASK, instance: { name } }),
      ),
  },
  "an attachment's": {
    fields: ["attachment.name", "instance_cluster_network_attachment.name"],
    async create(name, { tenant, instanceId, subnetId }) {
      const fresh = { $case: "newInterface" as const, value: { subnetId } };
      const request = links.CreateInstanceClusterNetworkAttachmentRequest.fromPartial({
        ...{ instanceId, attachment: { name, interface: fresh } },
      });
      const made = await tenant.wire.call(A.createInstanceClusterNetworkAttachment, request);
      return made.instanceClusterNetworkAttachment!;
    },
    rename: (id, name) =>
      wire().call(
        A.updateInstanceClusterNetworkAttachment,
        links.UpdateInstanceClusterNetworkAttachmentRequest.fromPartial({
          ...{ instanceId: here.instanceId, id, ...MASK },
          instanceClusterNetworkAttachment: { name },
        }),
      ),
  },
};

const refusal = async (call: Promise<unknown>) => {
  const err = await call.then(() => undefined).catch((thrown: unknown) => thrown);
  const { code, reason, fields } = err as { code: number; reason: string; fields: string[] };
  return [code, reason, ...fields];
};

const MALFORMED = [
  "A",
  "-a",
  "a-",
  "7",
  "12",
  "a_b",
  "a b",
  "a.b",
  "é",
  "aｂ",
  "a\n",
  "a".repeat(64),
];
const WELL_FORMED = ["z", "1a", "1-1", "a--b", "a".repeat(63)];

describe.each(Object.entries(SCOPES))("%s name", (_kind, scope) => {
  const [onCreate, onUpdate] = scope.fields;

  test("is four random words when none is given", async () => {
    expect((await scope.create("", here)).name).toMatch(/^[a-z]+(-[a-z]+){3}$/);
  });

  test("has 1 to 63 lower-case letters, digits and hyphens, not only digits", async () => {
    const { id } = await scope.create("first", here);
    for (const name of WELL_FORMED) await scope.rename(id, name);
    for (const name of MALFORMED) {
      const wanted = [INVALID_ARGUMENT, "FIELD_INVALID"];
      expect(await refusal(scope.create(name, here)), name).toEqual([...wanted, onCreate]);
      expect(await refusal(scope.rename(id, name)), name).toEqual([...wanted, onUpdate]);
    }
    expect(await refusal(scope.rename(id, ""))).toEqual([
      ...[INVALID_ARGUMENT, "FIELD_INVALID", onUpdate],
    ]);
  });

  test("does not begin with ibm- or railyard-", async () => {
    const { id } = await scope.create("second", here);
    for (const name of ["ibm-a", "railyard-a"]) {
      const wanted = [INVALID_ARGUMENT, "NAME_RESERVED"];
      expect(await refusal(scope.create(name, here))).toEqual([...wanted, onCreate]);
      expect(await refusal(scope.rename(id, name))).toEqual([...wanted, onUpdate]);
    }
    await scope.rename(id, "ibm");
  });

  test("is unique in its scope, and free in another one", async () => {
    await scope.create("third", here);
    const { id } = await scope.create("fourth", here);
    const wanted = [ALREADY_EXISTS, "NAME_TAKEN"];
    expect(await refusal(scope.create("third", here))).toEqual([...wanted, onCreate]);
    expect(await refusal(scope.rename(id, "third"))).toEqual([...wanted, onUpdate]);
    await scope.rename(id, "fourth");
    expect((await scope.create("third", there)).name).toBe("third");
  });
});
