// Claims: one owner per device, sums within limits, all or nothing, all given back.
import type { Claim } from "@railyard/controller/store/contract";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { OpenStore, StoreBox } from "./store.js";
import * as rows from "./store-rows.js";

const { cause } = rows;
const NODE = "node-1" as NodeId;
const LIMITS = { vcpu: 10, memoryMib: 100, diskGib: 100 };
/** What is left beside `claim`. */
const REST = { vcpu: 6, memoryMib: 60, diskGib: 60 };
const LOST = { code: "conflict", reason: "LOST_RACE" };

function claim(instanceId: string, over: Partial<Claim> = {}): Claim {
  return {
    nodeId: NODE,
    instanceId: instanceId as InstanceId,
    gpus: ["GPU-1", "GPU-0"],
    vfs: [{ nic: "NIC-0", vf: 0, attachmentId: rows.attachment().id }],
    vcpu: 4,
    memoryMib: 40,
    diskGib: 40,
    ...over,
  };
}

async function withNode(open: OpenStore): Promise<StoreBox> {
  const box = await open();
  await box.store.write(cause(), async (tx) => {
    await tx.physicalClusters.insert(rows.cluster());
    await tx.nodes.insert(rows.node());
    await tx.claims.setLimits(NODE, LIMITS);
    await tx.claims.claim(claim("ins-1"));
  });
  return box;
}

const CONFLICTS: readonly (readonly [string, Partial<Claim>])[] = [
  ["a GPU", { gpus: ["GPU-7", "GPU-0"], vfs: [] }],
  ["a VF", { gpus: [], vfs: [{ nic: "NIC-0", vf: 0, attachmentId: rows.attachment().id }] }],
  ["vCPUs", { gpus: [], vfs: [], vcpu: 7 }],
  ["memory", { gpus: [], vfs: [], memoryMib: 61 }],
  ["disk", { gpus: [], vfs: [], diskGib: 61 }],
];

/** claim, release, limits. */
export function claimSuite(open: OpenStore): void {
  test("a claim is found by its node and by its instance, in its order", async () => {
    const { store, reopen } = await withNode(open);
    await store.write(cause(), (tx) => tx.claims.setLimits(NODE, LIMITS));
    expect(await store.revision()).toBe(1n);
    const again = await reopen();
    await again.read(async (tx) => {
      expect(await tx.claims.ofInstance("ins-1" as InstanceId)).toEqual(claim("ins-1"));
      const { vcpu, memoryMib, diskGib, gpus, vfs } = claim("ins-1");
      const instanceId = "ins-1";
      const ofNode = {
        nodeId: NODE,
        gpus: gpus.map((deviceId) => ({ deviceId, instanceId })),
        vfs: vfs.map((vf) => ({ ...vf, instanceId })),
        vcpu,
        memoryMib,
        diskGib,
      };
      expect(await tx.claims.ofNode(NODE)).toEqual(ofNode);
      expect(await tx.claims.all()).toEqual([ofNode]);
    });
  });

  test.each(CONFLICTS)("%s taken loses the race and leaves nothing behind", async (_, over) => {
    const { store } = await withNode(open);
    const wanted = claim("ins-2", over);
    await store.write(cause(), async (tx) => {
      await expect(tx.claims.claim(wanted)).rejects.toMatchObject(LOST);
      expect(await tx.claims.ofInstance(wanted.instanceId)).toBeUndefined();
      await tx.claims.claim({ ...wanted, gpus: ["GPU-7"], vfs: [], ...REST });
    });
    expect(await store.read((tx) => tx.claims.ofNode(NODE))).toMatchObject({
      vcpu: 10,
      memoryMib: 100,
      diskGib: 100,
    });
  });

  releaseTests(open);
}

function releaseTests(open: OpenStore): void {
  test("what was released can be claimed at once; a second release does nothing", async () => {
    const { store } = await withNode(open);
    await store.write(cause(), async (tx) => {
      await tx.claims.release("ins-1" as InstanceId);
      await tx.claims.release("ins-1" as InstanceId);
      await tx.claims.claim(claim("ins-2", { vcpu: 10, memoryMib: 100, diskGib: 100 }));
    });
    const { gpus } = await store.read((tx) => tx.claims.ofNode(NODE));
    expect(gpus.map((gpu) => gpu.instanceId)).toEqual(["ins-2", "ins-2"]);
  });

  test("of many that want one bundle exactly one gets it", async () => {
    const { store } = await withNode(open);
    await store.write(cause(), (tx) => tx.claims.release("ins-1" as InstanceId));
    const tries = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        store.write(cause(), (tx) => tx.claims.claim(claim(`ins-${i}`))),
      ),
    );
    expect(tries.filter((one) => one.status === "fulfilled")).toHaveLength(1);
  });

  test("claiming twice is a bug; a node without limits gives nothing", async () => {
    const { store } = await withNode(open);
    const twice = store.write(cause(), (tx) => tx.claims.claim(claim("ins-1")));
    await expect(twice).rejects.toMatchObject({ code: "bug" });
    await store.write(cause(), (tx) => tx.nodes.insert(rows.node("node-2")));
    const wanted = claim("ins-3", { nodeId: "node-2" as NodeId });
    const bare = store.write(cause(), (tx) => tx.claims.claim(wanted));
    await expect(bare).rejects.toMatchObject(LOST);
  });
}
