// Part of the store's suite: what is asked about several things at once, and the order of an
// instance's attachments as the transaction that changes it sees it.
import type { AttachmentId, ClusterNetworkId, InstanceId, SubnetId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";
import { ACCOUNT, cause, OTHER } from "./store-rows.js";

const HERE = [rows.network().id];
const SUBNETS = [rows.subnet().id];

/** Names, blocks, orders. */
export function togetherSuite(open: OpenStore): void {
  test("of many names those are told that the account has taken in these places", async () => {
    const { store } = await open();
    await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await rows.plantInterfaces(tx, 4);
    });
    const asked = ["name-cni-1", "name-cni-3", "name-cnip-2", "name-cnip-4", "free"];
    await store.read(async (tx) => {
      const { interfaces, reservedIps } = tx.account(ACCOUNT);
      const taken = await interfaces.namesTaken(["cn-0" as ClusterNetworkId, ...HERE], asked);
      expect([...taken].sort()).toEqual(["name-cni-1", "name-cni-3"]);
      const ips = await reservedIps.namesTaken(["cns-0" as SubnetId, ...SUBNETS], asked);
      expect([...ips].sort()).toEqual(["name-cnip-2", "name-cnip-4"]);
      expect(await interfaces.namesTaken(["cn-0" as ClusterNetworkId], asked)).toEqual(new Set());
      const other = tx.account(OTHER);
      expect(await other.interfaces.namesTaken(HERE, asked)).toEqual(new Set());
      expect(await other.reservedIps.namesTaken(SUBNETS, asked)).toEqual(new Set());
    });
  });

  test("the siblings of a subnet are told by first address, with their blocks", async () => {
    const { store } = await open();
    const below = { first: rows.BASE - 256, prefix: 24 };
    const second = rows.subnet("cns-2", { cidr: below });
    await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await tx.account(ACCOUNT).subnets.insert(second);
    });
    const [network = rows.network().id] = HERE;
    const found = await store.read((tx) => tx.account(ACCOUNT).subnets.siblings(network));
    const blocks = [second, rows.subnet()].map(({ id, cidr }) => ({ id, cidr }));
    expect(found).toEqual(blocks);
    expect(await store.read((tx) => tx.account(OTHER).subnets.siblings(network))).toEqual([]);
  });

  orderTests(open);
}

function orderTests(open: OpenStore): void {
  const id = rows.instance().id;

  test("who asks for an order again sees every change that was made meanwhile", async () => {
    const { store } = await open();
    const seen: string[] = [];
    await store.write(cause(), async (tx) => {
      const { attachments } = tx.account(ACCOUNT);
      const look = async () => {
        const order = await attachments.ofInstance(id as InstanceId);
        seen.push(order.map((row) => `${row.id}/${row.position}/${row.name}`).join(" "));
      };
      await rows.plant(tx);
      await rows.plantInterfaces(tx, 2);
      await look();
      const interfaceId = rows.networkInterface("cni-2").id;
      await attachments.insert(rows.attachment("cna-2", { interfaceId, position: 1, name: "b" }));
      await look();
      await attachments.update(rows.attachment("cna-1", { name: "a" }));
      await look();
      await attachments.delete("cna-1" as AttachmentId);
      await look();
      expect(await tx.account(OTHER).attachments.ofInstance(id)).toEqual([]);
    });
    const first = `cna-1/0/${rows.attachment().name}`;
    const second = "cna-2/1/b";
    expect(seen).toEqual([first, `${first} ${second}`, `cna-1/0/a ${second}`, second]);
  });

  test("a new instance's attachments have their order however they are inserted", async () => {
    const { store } = await open();
    const host = rows.instance("ins-2");
    const order = await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await rows.plantInterfaces(tx, 3);
      const { instances, attachments } = tx.account(ACCOUNT);
      await instances.insert(host);
      await attachments.insertAll(
        [1, 0].map((position) => {
          const interfaceId = rows.networkInterface(`cni-${position + 2}`).id;
          return rows.attachment(`cna-${position + 2}`, {
            ...{ instanceId: host.id, interfaceId, position },
          });
        }),
      );
      return attachments.ofInstance(host.id);
    });
    expect(order.map((row) => row.position)).toEqual([0, 1]);
    const stored = await store.read((tx) => tx.account(ACCOUNT).attachments.ofInstance(host.id));
    expect(stored).toEqual(order);
  });
}
