// Part of the store's suite: what is asked about several things at once, and the order of an
// instance's attachments as the transaction that changes it sees it.
import type { AttachmentId, InstanceId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";
import { ACCOUNT, cause, OTHER } from "./store-rows.js";

const HERE = [rows.network().id];

/** Names, blocks, orders. */
export function togetherSuite(open: OpenStore): void {
  test("the blocks of a network's subnets are told by first address", async () => {
    const { store } = await open();
    const below = { first: rows.BASE - 256, prefix: 24 };
    const second = rows.subnet("cns-2", { cidr: below });
    await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await tx.account(ACCOUNT).subnets.insert(second);
    });
    const [network = rows.network().id] = HERE;
    const found = await store.read((tx) => tx.account(ACCOUNT).subnets.blocks(network));
    expect(found).toEqual([below, rows.subnet().cidr]);
    expect(await store.read((tx) => tx.account(OTHER).subnets.blocks(network))).toEqual([]);
  });

  test("a write does not wait behind all the writes of another account", async () => {
    const { store } = await open();
    const done: string[] = [];
    const write = (name: string, account?: typeof OTHER) =>
      store.write(cause("Test", account), async () => void done.push(name));
    const much = Array.from({ length: 500 }, (_, i) => write(`much ${i}`, ACCOUNT));
    const others = [write("little", OTHER), write("the provider's")];
    await Promise.all([...much, ...others]);
    expect(done.indexOf("little")).toBeLessThan(4);
    expect(done.indexOf("the provider's")).toBeLessThan(4);
    const own = done.filter((name) => name.startsWith("much"));
    expect(own).toEqual(much.map((_, i) => `much ${i}`));
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
