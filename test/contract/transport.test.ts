// What the contract says of calls that go wrong below their messages: every refusal carries its
// reason, also that of a deadline, of too much, and of bytes that are no request; and a write whose
// caller stopped waiting stands whole or not at all.
import {
  CreateClusterNetworkSubnetRequest,
  ListClusterNetworkSubnetsRequest,
  ClusterNetworkSubnetServiceService as Subnets,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import {
  CreateClusterNetworkSubnetReservedIpRequest,
  ClusterNetworkSubnetReservedIpServiceService as Ips,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Method, WireError } from "../wire.js";
import { type Target, target } from "./target.js";

const { getInstance } = InstanceServiceService;
const OK = 0;
const DEADLINE_EXCEEDED = 4;
const { createClusterNetworkSubnet: createSubnet, listClusterNetworkSubnets } = Subnets;

let at: Target;
beforeAll(async () => {
  at = await target();
});
afterAll(() => at.close());

/** The method with other bytes for its request, or at another path. */
function method(over: { readonly path?: string; readonly bytes?: Buffer }): Method<object, object> {
  const { path, requestSerialize, responseDeserialize } = getInstance;
  const serialize = over.bytes ? () => over.bytes as Buffer : requestSerialize;
  return {
    path: over.path ?? path,
    requestSerialize: serialize as (value: object) => Buffer,
    responseDeserialize,
  };
}

test("a refusal that no handler makes has its reason, too", async () => {
  const { wire } = await at.tenant();
  const of = async (over: Parameters<typeof method>[0]) => {
    const { code, reason, details } = await wire.refused(method(over), { id: "" });
    return [code, reason, details.info?.domain];
  };
  expect(await of({ bytes: Buffer.alloc(256 * 1024 + 1) })).toEqual([
    ...[8, "MESSAGE_TOO_LARGE", "railyard"],
  ]);
  expect(await of({ bytes: Buffer.alloc(4 * 1024 * 1024) })).toEqual([
    ...[8, "MESSAGE_TOO_LARGE", "railyard"],
  ]);
  expect(await of({ bytes: Buffer.from([0xff]) })).toEqual([3, "FIELD_INVALID", "railyard"]);
  for (const path of ["/railyard.v1.InstanceService/Nothing", "/Nothing"]) {
    expect(await of({ path })).toEqual([12, "NOT_IMPLEMENTED", "railyard"]);
  }
});

test("a create whose deadline passes stands whole, or not at all", async () => {
  const mine = await at.tenant();
  const { id: clusterNetworkId } = await mine.network();
  const outcomes: number[] = [];
  for (let i = 0; i < 24; i++) {
    const name = `net-${i}`;
    const request = CreateClusterNetworkSubnetRequest.fromPartial({
      ...{ clusterNetworkId, name },
      range: { $case: "totalIpv4AddressCount", value: 8n },
    });
    const outcome = mine.wire.call(createSubnet, request, 1 + (i % 8)).then(
      () => OK,
      (thrown: WireError) => thrown.code,
    );
    outcomes.push(await outcome);
  }
  const asked = ListClusterNetworkSubnetsRequest.fromPartial({ clusterNetworkId, pageSize: 100 });
  const { clusterNetworkSubnets } = await mine.wire.call(listClusterNetworkSubnets, asked);
  expect(outcomes.filter((code) => code !== OK && code !== DEADLINE_EXCEEDED)).toEqual([]);
  const answered = outcomes.filter((code) => code === OK).length;
  expect(clusterNetworkSubnets.length).toBeGreaterThanOrEqual(answered);
  for (const { id } of clusterNetworkSubnets) {
    // Its free addresses are written with it.
    const taking = CreateClusterNetworkSubnetReservedIpRequest.fromPartial({
      ...{ clusterNetworkId, subnetId: id },
    });
    await mine.wire.call(Ips.createClusterNetworkSubnetReservedIp, taking);
  }
});
