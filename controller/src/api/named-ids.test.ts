// What a log line says of the objects of a call, and that it says no more.
import { expect, test } from "vitest";
import { addIdsMade, IDS_MAX, idsNamed } from "./named-ids.js";

test("a request's objects are named by their ids, without names and secrets", () => {
  const request = { clusterNetworkId: "cn-1", subnetId: "", id: "cni-1", name: "n", token: "t" };
  expect(idsNamed(request)).toEqual(["cn-1", "cni-1"]);
});

test("what an answer holds is added once, and no more than a line has room for", () => {
  const ids = ["cn-1"];
  addIdsMade(ids, { clusterNetwork: { id: "cn-1", name: "n" }, secret: "s", subnet: undefined });
  addIdsMade(ids, { token: { id: "tok-1" }, odd: { id: "no id" } });
  expect(ids).toEqual(["cn-1", "tok-1"]);
  addIdsMade(ids, { instances: Array.from({ length: 99 }, (_, i) => ({ id: `ins-${i}` })) });
  expect(ids).toHaveLength(IDS_MAX);
});
