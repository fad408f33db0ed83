// Restart stays near: on the previous host, else in its leaf group, else anywhere; the start's
// answer says which, and so does the log where nobody asked.
import { stopInstance } from "@railyard/controller/service/instance";
import { startInstance } from "@railyard/controller/service/instance-start";
import { fenceNode } from "@railyard/controller/service/node-fence";
import { takeReport } from "@railyard/controller/service/status";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import { addNodeIn, changeNode, gangRig } from "./gang-rig.js";
import { instance, instanceWish, type Rig, seenGone } from "./rig.js";

const PULSE = { epoch: 1n, acceptedGeneration: 0n, appliedGeneration: 0n, digest: "" };

const start = (made: Rig, id: InstanceId) => startInstance(made.ctx, made.call(), { id, etag: "" });

/** A stopped instance that ran on `node-0-0`, the only node; then come one beside it, one far. */
async function stopped() {
  const made = await gangRig(1);
  const { subnetId } = await made.network();
  const { id, placement } = await instance(made, instanceWish(subnetId));
  expect(placement?.nodeId).toBe("node-0-0");
  await stopInstance(made.ctx, made.call(), { id, etag: "" });
  await seenGone(made, id);
  await addNodeIn(made, "node-0-1", "su0");
  await addNodeIn(made, "node-1-0", "su1");
  return { made, id };
}

test.each([
  { full: [], node: "node-0-0", near: "previous-host" },
  { full: ["node-0-0"], node: "node-0-1", near: "previous-leaf-group" },
  { full: ["node-0-0", "node-0-1"], node: "node-1-0", near: "elsewhere" },
])("a start without $full goes to $node: $near", async ({ full, node, near }) => {
  const { made, id } = await stopped();
  for (const one of full) await changeNode(made, one, { cordoned: true });
  const started = await start(made, id);
  expect([started.instance.placement?.nodeId, started.near]).toEqual([node as NodeId, near]);
});

test("the log says where a failed host's instance was placed anew, and how near", async () => {
  const made = await gangRig(2);
  const { subnetId } = await made.network();
  const { id, placement } = await instance(made, instanceWish(subnetId));
  const lost = placement!.nodeId;
  const other = lost === "node-0-0" ? "node-0-1" : "node-0-0";
  const lines: object[] = [];
  const info = (fields: object, message: string) => void lines.push({ ...fields, message });
  const ctx = { ...made.ctx, log: Object.assign(Object.create(made.ctx.log), { info }) };
  ctx.leases.attend();
  made.clock.advance(2 * ctx.leases.leaseMs);
  ctx.leases.beat(other as NodeId, { session: `ses-${other}`, ...PULSE });
  const proof = { etag: "", method: "operator-word", reason: "it burns" } as const;
  await fenceNode(ctx, made.call(), { id: lost, ...proof });
  const moved = { instanceId: id, nodeId: other, near: "previous-leaf-group" };
  const message = "instance placed anew";
  expect(lines).toContainEqual(expect.objectContaining({ ...moved, status: "starting", message }));
});

test("a start behind stopping says in the log how near it was placed", async () => {
  const made = await gangRig(1);
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  await stopInstance(made.ctx, made.call(), { id, etag: "" });
  expect((await start(made, id)).near).toBeUndefined();
  const lines: object[] = [];
  const info = (fields: object, message: string) => void lines.push({ ...fields, message });
  const ctx = { ...made.ctx, log: Object.assign(Object.create(made.ctx.log), { info }) };
  const { nodeId, session, generation } = await made.ctx.store.read(async (tx) => {
    const node = (await tx.nodes.get("node-0-0" as NodeId))!;
    return { nodeId: node.id, session: String(node.session), generation: node.generation };
  });
  const seen = { instances: [], residues: [], partitions: [], inventory: undefined };
  const report = { nodeId, session, epoch: 1n, generation, complete: true, ...seen };
  expect(await takeReport(ctx, report)).toBe("taken");
  const where = { instanceId: id, nodeId, near: "previous-host", status: "starting" };
  expect(lines).toContainEqual({ ...where, message: "instance placed anew" });
});

test("a start that finds no room, or never ran anywhere, says nothing of it", async () => {
  const made = await gangRig();
  const { subnetId } = await made.network();
  const { id } = await instance(made, instanceWish(subnetId));
  expect((await start(made, id)).near).toBeUndefined();
  await addNodeIn(made, "node-0-0", "su0");
  const started = await start(made, id);
  expect([started.instance.status, started.near]).toEqual(["starting", undefined]);
});
