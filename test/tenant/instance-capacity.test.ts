// A create without room is two changes, pending and then failed, and one answer.
import {
  getInstance,
  type InstanceView,
  listInstances,
} from "@railyard/controller/service/instance";
import { createInstance } from "@railyard/controller/service/instance-create";
import { sweepPending } from "@railyard/controller/service/instance-pending";
import type { Store } from "@railyard/controller/store/contract";
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

/** The rig with a store that loses every write but those of callers. */
function withoutSecondWrites(made: Rig): Rig {
  const store: Store = Object.create(made.ctx.store);
  store.write = (cause, fn) =>
    cause.by.startsWith("system:")
      ? Promise.reject(new Error("the process ended"))
      : made.ctx.store.write(cause, fn);
  return { ...made, ctx: { ...made.ctx, store } };
}

test("whoever watches sees it pending, then failed; the caller gets the failed one", async () => {
  const made = await rig({ nodes: 0 });
  const { subnetId } = await made.network();
  const before = await made.ctx.store.revision();
  const seen = statusesSeen(made);
  const row = await instance(made, instanceWish(subnetId));
  expect(row).toMatchObject({ status: "failed", startable: true, lifecycleState: "stable" });
  expect(await made.ctx.store.revision()).toBe(before + 2n);
  expect(await Promise.all(seen)).toEqual(["pending", "failed"]);
  expect((await getInstance(made.ctx, made.read(), row.id)).instance).toEqual(row);
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

test("a create that was cut between its writes is answered again, and ended later", async () => {
  const made = await rig({ nodes: 0 });
  const { subnetId } = await made.network();
  const once = { requestId: "2d8f1a34-0000-4000-8000-000000000002" };
  const wish = instanceWish(subnetId);
  // What the caller gets is the create as it stands.
  const cut = await createInstance(
    withoutSecondWrites(made).ctx,
    made.call<InstanceView>(once),
    wish,
  );
  expect(cut.instance.status).toBe("pending");
  expect(await createInstance(made.ctx, made.call(once), wish)).toBe("the first answer");
  const now = async () => {
    const { rows } = await listInstances(made.ctx, made.read(), { filter: {}, limit: 9 });
    return rows.map(({ instance: row }) => row.status);
  };
  expect(await sweepPending(made.ctx)).toBe(0);
  expect(await now()).toEqual(["pending"]);
  await made.clock.advance(60_000);
  expect(await sweepPending(made.ctx)).toBe(1);
  expect(await now()).toEqual(["failed"]);
});
