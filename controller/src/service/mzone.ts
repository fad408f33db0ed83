// Applies, checks and exports the mzone document: plan and apply in one transaction, refusing what
// would hurt what is in use. What a right document is stands in domain/mzone.ts.
import { canonicalJson, type Plain } from "@railyard/lib/canonical";
import { bug, invalid, notFound, refuse } from "@railyard/lib/errors";
import type { Mzone } from "../domain/mzone/document.js";
import { planMzone, type Step, type Summary, summaryOf } from "../domain/mzone/plan.js";
import { checkMzone } from "../domain/mzone.js";
import type { ReadTx } from "../store/contract.js";
import type { Mutation, ServiceContext } from "./context.js";
import { mutate } from "./mutate.js";
import { contentsBefore, raiseChanged } from "./mzone-raise.js";
import { refuseInUse, usesOf } from "./mzone-uses.js";
import { writeSteps } from "./mzone-write.js";

export interface AppliedMzone {
  readonly name: string;
  readonly generation: number;
  readonly steps: readonly Step[];
  readonly summary: Summary;
}

/** Key under which the store keeps the name of its only mzone. */
const NAME_KEY = "mzone";

/**
 * Makes the store say what the document says; applying it twice changes nothing the second time.
 * Errors: `invalid` MZONE_INVALID with every bad field; `precondition` MZONE_GENERATION_OLD,
 * MZONE_OBJECT_IN_USE.
 */
export async function applyMzone<A>(
  ctx: ServiceContext,
  call: Mutation<AppliedMzone, A>,
  document: unknown,
): Promise<A> {
  const wanted = checked(document);
  const answer = await mutate(ctx, call, async (tx, given) => {
    const applied = await planIn(tx, wanted);
    if (applied.steps.length > 0) {
      const { steps } = applied;
      refuseInUse(steps, await usesOf(tx));
      const before = await contentsBefore(tx, ctx.catalog, steps);
      await writeSteps(tx, given, { steps, wanted });
      if (before) await raiseChanged(tx, ctx.catalog, { before, steps });
    }
    const { name, generation } = wanted.metadata;
    const text = canonicalJson(document as Plain);
    const before = await tx.mzones.get(name);
    if (before?.document !== text) {
      await tx.mzones.put({ name, generation, document: text, appliedAt: given.at });
      await tx.meta.set(NAME_KEY, name);
      given.tell({ mzone: name, generation, ...applied.summary }, "mzone applied");
    }
    return applied;
  });
  ctx.nudgeEnrolment();
  return answer;
}

/**
 * What applying the document would change now. Errors as `applyMzone`, apart from what is in use.
 */
export async function validateMzone(ctx: ServiceContext, document: unknown): Promise<AppliedMzone> {
  const wanted = checked(document);
  return ctx.store.read((tx) => planIn(tx, wanted));
}

/** The document as it is applied now, as JSON. Throws `notFound`. `name` empty: the only one. */
export async function exportMzone(ctx: ServiceContext, name: string): Promise<string> {
  return ctx.store.read(async (tx) => {
    const wanted = name || ((await tx.meta.get(NAME_KEY)) ?? "");
    const record = wanted === "" ? undefined : await tx.mzones.get(wanted);
    if (!record) throw notFound("mzone", name, "mzone_name");
    return record.document;
  });
}

function checked(document: unknown): Mzone {
  const result = checkMzone(document);
  if (result.ok) return result.mzone;
  throw invalid(result.violations, "MZONE_INVALID");
}

async function planIn(tx: ReadTx, wanted: Mzone): Promise<AppliedMzone> {
  const { name, generation } = wanted.metadata;
  const only = (await tx.meta.get(NAME_KEY)) ?? name;
  if (only !== name) {
    throw refuse("precondition", `this yard's mzone is called ${only}`, {
      reason: "MZONE_INVALID",
      fields: [{ field: "metadata.name", description: `must be ${only}` }],
    });
  }
  const record = await tx.mzones.get(name);
  if (record && generation < record.generation) {
    const description = `must not be lower than ${record.generation}, the one applied`;
    throw refuse("precondition", `the document's generation ${description}`, {
      reason: "MZONE_GENERATION_OLD",
      fields: [{ field: "metadata.generation", description }],
    });
  }
  const steps = planMzone(record && stored(record.document), wanted);
  return { name, generation, steps, summary: summaryOf(steps, wanted) };
}

function stored(document: string): Mzone {
  const result = checkMzone(JSON.parse(document));
  if (!result.ok) throw bug("the applied mzone document is bad", { detail: { ...result } });
  return result.mzone;
}
