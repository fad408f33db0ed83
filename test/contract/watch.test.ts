// What the contract says about watching: ordered, without gaps, resumable, one account's own.
import {
  WatchObjectsRequest,
  type WatchObjectsResponse,
  WatchOperation,
  WatchServiceService,
} from "@railyard/proto/gen/railyard/v1/watch";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../until.js";
import { type Target, target } from "./target.js";

const { watchObjects } = WatchServiceService;

let at: Target;
beforeAll(async () => {
  at = await target();
});
afterAll(() => at.close());

const eventsOf = (messages: readonly WatchObjectsResponse[]) =>
  messages.flatMap(({ message }) => (message?.$case === "event" ? [message.value] : []));

test("what happens in the account is told in order, and from any revision again", async () => {
  const [mine, other] = [await at.tenant(), await at.tenant()];
  const all = WatchObjectsRequest.fromPartial({ fromRevision: 0n });
  const live = mine.wire.stream(watchObjects, all);
  await other.network();
  const { id } = await mine.network();
  await mine.subnet(id);
  const subnetTold = () =>
    eventsOf(live.messages).some(({ object }) => object?.$case === "clusterNetworkSubnet");
  await until("the subnet is told", subnetTold);
  const told = eventsOf(live.messages);
  const revisions = told.map(({ revision }) => revision);
  expect(revisions).toEqual(revisions.slice().sort((a, b) => Number(a - b)));
  expect(told[0]).toMatchObject({
    operation: WatchOperation.WATCH_OPERATION_CREATED,
    object: { $case: "clusterNetwork", value: { id } },
  });
  const again = WatchObjectsRequest.fromPartial({ fromRevision: revisions[0] });
  const rest = mine.wire.stream(watchObjects, again);
  const wanted = told.filter(({ revision }) => revision > revisions[0]!);
  await until("the rest is told", () => eventsOf(rest.messages).length >= wanted.length);
  expect(eventsOf(rest.messages).slice(0, wanted.length)).toEqual(wanted);
  for (const stream of [live, rest]) stream.call.cancel();
});
