// Whatever is added, moved, removed and renamed, the attachments are in the order of a plain array:
// positions without a gap, each naming its successor.
import { stopInstance } from "@railyard/controller/service/instance";
import type { AttachmentId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Attachments, fresh } from "./attachment-rig.js";
import { instance, instanceWish, rig } from "./rig.js";

const RUNS = 25;
const COUNT_MAX = 32;

const at = fc.nat({ max: 63 });
const step = fc.oneof(
  fc.record({ do: fc.constant("insert" as const), n: fc.integer({ min: 1, max: 4 }), at }),
  fc.record({ do: fc.constant("move" as const), n: at, at }),
  fc.record({ do: fc.constant("delete" as const), n: at, at }),
  fc.record({ do: fc.constant("rename" as const), n: at, at }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Does the step to both; the model is what it then should be. */
async function apply(
  real: Attachments,
  model: readonly AttachmentId[],
  { do: what, n, at: place }: Step,
): Promise<readonly AttachmentId[]> {
  const before = model[place % (model.length + 1)];
  if (what === "insert") {
    if (model.length + n > COUNT_MAX) return model;
    const wishes = Array.from({ length: n }, () => fresh(real.subnetId));
    const made = await real.create({ wishes, before });
    const slot = before ? model.indexOf(before) : model.length;
    return model.toSpliced(slot, 0, ...made.map(({ attachment }) => attachment.id));
  }
  const id = model[n % Math.max(1, model.length)];
  if (!id) return model;
  if (what === "rename") {
    await real.rename(id, `name-${place}-${n}-${id.slice(-8)}`);
    return model;
  }
  const rest = model.filter((one) => one !== id);
  if (what === "delete") {
    await real.remove(id);
    return rest;
  }
  if (before === id) return model;
  const moved = await real.move(id, before);
  const slot = before ? rest.indexOf(before) : rest.length;
  expect(moved.attachment.position).toBe(slot);
  return rest.toSpliced(slot, 0, id);
}

test("random changes keep positions without a gap and the relative order of the rest", async () => {
  const made = await rig({ nodes: 0 });
  const { subnetId } = await made.network();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
      const { id } = await instance(made, instanceWish(subnetId, { count: 0 }));
      await stopInstance(made.ctx, made.call(), { id, etag: "" });
      const real = new Attachments(made, id, subnetId);
      let model: readonly AttachmentId[] = [];
      for (const one of steps) {
        model = await apply(real, model, one);
        const views = await real.views();
        expect(views.map(({ attachment }) => attachment.id)).toEqual(model);
        expect(views.map(({ attachment }) => attachment.position)).toEqual([...model.keys()]);
        expect(views.map(({ next }) => next?.id)).toEqual([...model.slice(1), ...end(model)]);
      }
    }),
    { numRuns: RUNS },
  );
});

function end(model: readonly AttachmentId[]): undefined[] {
  return model.length > 0 ? [undefined] : [];
}
