// A create without room is two changes, pending and then failed, in one transaction and with one
// answer.
import { getInstance, type InstanceView } from "@railyard/controller/service/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import { expect, test } from "vitest";
import { ALICE, instance, instanceWish, type Rig, rig } from "./rig.js";

/** Statuses that the account's instances had at each commit since now. */
function statusesSeen(made: Rig): Promise<string>[] {
  const seen: Promise<string>[] = [];
  made.ctx.store.onCommit(() => {
    const query = { filter: {}, limit: 9 };
    seen.push(
      made.ctx.store.read(async (tx) => {
        const { rows } = await tx.account(ALICE).instances.list(query);
        return rows.map(({ status }) => status).join();
      }),
    );
  });
  return seen;
}

test("without room it is one transaction with one audit row; nobody reads it pending", async () => {
  const made = await rig({ nodes: 0 });
  const { subnetId } = await made.network();
  const before = await made.ctx.store.revision();
  const seen = statusesSeen(made);
  const row = await instance(made, instanceWish(subnetId));
  expect(row).toMatchObject({ status: "failed", startable: true, lifecycleState: "stable" });
  expect(await made.ctx.store.revision()).toBe(before + 1n);
  expect(await Promise.all(seen)).toEqual(["failed"]);
  expect((await getInstance(made.ctx, made.read(), row.id)).instance).toEqual(row);
});

test("its account is told of it twice: with all that was made, then of its failure", async () => {
  const made = await rig({ nodes: 0 });
  const { subnetId } = await made.network();
  const { newest } = await made.ctx.store.read((tx) => tx.logs.accountLog(ALICE));
  const { id } = await instance(made, instanceWish(subnetId));
  const told = await made.ctx.store.read((tx) =>
    tx.logs.accountChangesAfter(ALICE, newest, { rows: 9 }),
  );
  const ofInstance = told.map(({ entries }) => entries.find((entry) => entry.id === id)?.op);
  expect(ofInstance).toEqual(["created", "updated"]);
  expect(told[0]?.entries.length).toBeGreaterThan(1);
  expect(told[1]?.entries).toHaveLength(1);
});

test("with room it is one change, and a dry run none", async () => {
  const made = await rig();
  const { subnetId } = await made.network();
  const before = await made.ctx.store.revision();
  await instance(made, instanceWish(subnetId));
  expect(await made.ctx.store.revision()).toBe(before + 1n);
  const dry = made.call<InstanceView>({ validateOnly: true });
  const tried = await createInstance(made.ctx, dry, instanceWish(subnetId));
  expect(tried.instance.status).toBe("failed");
  expect(await made.ctx.store.revision()).toBe(before + 1n);
});
