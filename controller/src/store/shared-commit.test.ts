// The order of turns and what callers hear when a commit fails, over an engine that fails on
// request.
import { ManualClock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import { silentLog } from "@railyard/lib/log";
import { expect, test } from "vitest";
import type { Cause } from "./contract.js";
import { BATCH_MAX, SharedCommit, WAITING_MAX } from "./shared-commit.js";
import type { Engine, Sql, Trouble } from "./sql.js";

const CAUSE: Cause = { by: "system:test", method: "Test", at: 1 };

/** Answers every statement with nothing, and notes the order of what it was asked. */
class ScriptedEngine implements Engine {
  trouble: Trouble | undefined;
  commitFails: Trouble | undefined;
  beginFails = false;
  readonly calls: string[] = [];
  readonly sql: Sql = {
    get: async (text) => (/(FROM|UPDATE) revision/.test(text) ? { value: 1n } : undefined),
    all: async () => [],
    run: async (text) => (/^(SAVEPOINT|RELEASE|ROLLBACK)/.test(text) ? 0 : 1),
    runEach: async (_text, each) => each.length,
  };

  async begin(): Promise<void> {
    this.calls.push("begin");
    if (this.beginFails) throw refuse("unavailable", "planned");
  }

  async commit(): Promise<void> {
    this.calls.push("commit");
    this.trouble = this.commitFails;
    if (this.trouble) throw refuse("unavailable", "planned");
  }

  async rollback(): Promise<void> {
    this.calls.push("rollback");
  }

  async close(): Promise<void> {
    this.calls.push("close");
  }
}

function scripted() {
  const engine = new ScriptedEngine();
  const told: unknown[] = [];
  const options = {
    clock: new ManualClock(),
    log: silentLog(),
    onFatal: (err: unknown) => told.push(err),
  };
  return { engine, told, store: new SharedCommit(engine, options) };
}

test("when a commit fails for I/O, nobody is acknowledged and onFatal hears it", async () => {
  const { engine, told, store } = scripted();
  const revisions: bigint[] = [];
  store.onCommit((revision) => revisions.push(revision));
  engine.commitFails = "fatal";
  const writes = Array.from({ length: 3 }, () => store.write(CAUSE, (tx) => tx.meta.set("k", "v")));
  const outcomes = await Promise.allSettled(writes);
  expect(outcomes.map((one) => one.status)).toEqual(Array(3).fill("rejected"));
  await expect(store.read(async () => 1)).rejects.toMatchObject({ code: "unavailable" });
  expect(engine.calls).toEqual(["begin", "commit", "rollback"]);
  expect(told).toHaveLength(1);
  expect(revisions).toEqual([]);
  expect(store.stats().commits).toBe(0);
});

test("when the commit finds the disk full, writes are refused and reads go on", async () => {
  const { engine, told, store } = scripted();
  engine.commitFails = "full";
  const refused = { code: "unavailable", reason: "STORE_READ_ONLY" };
  for (let i = 0; i < 2; i++) {
    const write = store.write(CAUSE, (tx) => tx.meta.set("k", "v"));
    await expect(write).rejects.toMatchObject(refused);
  }
  await expect(store.read(async () => "read")).resolves.toBe("read");
  expect(told).toEqual([]);
});

test("a batch is bounded, and a waiting read runs before the next", async () => {
  const { engine, store } = scripted();
  const writes = Array.from({ length: BATCH_MAX + 1 }, () =>
    store.write(CAUSE, (tx) => tx.meta.set("k", "v")),
  );
  await writes[0];
  await store.read(async () => engine.calls.push("read"));
  await Promise.all(writes);
  expect(engine.calls).toEqual(["begin", "commit", "read", "begin", "commit"]);
  expect(store.stats()).toMatchObject({ commits: 2, writes: BATCH_MAX + 1, reads: 1 });
});

test("when a batch cannot even begin, its writes hear so, and the next is tried", async () => {
  const { engine, store } = scripted();
  engine.beginFails = true;
  const writes = [1, 2].map(() => store.write(CAUSE, (tx) => tx.meta.set("k", "v")));
  const outcomes = await Promise.allSettled(writes);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(engine.calls).toEqual(["begin", "rollback"]);
  engine.beginFails = false;
  await store.write(CAUSE, (tx) => tx.meta.set("k", "v"));
  expect(store.stats()).toMatchObject({ commits: 1, writes: 1 });
});

test("after a large batch, those who come back one by one share the next commit", async () => {
  const { engine, store } = scripted();
  const write = () => store.write(CAUSE, (tx) => tx.meta.set("k", "v"));
  const many = (n: number) => Array.from({ length: n }, write);
  await Promise.all(many(16));
  const commits = () => engine.calls.filter((call) => call === "commit").length;
  expect(commits()).toBe(1);
  const back: Promise<unknown>[] = [];
  for (let n = 0; n < 16; n++) {
    back.push(write());
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(back);
  expect(commits()).toBe(2);
});

test("whoever comes back alone is not kept waiting for the others", async () => {
  const { engine, store } = scripted();
  const write = () => store.write(CAUSE, (tx) => tx.meta.set("k", "v"));
  await Promise.all(Array.from({ length: 16 }, write));
  await write();
  await write();
  expect(engine.calls.filter((call) => call === "commit")).toHaveLength(3);
});

test("however many writes of accounts wait, there is a place for the provider's own", async () => {
  const { store } = scripted();
  const of = (account: string) => ({ ...CAUSE, account: account as AccountId });
  const write = (cause: Cause) => store.write(cause, async () => cause.account);
  const waiting = Array.from({ length: WAITING_MAX }, (_, n) => write(of(`acc-${n % 20}`)));
  await expect(write(of("acc-one-more"))).rejects.toMatchObject({ code: "unavailable" });
  await expect(write(CAUSE)).resolves.toBeUndefined();
  await Promise.all(waiting);
});
