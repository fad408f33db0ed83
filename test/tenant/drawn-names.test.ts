// Random names that turn out to be taken: chance is made to draw the same words again.
import { createNetwork } from "@railyard/controller/service/cluster-network";
import { createReservedIp } from "@railyard/controller/service/reserved-ip";
import type { Rng } from "@railyard/lib/rng";
import { expect, test } from "vitest";
import { instance, instanceWish, networkWish, type Rig, refusal, rig } from "./rig.js";

interface Forgetful {
  readonly made: Rig;
  /** Chance begins again as it was; `always`: with every draw. */
  forget(always?: boolean): void;
}

async function forgetful(): Promise<Forgetful> {
  const made = await rig({ nodes: 2 });
  const begun = () => made.ctx.rng.fork("account");
  let stream = begun();
  let isAlways = false;
  const bytes = (n: number) => (isAlways ? begun() : stream).bytes(n);
  const rng: Rng = { ...made.ctx.rng, fork: () => ({ ...begun(), bytes }) };
  const forget = (always = false) => {
    stream = begun();
    isAlways = always;
  };
  return { made: { ...made, ctx: { ...made.ctx, rng } }, forget };
}

test("a random name that is taken is drawn again, unseen by the caller", async () => {
  const { made, forget } = await forgetful();
  const first = await createNetwork(made.ctx, made.call(), networkWish());
  made.clock.advance(1);
  forget();
  const second = await createNetwork(made.ctx, made.call(), networkWish());
  expect(second.network.name).not.toBe(first.network.name);
  const { rows } = await made.ctx.store.read((tx) =>
    tx.account(first.network.account).clusterNetworks.list({ limit: 9, filter: {} }),
  );
  expect(rows).toHaveLength(2);
});

test("so are those of an instance's interfaces and reserved IPs", async () => {
  const { made, forget } = await forgetful();
  const { subnetId } = await made.network();
  forget();

  const first = await instance(made, { ...instanceWish(subnetId), name: "one" });
  made.clock.advance(1);
  forget();
  const second = await instance(made, { ...instanceWish(subnetId), name: "two" });
  expect([first.name, second.name]).toEqual(["one", "two"]);
});

test("when no draw is free the caller is asked for a name", async () => {
  const { made, forget } = await forgetful();
  const { networkId, subnetId } = await made.network();
  const wish = { clusterNetworkId: networkId, subnetId, name: "", address: "" };
  forget(true);
  await createReservedIp(made.ctx, made.call(), wish);
  made.clock.advance(1);
  const error = await refusal(createReservedIp(made.ctx, made.call(), wish));
  expect(error).toMatchObject({ code: "unavailable", message: expect.stringMatching(/give one/) });
});
