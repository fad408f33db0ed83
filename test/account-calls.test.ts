// One account that asks for more than its share, over a socket: it is refused what is too much and
// told when to try again, while everybody else is served as if it were not there.
import type { AccountId } from "@railyard/lib/ids";
import { ListNodesRequest, NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  ListClusterNetworksRequest,
  ClusterNetworkServiceService as Networks,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import {
  CreateClusterNetworkSubnetRequest,
  ClusterNetworkSubnetServiceService as Subnets,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { Yard, type YardOptions } from "./yard.js";

const RESOURCE_EXHAUSTED = 8;
const AT_ONCE = 200;
const MOST = 4;

let yard: Yard;
afterEach(() => yard.close());

async function open(options: YardOptions): Promise<void> {
  yard = await Yard.open(options);
  await yard.applyMzone();
}

/** As a customer with one network, and how to ask for a subnet in it. */
async function asking(account: string) {
  const { wire } = new Customer(await yard.tenant(account as AccountId));
  const { id: clusterNetworkId } = await new Customer(wire).network();
  const request = CreateClusterNetworkSubnetRequest.fromPartial({
    ...{ clusterNetworkId, validateOnly: true },
    range: { $case: "totalIpv4AddressCount", value: 256n },
  });
  const ask = () => wire.call(Subnets.createClusterNetworkSubnet, request);
  return { ask };
}

test("who asks for too much at once is refused that, and nobody else anything", async () => {
  await open({ accountCallsMax: MOST });
  const [acme, globex] = [await asking("acme"), await asking("globex")];
  const much = Promise.allSettled(Array.from({ length: AT_ONCE }, () => acme.ask()));
  const operator = Array.from({ length: AT_ONCE }, () =>
    yard.operator.call(NodeServiceService.listNodes, ListNodesRequest.fromPartial({})),
  );
  for (let i = 0; i < 20; i++) await globex.ask();
  expect(await Promise.all(operator)).toHaveLength(AT_ONCE);
  const outcomes = await much;
  const refused = outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  expect(refused.length).toBeGreaterThan(0);
  expect(AT_ONCE - refused.length).toBeGreaterThanOrEqual(MOST);
  for (const refusal of refused) {
    expect(refusal).toMatchObject({ code: RESOURCE_EXHAUSTED, reason: "TOO_MANY_CALLS" });
    expect(refusal.details.retry?.retryDelay?.nanos).toBe(500_000_000);
  }
  for (let i = 0; i < 2 * MOST; i++) await acme.ask();
});

test("lists of one account make nobody else wait for all of them", async () => {
  await open({});
  const list = async (account: AccountId) => {
    const { wire } = new Customer(await yard.tenant(account));
    return () =>
      wire.call(Networks.listClusterNetworks, ListClusterNetworksRequest.fromPartial({}));
  };
  const [acme, globex] = [await list("acme" as AccountId), await list("globex" as AccountId)];
  await Promise.all([acme(), globex()]);
  let answered = 0;
  const much = Array.from({ length: AT_ONCE }, async () => {
    await acme();
    answered += 1;
  });
  await globex();
  expect(answered).toBeLessThan(AT_ONCE / 2);
  await Promise.all(much);
});

test.each([
  ["as it comes, the bound", {}],
  ["switched off, it", { accountCallsMax: 0 }],
])("%s hinders no busy customer", async (_, options) => {
  await open(options);
  const { ask } = await asking("acme");
  expect(await Promise.all(Array.from({ length: AT_ONCE }, ask))).toHaveLength(AT_ONCE);
});
