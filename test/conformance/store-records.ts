// Rows come back as they went in, also after the store was closed and opened again.
import type { Store } from "@railyard/controller/store/contract";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";

const { ACCOUNT, OTHER, cause } = rows;

/** Rows of every noun, through insert, update, delete, reopen. */
export function recordSuite(open: OpenStore): void {
  test("a new database is at revision 0 and in epoch 1", async () => {
    const { store } = await open();
    expect(await store.revision()).toBe(0n);
    expect(await store.read((tx) => tx.meta.get("epoch"))).toBe("1");
  });

  test("every noun comes back as it was inserted, and again after reopening", async () => {
    const { store, reopen } = await open();
    await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await tx.tokens.insert(rows.token());
    });
    await expectPlanted(store);
    await expectPlanted(await reopen());
  });

  test("a placement keeps its 64-bit generation and is found by its node", async () => {
    const { store } = await open();
    const placement = {
      nodeId: rows.node().id,
      pairs: [{ gpu: "GPU-1", nic: "NIC-1", rail: 0 }],
      phase: "leaving" as const,
      sinceGeneration: 2n ** 60n,
    };
    await store.write(cause(), async (tx) => {
      await rows.plant(tx);
      await tx.everyone.instances.update(rows.instance("ins-1", { placement }));
    });
    const onNode = await store.read((tx) => tx.instancesOnNode("node-1" as NodeId));
    expect(onNode).toEqual([rows.instance("ins-1", { placement })]);
    expect(await store.read((tx) => tx.instancesOnNode("node-2" as NodeId))).toEqual([]);
    const load = (node: string) => store.read((tx) => tx.loadOfNode(node as NodeId));
    expect(await load("node-2")).toEqual({ instances: 0, bytes: 0 });
    expect(await load("node-1")).toEqual({ instances: 1, bytes: expect.any(Number) });
    expect((await load("node-1")).bytes).toBeGreaterThan(100);
  });

  test("another account's objects are missing, to reads and to writes", async () => {
    const { store } = await open();
    await store.write(cause(), rows.plant);
    const id = rows.instance().id;
    expect(await store.read((tx) => tx.account(OTHER).instances.get(id))).toBeUndefined();
    expect(await store.read((tx) => tx.everyone.instances.get(id))).toBeDefined();
    const bug = { code: "bug" };
    const update = store.write(cause(), (tx) =>
      tx.account(OTHER).instances.update(rows.instance()),
    );
    await expect(update).rejects.toMatchObject(bug);
    const remove = store.write(cause(), (tx) => tx.account(OTHER).instances.delete(id));
    await expect(remove).rejects.toMatchObject(bug);
    const insert = store.write(cause(), (tx) =>
      tx.account(OTHER).instances.insert(rows.instance("ins-2")),
    );
    await expect(insert).rejects.toMatchObject(bug);
  });

  declaredTests(open);
}

async function expectPlanted(store: Store): Promise<void> {
  await store.read(async (tx) => {
    const own = tx.account(ACCOUNT);
    expect(await tx.physicalClusters.all()).toEqual([rows.cluster()]);
    expect(await tx.nodes.byName("name-node-1")).toEqual(rows.node());
    expect(await own.clusterNetworks.get(rows.network().id)).toEqual(rows.network());
    expect(await own.subnets.ofNetwork(rows.network().id)).toEqual([rows.subnet()]);
    expect(await own.reservedIps.byAddress(rows.subnet().id, rows.BASE + 4)).toEqual(
      rows.reservedIp(),
    );
    expect(await own.interfaces.get(rows.networkInterface().id)).toEqual(rows.networkInterface());
    expect(await own.instances.get(rows.instance().id)).toEqual(rows.instance());
    expect(await own.attachments.ofInstance(rows.instance().id)).toEqual([rows.attachment()]);
    expect(await tx.tokens.byHash("hash-tok-1")).toEqual(rows.token());
  });
}

function declaredTests(open: OpenStore): void {
  test("declared things are put, replaced and removed by name", async () => {
    const { store } = await open();
    const document = { name: "us-east", generation: 7, document: "{}", appliedAt: 1 };
    await store.write(cause(), async (tx) => {
      await tx.zones.put({ name: "z2" });
      await tx.zones.put({ name: "z1" });
      await tx.mzones.put(document);
      await tx.mzones.put({ ...document, generation: 8 });
      await tx.zones.put({ name: "z3" });
      await tx.zones.remove("z3");
    });
    expect(await store.read(async (tx) => tx.zones.all())).toEqual([
      { name: "z1" },
      { name: "z2" },
    ]);
    expect((await store.read(async (tx) => tx.mzones.get("us-east")))?.generation).toBe(8);
  });

  test("a catalog item of one account is missing to another, a common one is not", async () => {
    const { store } = await open();
    await store.write(cause(), async (tx) => {
      await tx.catalog.put({ kind: "vpc", id: "vpc-1", account: ACCOUNT, name: "own" });
      await tx.catalog.put({ kind: "vpc", id: "vpc-2", account: undefined, name: "all" });
    });
    await store.read(async (tx) => {
      expect(await tx.catalog.get("vpc", "vpc-1", ACCOUNT)).toMatchObject({ name: "own" });
      expect(await tx.catalog.get("vpc", "vpc-1", OTHER)).toBeUndefined();
      expect(await tx.catalog.get("vpc", "vpc-2", OTHER)).toMatchObject({ name: "all" });
      expect(await tx.catalog.get("image", "vpc-1", ACCOUNT)).toBeUndefined();
    });
  });

  test("changing a row that is not there is a bug", async () => {
    const { store } = await open();
    const missing = "ins-9" as InstanceId;
    const remove = store.write(cause(), (tx) => tx.account(ACCOUNT).instances.delete(missing));
    await expect(remove).rejects.toMatchObject({ code: "bug" });
    const update = store.write(cause(), (tx) => tx.nodes.update(rows.node()));
    await expect(update).rejects.toMatchObject({ code: "bug" });
  });
}
