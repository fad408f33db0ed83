// Holds of a part of a node where rails are required: they keep rails that attachments can be on,
// by the rule that instances follow, and capacity checks and explanations say the same.
import { checkCapacity } from "@railyard/controller/service/capacity";
import { createNetwork } from "@railyard/controller/service/cluster-network";
import { explainPlacement } from "@railyard/controller/service/explain";
import { createSubnet } from "@railyard/controller/service/subnet";
import type { ClusterNetworkId, SubnetId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { batch, batchWish, counted, hold, shape } from "./gang-rig.js";
import { HALF, shared } from "./halves.js";
import { ALICE, instance, instanceWish, networkWish, type Rig, refusal } from "./rig.js";

const REQUIRED = { railAlignment: "required" };

interface Railed {
  readonly networkId: ClusterNetworkId;
  readonly subnets: readonly SubnetId[];
}

/** A network with one subnet for each of these rails; undefined: of any rail. */
async function railed(made: Rig, rails: readonly (number | undefined)[]): Promise<Railed> {
  const { network } = await createNetwork(made.ctx, made.call(), networkWish());
  const range = { kind: "count", count: 16 } as const;
  const subnets: SubnetId[] = [];
  for (const rail of rails) {
    const wish = { clusterNetworkId: network.id, name: "", range, rail };
    subnets.push((await createSubnet(made.ctx, made.call(), wish)).id);
  }
  return { networkId: network.id, subnets };
}

const halfOf = (networkId: ClusterNetworkId, over = {}) =>
  shape(networkId, { profile: HALF, attachmentCount: 4, ...over });

/** One attachment in each of the subnets. */
function wishIn(subnets: readonly SubnetId[], holdId: Awaited<ReturnType<typeof hold>>["id"]) {
  const [first] = subnets;
  const clusterNetworkAttachments = subnets.flatMap(
    (id) => instanceWish(id, { count: 1 }).clusterNetworkAttachments,
  );
  const asked = { profile: HALF, holdId, clusterNetworkAttachments };
  return batchWish(first as SubnetId, 1, asked);
}

test.each([[[0, 1, 2, 3]], [[4, 5, 6, 7]]])(
  "a hold keeps the rails that subnets declare: %j",
  async (rails) => {
    const made = await shared(2, REQUIRED);
    const { networkId, subnets } = await railed(made, rails);
    const held = await hold(made, halfOf(networkId, { count: 2 }));
    expect(held.rails).toEqual(rails);
    const [used] = await batch(made, wishIn(subnets, held.id));
    expect(used?.placement?.pairs.map(({ rail }) => rail)).toEqual(rails);
  },
);

test("rails that no subnet is for are no room: so say hold, check and explanation", async () => {
  const made = await shared(2, REQUIRED);
  const { networkId } = await railed(made, [4, 5]);
  const before = await counted(made);
  const refused = await refusal(hold(made, halfOf(networkId)));
  const short = { fit: "0", short: expect.stringContaining("rail-set"), waiting_can_help: "false" };
  expect(refused).toMatchObject({ reason: "CAPACITY", parts: { metadata: short } });
  expect(refused.message).toContain(
    "1 would fit if the cluster network had subnets for other rails",
  );
  expect(await counted(made)).toEqual(before);
  const said = await checkCapacity(made.ctx, made.read(), halfOf(networkId));
  expect(said).toMatchObject({ fits: false, fit: 0, waitingCanHelp: false });
  const { explanation } = await explainPlacement(made.ctx, {
    ...{ account: ALICE, shape: halfOf(networkId) },
  });
  expect(explanation.trial.fits).toBe(false);
  expect(explanation.removed).toMatchObject([{ name: "railSet", count: 2 }]);
});

test("rails that subnets declare are waited for where others have them", async () => {
  const made = await shared(1, REQUIRED);
  const { networkId } = await railed(made, [0, 1, 2, 3]);
  const other = await railed(made, [0, 1, 2, 3]);
  await hold(made, halfOf(other.networkId));
  const refused = await refusal(hold(made, halfOf(networkId)));
  expect(refused.parts.metadata).toMatchObject({
    short: expect.stringContaining("rail-set"),
    waiting_can_help: "true",
  });
});

test.each([
  { why: "a subnet is of any rail", rails: [4, undefined], profile: REQUIRED },
  { why: "there is no subnet yet", rails: [], profile: REQUIRED },
  { why: "rails are a preference", rails: [4, 5], profile: { railAlignment: "preferred" } },
])("any rails are held where $why", async ({ rails, profile }) => {
  const made = await shared(1, profile);
  const { networkId } = await railed(made, rails);
  expect((await hold(made, halfOf(networkId))).rails).toHaveLength(4);
});

test("a hold is on the rails of the instances that are there", async () => {
  const made = await shared(2, REQUIRED);
  const { networkId, subnets } = await railed(made, [undefined, 4]);
  const [any, four] = subnets as [SubnetId, SubnetId];
  const wish = instanceWish(any, { count: 4, profile: HALF });
  const [own] = instanceWish(four, { count: 1 }).clusterNetworkAttachments;
  const attachments = [own!, ...wish.clusterNetworkAttachments.slice(1)];
  await instance(made, { ...wish, clusterNetworkAttachments: attachments });
  expect((await hold(made, halfOf(networkId))).rails).toEqual([4, 5, 6, 7]);
});
