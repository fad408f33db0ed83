// What the contract says about the order of lists: newest first, then by name, unless another order
// is asked for; attachments, which are an ordered list, by position; what is declared, by name.

import * as nodes from "@railyard/proto/gen/railyard/admin/v1/node";
import * as clusters from "@railyard/proto/gen/railyard/admin/v1/physical_cluster";
import * as tokens from "@railyard/proto/gen/railyard/admin/v1/token";
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { A, I, R, S, V } from "./services.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NAMES = ["mid", "last", "ahead"];
const SMALL = { profile: "bx3d-8x40" };

interface Shown {
  readonly name: string;
  readonly createdAt?: Date | undefined;
}

interface Wish {
  readonly orderBy?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

interface PageOf {
  readonly rows: readonly Shown[];
  readonly nextPageToken: string;
}

let at: Target;
let tenant: Tenant;
let where: { readonly clusterNetworkId: string; readonly subnetId: string };
let instanceId: string;
beforeAll(async () => {
  at = await target();
  tenant = await at.tenant();
  const { id: clusterNetworkId } = await tenant.network();
  for (const name of NAMES) await tenant.subnet(clusterNetworkId, { name });
  where = { clusterNetworkId, subnetId: (await tenant.subnet(clusterNetworkId)).id };
  for (const name of NAMES) {
    await tenant.interface(clusterNetworkId, where.subnetId, name);
    await tenant.instance(name, [], SMALL);
  }
  instanceId = (await tenant.instance("ordered", Array(8).fill(where.subnetId))).id;
});
afterAll(() => at.close());

const LISTS: Record<string, (wish: Wish) => Promise<PageOf>> = {
  async subnets(wish) {
    const { clusterNetworkId } = where;
    const request = subnets.ListClusterNetworkSubnetsRequest.fromPartial({
      ...{ clusterNetworkId, ...wish },
    });
    const page = await tenant.wire.call(S.listClusterNetworkSubnets, request);
    return { rows: page.clusterNetworkSubnets, ...page };
  },
  async "reserved IPs"(wish) {
    const request = ips.ListClusterNetworkSubnetReservedIpsRequest.fromPartial({
      ...{ ...where, ...wish },
    });
    const page = await tenant.wire.call(R.listClusterNetworkSubnetReservedIps, request);
    return { rows: page.clusterNetworkSubnetReservedIps, ...page };
  },
  async interfaces(wish) {
    const request = nics.ListClusterNetworkInterfacesRequest.fromPartial({ ...where, ...wish });
    const page = await tenant.wire.call(I.listClusterNetworkInterfaces, request);
    return { rows: page.clusterNetworkInterfaces, ...page };
  },
  async instances(wish) {
    const request = calls.ListInstancesRequest.fromPartial(wish);
    const page = await tenant.wire.call(V.listInstances, request);
    return { rows: page.instances, ...page };
  },
};

const timeOf = ({ createdAt }: Shown) => createdAt?.getTime() ?? 0;
const before = (a: string, b: string) => (a < b ? -1 : Number(a > b));
const ORDERS: Record<string, (a: Shown, b: Shown) => number> = {
  "": (a, b) => timeOf(b) - timeOf(a) || before(a.name, b.name),
  "created_at desc": (a, b) => timeOf(b) - timeOf(a) || before(a.name, b.name),
  created_at: (a, b) => timeOf(a) - timeOf(b) || before(a.name, b.name),
  name: (a, b) => before(a.name, b.name),
  "name desc": (a, b) => before(b.name, a.name),
};

describe.each(Object.entries(LISTS))("a list of %s", (_kind, list) => {
  test("is newest first, then by name, unless another order is asked for", async () => {
    for (const [orderBy, compare] of Object.entries(ORDERS)) {
      const { rows } = await list({ orderBy, pageSize: 100 });
      expect(rows.length, orderBy).toBeGreaterThanOrEqual(NAMES.length);
      expect(rows, orderBy).toEqual([...rows].sort(compare));
    }
  });

  test("keeps its order from page to page, and a token is good for that order only", async () => {
    for (const orderBy of Object.keys(ORDERS)) {
      const { rows: all } = await list({ orderBy, pageSize: 100 });
      const found: Shown[] = [];
      let pageToken = "";
      do {
        const page = await list({ orderBy, pageSize: 2, pageToken });
        found.push(...page.rows);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(found, orderBy).toEqual(all);
    }
    const { nextPageToken: pageToken } = await list({ orderBy: "name", pageSize: 1 });
    const refused = await list({ orderBy: "name desc", pageToken }).catch((err: unknown) => err);
    expect(refused).toMatchObject({ code: INVALID_ARGUMENT, reason: "PAGE_TOKEN_INVALID" });
  });

  test("has no other orders", async () => {
    const refused = await list({ orderBy: "colour" }).catch((err: unknown) => err);
    const wanted = { reason: "ORDER_BY_INVALID", fields: ["order_by"] };
    expect(refused).toMatchObject({ code: INVALID_ARGUMENT, ...wanted });
  });
});

test("an instance's attachments are listed by position, which is their order", async () => {
  const found: number[] = [];
  let pageToken = "";
  do {
    const request = links.ListInstanceClusterNetworkAttachmentsRequest.fromPartial({
      ...{ instanceId, pageSize: 3, pageToken },
    });
    const page = await tenant.wire.call(A.listInstanceClusterNetworkAttachments, request);
    const rows = page.instanceClusterNetworkAttachments;
    found.push(...rows.map(({ position }) => position ?? -1));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(found).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("tokens are listed newest first, then by name", async () => {
  const { account } = tenant;
  const roles = [tokens.Role.ROLE_TENANT_VIEWER];
  for (const name of NAMES) {
    const request = tokens.CreateTokenRequest.fromPartial({ account, roles, name });
    await at.admin.call(tokens.TokenServiceService.createToken, request);
  }
  const request = tokens.ListTokensRequest.fromPartial({ account, pageSize: 100 });
  const { tokens: rows } = await at.admin.call(tokens.TokenServiceService.listTokens, request);
  expect(rows.length).toBeGreaterThan(NAMES.length);
  expect(rows).toEqual([...rows].sort(ORDERS[""]));
});

test("nodes and physical clusters, declared and not created, are listed by name", async () => {
  const all = { pageSize: 100 };
  const listed = [
    (
      await at.admin.call(
        nodes.NodeServiceService.listNodes,
        nodes.ListNodesRequest.fromPartial(all),
      )
    ).nodes,
    (
      await at.admin.call(
        clusters.PhysicalClusterServiceService.listPhysicalClusters,
        clusters.ListPhysicalClustersRequest.fromPartial(all),
      )
    ).physicalClusters,
  ].map((rows) => rows.map(({ name }) => name));
  for (const names of listed) {
    expect(names.length).toBeGreaterThan(1);
    expect(names).toEqual([...names].sort());
  }
});
