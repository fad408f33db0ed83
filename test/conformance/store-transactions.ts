// One write is all or nothing, whoever shares its commit; reads see commits only; only `tx` is
// awaited.
import type { Store, WriteTx } from "@railyard/controller/store/contract";
import { expect, test } from "vitest";
import type { OpenStore } from "./store.js";
import * as rows from "./store-rows.js";

const { cause } = rows;

function set(store: Store, key: string, value: string): Promise<void> {
  return store.write(cause(), (tx) => tx.meta.set(key, value));
}

function metaOf(store: Store, key: string): Promise<string | undefined> {
  return store.read((tx) => tx.meta.get(key));
}

/** Isolation, rollback, durability, misuse. */
export function transactionSuite(open: OpenStore): void {
  test("a throw undoes its own write and no neighbour's in the same commit", async () => {
    const { store, reopen } = await open();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) =>
        store.write(cause(), async (tx) => {
          await tx.meta.set(`k${i}`, "v");
          if (i % 3 === 0) throw new Error(`planned ${i}`);
          return i;
        }),
      ),
    );
    const again = await reopen();
    for (const [i, outcome] of outcomes.entries()) {
      const kept = i % 3 !== 0;
      expect(outcome).toMatchObject(
        kept ? { value: i } : { reason: expect.objectContaining({ message: `planned ${i}` }) },
      );
      expect(await metaOf(again, `k${i}`)).toBe(kept ? "v" : undefined);
    }
    expect(await again.revision()).toBe(20n);
  });

  test("a later write of the same batch sees the earlier one", async () => {
    const { store } = await open();
    const [, seen] = await Promise.all([
      set(store, "k", "v"),
      store.write(cause(), (tx) => tx.meta.get("k")),
    ]);
    expect(seen).toBe("v");
  });

  readTests(open);
  misuseTests(open);
  lifeTests(open);
}

function readTests(open: OpenStore): void {
  test("reads see all of a transaction or nothing, and only once it is acknowledged", async () => {
    const { store } = await open();
    const halves: boolean[] = [];
    const writes = Array.from({ length: 50 }, (_, i) =>
      store.write(cause(), async (tx) => {
        await tx.meta.set("left", String(i));
        await tx.meta.set("right", String(i));
      }),
    );
    const reads = Array.from({ length: 50 }, async () => {
      const [left, right] = await store.read(async (tx) => [
        await tx.meta.get("left"),
        await tx.meta.get("right"),
      ]);
      halves.push(left !== right);
    });
    await Promise.all([...writes, ...reads]);
    expect(halves).toEqual(Array(50).fill(false));
    await expect(metaOf(store, "left")).resolves.toBe("49");
  });

  test("a read never sees a write that failed", async () => {
    const { store } = await open();
    const failing = store.write(cause(), async (tx) => {
      await tx.meta.set("k", "ghost");
      throw new Error("planned");
    });
    const seen = metaOf(store, "k");
    await expect(failing).rejects.toThrow("planned");
    expect(await seen).toBeUndefined();
    expect(await metaOf(store, "k")).toBeUndefined();
  });
}

function misuseTests(open: OpenStore): void {
  test("awaiting something foreign fails as a bug and undoes the write; others go on", async () => {
    const { store } = await open();
    const never = store.write(cause(), async (tx) => {
      await tx.meta.set("k", "v");
      await new Promise(() => {});
    });
    const after = set(store, "next", "v");
    await expect(never).rejects.toMatchObject({ code: "bug" });
    await after;
    expect(await metaOf(store, "k")).toBeUndefined();
    expect(await metaOf(store, "next")).toBe("v");
  });

  test("what a function forgot to await is never kept without its log row", async () => {
    const { store } = await open();
    const lost: Promise<unknown>[] = [];
    await store.write(cause(), async (tx) => {
      for (let i = 0; i < 50; i++) {
        const step = Promise.resolve().then(async () => {
          for (let n = 0; n < i; n++) await tx.meta.get("k");
          await tx.meta.set(`k${i}`, "v");
        });
        lost.push(step.catch(() => undefined));
      }
      await tx.meta.set("k", "v");
    });
    await Promise.all(lost);
    await store.read(async (tx) => {
      const [row] = await tx.logs.audit(0n, 10);
      for (let i = 0; i < 50; i++) {
        const kept = (await tx.meta.get(`k${i}`)) === "v";
        if (kept) expect(row?.targets).toContain(`meta/k${i}`);
      }
    });
  });

  test("reading the store inside a write fails as a bug rather than hang", async () => {
    const { store } = await open();
    const nested = store.write(cause(), () => store.revision());
    await expect(nested).rejects.toMatchObject({ code: "bug" });
  });

  test("a transaction is of no use after its end, and a read's cannot write", async () => {
    const { store } = await open();
    const kept: WriteTx[] = [];
    await store.write(cause(), async (tx) => {
      kept.push(tx);
    });
    await expect(kept[0]!.meta.set("k", "v")).rejects.toMatchObject({ code: "bug" });
    const writing = store.read((tx) => (tx as WriteTx).meta.set("k", "v"));
    await expect(writing).rejects.toMatchObject({ code: "bug" });
  });

  referenceTests(open);
}

function referenceTests(open: OpenStore): void {
  test("a parent cannot go while a child is there", async () => {
    const { store } = await open();
    await store.write(cause(), rows.plant);
    const orphaning = store.write(cause(), (tx) => tx.everyone.subnets.delete(rows.subnet().id));
    await expect(orphaning).rejects.toMatchObject({ code: "bug" });
  });
}

function lifeTests(open: OpenStore): void {
  test("commit listeners hear the newest revision, after the data can be read", async () => {
    const { store } = await open();
    const heard: bigint[] = [];
    store.onCommit((revision) => heard.push(revision));
    await Promise.all([set(store, "a", "1"), set(store, "b", "1")]);
    await store.write(cause(), async () => undefined);
    expect(heard.at(-1)).toBe(2n);
    expect(await store.revision()).toBe(2n);
  });

  test("closing lets waiting work finish and refuses what comes later", async () => {
    const { store, reopen } = await open();
    const waiting = set(store, "k", "v");
    const closed = store.close();
    await expect(set(store, "late", "v")).rejects.toMatchObject({ code: "unavailable" });
    await waiting;
    await closed;
    expect(await metaOf(await reopen(), "k")).toBe("v");
  });

  test("a flood beyond the queue's bound is refused with a time to come back", async () => {
    const { store } = await open();
    const reads = Array.from({ length: 20_000 }, () => store.revision().catch((err) => err));
    const refused = (await Promise.all(reads)).filter((answer) => typeof answer !== "bigint");
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({
      code: "unavailable",
      parts: { retryAfterMs: expect.any(Number) },
    });
  });
}
