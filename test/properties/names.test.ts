// Concurrent creates against a plain set: of all that ask for one name in one scope, one gets it;
// and whatever repeats a request id gets the first answer, or is told that it was used.
import { createNetwork, type NetworkView } from "@railyard/controller/service/cluster-network";
import { createInterface } from "@railyard/controller/service/interface";
import { createReservedIp } from "@railyard/controller/service/reserved-ip";
import { createSubnet } from "@railyard/controller/service/subnet";
import { asRailyardError } from "@railyard/lib/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ALICE, BOB, createInstanceNamed, networkWish, type Rig, rig } from "./world.js";

const RUNS = 30;
const DRAWS = { minLength: 2, maxLength: 10 };
const CHECKED = { numRuns: RUNS };

type Create = (made: Rig, where: Place, name: string) => Promise<unknown>;

interface Place {
  readonly clusterNetworkId: Awaited<ReturnType<Rig["network"]>>["networkId"];
  readonly subnetId: Awaited<ReturnType<Rig["network"]>>["subnetId"];
}

const fresh = { kind: "new", address: "", name: "", autoDelete: true } as const;
const CREATES: Readonly<Record<string, Create>> = {
  subnet: (made, { clusterNetworkId }, name) => {
    const range = { kind: "count", count: 8 } as const;
    const wish = { clusterNetworkId, name, range, rail: undefined };
    return createSubnet(made.ctx, made.call(), wish);
  },
  "reserved IP": (made, where, name) =>
    createReservedIp(made.ctx, made.call(), { ...where, address: "", name }),
  interface: (made, where, name) => {
    const wish = { ...where, primaryIp: fresh, name, allowIpSpoofing: false };
    return createInterface(made.ctx, made.call(), wish);
  },
  instance: (made, { subnetId }, name) => createInstanceNamed(made, subnetId, name),
};

test.each(Object.keys(CREATES))("of concurrent creates one %s gets each name", async (noun) => {
  const create = CREATES[noun]!;
  const names = fc.array(fc.constantFrom("one", "two", "three"), DRAWS);
  await fc.assert(
    fc.asyncProperty(names, async (wanted) => {
      const made = await rig({ nodes: 0 });
      const { networkId: clusterNetworkId, subnetId } = await made.network();
      const where = { clusterNetworkId, subnetId };
      const outcomes = await Promise.allSettled(wanted.map((name) => create(made, where, name)));
      const got = wanted.filter((_, i) => outcomes[i]?.status === "fulfilled");
      expect(got.sort()).toEqual([...new Set(wanted)].sort());
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") {
          expect(asRailyardError(outcome.reason).reason).toBe("NAME_TAKEN");
        }
      }
      await made.ctx.store.close();
    }),
    { ...CHECKED, numRuns: 12 },
  );
});

test("a network's name is unique in each account, however many ask at once", async () => {
  const wish = fc.record({
    account: fc.constantFrom(ALICE, BOB),
    name: fc.constantFrom("one", "two"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(wish, DRAWS), async (wanted) => {
      const made = await rig({ nodes: 0 });
      const outcomes = await Promise.allSettled(
        wanted.map(({ account, name }) =>
          createNetwork(made.ctx, made.call<NetworkView>({ account }), vpcOf(account, name)),
        ),
      );
      const key = ({ account, name }: (typeof wanted)[number]) => `${account}/${name}`;
      const got = wanted.filter((_, i) => outcomes[i]?.status === "fulfilled").map(key);
      expect(got.sort()).toEqual([...new Set(wanted.map(key))].sort());
      await made.ctx.store.close();
    }),
    CHECKED,
  );
});

test("a repeated create makes one object and answers with the first bytes", async () => {
  const call = fc.record({ id: fc.nat({ max: 2 }), body: fc.nat({ max: 1 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(call, DRAWS), async (calls) => {
      const made = await rig({ nodes: 0 });
      const outcomes = await Promise.allSettled(calls.map((one) => repeat(made, one)));
      const first = new Map<number, { readonly body: number; readonly bytes: string }>();
      for (const [i, { id, body }] of calls.entries()) {
        const outcome = outcomes[i]!;
        if (outcome.status === "fulfilled" && !first.has(id)) {
          first.set(id, { body, bytes: outcome.value });
        }
      }
      for (const [i, { id, body }] of calls.entries()) {
        const outcome = outcomes[i]!;
        const known = first.get(id);
        if (outcome.status === "fulfilled") {
          expect({ body, bytes: outcome.value }).toEqual(known);
        } else {
          expect(asRailyardError(outcome.reason).reason).toBe("REQUEST_ID_REUSED");
          expect(body).not.toBe(known?.body);
        }
      }
      const made1 = await made.ctx.store.read((tx) =>
        tx.account(ALICE).clusterNetworks.list({ filter: {}, limit: 9 }),
      );
      expect(made1.total).toBe(new Set(calls.map(({ id }) => id)).size);
      await made.ctx.store.close();
    }),
    CHECKED,
  );
});

function vpcOf(account: typeof ALICE, name: string) {
  return networkWish({ name, ...(account === BOB && { vpcId: "vpc-all" }) });
}

/** One create with request id and body; resolves with the answer's bytes. */
async function repeat(made: Rig, { id, body }: { id: number; body: number }): Promise<string> {
  const over = {
    requestId: `2d8f1a34-0000-4000-8000-00000000000${id}`,
    requestHash: `body ${body}`,
  };
  const call = {
    ...made.call<NetworkView>(over),
    answer: ({ network }: NetworkView) => network.etag,
    encode: (etag: string) => Buffer.from(etag),
    decode: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
  };
  return createNetwork(made.ctx, call, networkWish({ resourceGroupId: `rg-${body}` }));
}
