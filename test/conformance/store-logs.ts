// The change log, the account logs and the audit log: complete, in order, without gaps.
import type { AccountRows } from "@railyard/controller/store/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";

const { ACCOUNT, OTHER, NOW, cause } = rows;

async function addNetwork(own: AccountRows, id: string, account = ACCOUNT): Promise<void> {
  await own.clusterNetworks.insert(rows.network(id, { account }));
}

/** What a write leaves in the three logs. */
export function logSuite(open: OpenStore): void {
  test("one write is one change row, one account row each, one audit row", async () => {
    const { store } = await open();
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    await store.write({ ...cause("CreateBoth", ACCOUNT), requestId: "r-1" }, async (tx) => {
      await addNetwork(tx.account(ACCOUNT), "cn-1");
      await addNetwork(tx.account(OTHER), "cn-2", OTHER);
    });
    const entry = (id: string, account: string) => ({
      kind: "clusterNetwork",
      id,
      account,
      op: "created",
    });
    const mine = entry("cn-1", ACCOUNT);
    await store.read(async (tx) => {
      expect(await tx.logs.changesAfter(1n, 10)).toEqual([
        { revision: 2n, at: NOW, entries: [mine, entry("cn-2", OTHER)] },
      ]);
      expect(await tx.logs.accountChangesAfter(ACCOUNT, 0n, { rows: 10 })).toEqual([
        { accountRevision: 1n, revision: 2n, at: NOW, entries: [mine] },
      ]);
      expect(await tx.logs.audit(1n, 10)).toEqual([
        {
          revision: 2n,
          by: "tok-test",
          method: "CreateBoth",
          requestId: "r-1",
          account: ACCOUNT,
          at: NOW,
          targets: ["clusterNetwork/cn-1", "clusterNetwork/cn-2"],
        },
      ]);
    });
  });

  test("a write that changes nothing leaves no trace, nor does repeating one", async () => {
    const { store } = await open();
    await store.write(cause(), rows.plant);
    await store.write(cause(), async (tx) => {
      await tx.everyone.instances.update(rows.instance());
      await tx.nodes.update(rows.node());
      await tx.meta.set("epoch", "1");
    });
    expect(await store.revision()).toBe(1n);
    expect(await store.read((tx) => tx.logs.audit(0n, 10))).toHaveLength(1);
  });

  collapseTests(open);
  gapTests(open);
}

function collapseTests(open: OpenStore): void {
  test("created and updated shows as created, created and deleted not at all", async () => {
    const { store } = await open();
    await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
    await store.write(cause(), async (tx) => {
      const { clusterNetworks } = tx.account(ACCOUNT);
      await clusterNetworks.insert(rows.network("cn-1"));
      await clusterNetworks.update(rows.network("cn-1", { etag: "e2" }));
      await clusterNetworks.insert(rows.network("cn-2"));
      await clusterNetworks.delete(rows.network("cn-2").id);
    });
    await store.write(cause(), async (tx) => {
      const { clusterNetworks } = tx.account(ACCOUNT);
      await clusterNetworks.update(rows.network("cn-1", { etag: "e3" }));
      await clusterNetworks.delete(rows.network("cn-1").id);
    });
    const log = await store.read((tx) => tx.logs.accountChangesAfter(ACCOUNT, 0n, { rows: 10 }));
    expect(log.map(({ entries }) => entries.map(({ id, op }) => [id, op]))).toEqual([
      [["cn-1", "created"]],
      [["cn-1", "deleted"]],
    ]);
  });
}

interface Step {
  readonly account: typeof ACCOUNT;
  readonly fails: boolean;
  readonly wait: boolean;
}

const STEPS = fc.array(
  fc.record<Step>({
    account: fc.constantFrom(ACCOUNT, OTHER),
    fails: fc.boolean(),
    wait: fc.boolean(),
  }),
  { maxLength: 40 },
);

function gapTests(open: OpenStore): void {
  test("revisions of store and accounts have no gap, whatever fails", async () => {
    await fc.assert(
      fc.asyncProperty(STEPS, async (steps) => {
        const { store } = await open();
        await store.write(cause(), (tx) => tx.physicalClusters.insert(rows.cluster()));
        const running: Promise<unknown>[] = [];
        for (const [i, { account, fails, wait }] of steps.entries()) {
          const writing = store.write(cause("Add", account), async (tx) => {
            await addNetwork(tx.account(account), `cn-${i}`, account);
            if (fails) throw new Error("planned");
          });
          running.push(writing.catch(() => undefined));
          if (wait) await Promise.all(running);
        }
        await Promise.all(running);
        const kept = steps.filter((step) => !step.fails);
        await store.read(async (tx) => {
          const changes = await tx.logs.changesAfter(0n, 1_000);
          expect(changes.map((row) => row.revision)).toEqual(upTo(kept.length + 1));
          const audit = await tx.logs.audit(0n, 1_000);
          expect(audit.map((row) => row.revision)).toEqual(upTo(kept.length + 1));
          for (const account of [ACCOUNT, OTHER]) {
            const own = await tx.logs.accountChangesAfter(account, 0n, { rows: 1_000 });
            const count = kept.filter((step) => step.account === account).length;
            expect(own.map((row) => row.accountRevision)).toEqual(upTo(count));
          }
        });
      }),
      { numRuns: 15 },
    );
  });

  test("the log is read in pages from any revision", async () => {
    const { store } = await open();
    for (let i = 0; i < 5; i++) await store.write(cause(), (tx) => tx.zones.put({ name: `z${i}` }));
    const page = await store.read((tx) => tx.logs.changesAfter(2n, 2));
    expect(page.map((row) => row.revision)).toEqual([3n, 4n]);
    expect(await store.read((tx) => tx.logs.changesAfter(5n, 2))).toEqual([]);
  });
}

function upTo(n: number): bigint[] {
  return Array.from({ length: n }, (_, i) => BigInt(i + 1));
}
