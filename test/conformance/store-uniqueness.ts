// Every uniqueness rule of the schema, by its name, and the one that waits for the end of a
// transaction.
import type { Unique, WriteTx } from "@railyard/controller/store/contract";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";

const { ACCOUNT, OTHER, cause } = rows;

type Breaker = readonly [Unique, string, (tx: WriteTx) => Promise<void>];

const TENANT_BREAKERS: readonly Breaker[] = [
  [
    "network-name",
    "two networks of one account",
    (tx) => tx.everyone.clusterNetworks.insert(rows.network("cn-2", { name: "name-cn-1" })),
  ],
  [
    "subnet-name",
    "two subnets of one network",
    (tx) => tx.everyone.subnets.insert(rows.subnet("cns-2", { name: "name-cns-1" })),
  ],
  [
    "reserved-ip-name",
    "two reserved IPs of one subnet",
    (tx) =>
      tx.everyone.reservedIps.insert(
        rows.reservedIp("cnip-9", { address: 1, name: "name-cnip-1" }),
      ),
  ],
  [
    "subnet-address",
    "one address twice",
    (tx) => tx.everyone.reservedIps.insert(rows.reservedIp("cnip-9")),
  ],
  [
    "interface-name",
    "two interfaces of one network",
    (tx) =>
      tx.everyone.interfaces.insert(
        rows.networkInterface("cni-9", { mac: "02:00:00:00:00:99", name: "name-cni-1" }),
      ),
  ],
  [
    "network-mac",
    "one MAC twice in a network",
    (tx) => tx.everyone.interfaces.insert(rows.networkInterface("cni-9")),
  ],
  [
    "instance-name",
    "two instances of one account",
    (tx) => tx.everyone.instances.insert(rows.instance("ins-2", { name: "name-ins-1" })),
  ],
  [
    "attachment-name",
    "two attachments of one instance",
    (tx) =>
      tx.everyone.attachments.insert(
        rows.attachment("cna-2", {
          name: "name-cna-1",
          position: 1,
          interfaceId: rows.networkInterface("cni-2").id,
        }),
      ),
  ],
  [
    "interface-target",
    "one interface under two attachments",
    (tx) => tx.everyone.attachments.insert(rows.attachment("cna-2", { position: 1 })),
  ],
  [
    "instance-position",
    "one position twice at the end of the transaction",
    (tx) =>
      tx.everyone.attachments.insert(
        rows.attachment("cna-2", { interfaceId: rows.networkInterface("cni-2").id }),
      ),
  ],
  [
    "id",
    "one id twice",
    (tx) => tx.everyone.instances.insert(rows.instance("ins-1", { name: "b" })),
  ],
];

const YARD_BREAKERS: readonly Breaker[] = [
  [
    "physical-cluster-name",
    "two physical clusters",
    (tx) => tx.physicalClusters.insert({ ...rows.cluster("pc-2"), name: "name-pc-1" }),
  ],
  [
    "node-name",
    "two nodes of one name",
    (tx) => tx.nodes.insert({ ...rows.node("node-2"), name: "name-node-1" }),
  ],
  [
    "node-serial",
    "two nodes of one serial",
    (tx) => tx.nodes.insert({ ...rows.node("node-2"), serial: "serial-node-1" }),
  ],
  [
    "token-hash",
    "two tokens of one secret",
    (tx) => tx.tokens.insert(rows.token("tok-2", { secretHash: "hash-tok-1" })),
  ],
  [
    "request-id",
    "one request id twice",
    async (tx) => {
      const record = { scope: "s", method: "M", requestId: "r", hash: "h", at: 1 };
      await tx.requests.insert({ ...record, answer: new Uint8Array() });
      await tx.requests.insert({ ...record, answer: new Uint8Array() });
    },
  ],
];

/** One test for each rule. */
export function uniquenessSuite(open: OpenStore): void {
  test.each([...TENANT_BREAKERS, ...YARD_BREAKERS])("%s refuses %s", async (unique, _, breaker) => {
    const { store } = await open();
    await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await rows.plantInterfaces(tx, 3);
      await tx.tokens.insert(rows.token());
    });
    const before = await store.revision();
    await expect(store.write(cause(), breaker)).rejects.toMatchObject({
      code: "exists",
      parts: { metadata: { unique } },
    });
    expect(await store.revision()).toBe(before);
  });

  test("the same names and MACs may stand in another account and network", async () => {
    const { store } = await open();
    await store.write(cause(), rows.plant);
    await store.write(cause(), async (tx) => {
      const theirs = tx.account(OTHER);
      const net = rows.network("cn-2", { account: OTHER, name: "name-cn-1" });
      const place = { account: OTHER, clusterNetworkId: net.id };
      const sub = rows.subnet("cns-2", { ...place, name: "name-cns-1" });
      const ip = rows.reservedIp("cnip-2", { ...place, subnetId: sub.id });
      await theirs.clusterNetworks.insert(net);
      await theirs.subnets.insert(sub);
      await theirs.reservedIps.insert(ip);
      const bound = { ...place, subnetId: sub.id, primaryIpId: ip.id, name: "name-cni-1" };
      await theirs.interfaces.insert(rows.networkInterface("cni-2", bound));
    });
    expect(await store.revision()).toBe(2n);
  });

  positionTests(open);
}

function positionTests(open: OpenStore): void {
  test("positions may be turned round one row at a time", async () => {
    const { store } = await open();
    await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await rows.plantInterfaces(tx, 3);
      for (const position of [1, 2]) {
        const interfaceId = rows.networkInterface(`cni-${position + 1}`).id;
        await tx.everyone.attachments.insert(
          rows.attachment(`cna-${position + 1}`, { position, interfaceId }),
        );
      }
    });
    await store.write(cause(), async (tx) => {
      const { attachments } = tx.account(ACCOUNT);
      const old = await attachments.ofInstance(rows.instance().id);
      for (const row of old) await attachments.update({ ...row, position: 2 - row.position });
    });
    const now = await store.read((tx) => tx.everyone.attachments.ofInstance(rows.instance().id));
    expect(now.map((row) => row.id)).toEqual(["cna-3", "cna-2", "cna-1"]);
    expect(now.map((row) => row.position)).toEqual([0, 1, 2]);
  });

  test("an attachment may be inserted ahead of others that then move up", async () => {
    const { store } = await open();
    await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await rows.plantInterfaces(tx, 2);
      const interfaceId = rows.networkInterface("cni-2").id;
      await tx.everyone.attachments.insert(rows.attachment("cna-2", { interfaceId }));
      await tx.everyone.attachments.update(rows.attachment("cna-1", { position: 1 }));
    });
    const now = await store.read((tx) => tx.everyone.attachments.ofInstance(rows.instance().id));
    expect(now.map((row) => row.id)).toEqual(["cna-2", "cna-1"]);
  });
}
