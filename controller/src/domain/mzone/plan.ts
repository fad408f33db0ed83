// What applying a document would change, as data: one step per object that is created, updated or
// deleted. Pure: the same two documents give the same steps, and a document planned against itself
// gives none.
import { canonicalJson, type Plain } from "@railyard/lib/canonical";
import type { Mzone } from "./document.js";
import { type MzoneObject, type ObjectKind, objectsOf } from "./objects.js";

export type Step =
  | { readonly action: "create"; readonly object: MzoneObject }
  | { readonly action: "update"; readonly object: MzoneObject; readonly before: MzoneObject }
  | { readonly action: "delete"; readonly object: MzoneObject };

/**
 * Servers that go come first, so that their serials are free again; then what comes and changes,
 * each after what it refers to; then what else goes, the other way round.
 */
export function planMzone(current: Mzone | undefined, wanted: Mzone): readonly Step[] {
  const before = current ? objectsOf(current) : [];
  const after = objectsOf(wanted);
  const had = byKey(before);
  const has = byKey(after);
  const deletions = before
    .filter((object) => !has.has(keyOf(object)))
    .reverse()
    .map((object): Step => ({ action: "delete", object }));
  const others = after.flatMap((object): Step[] => {
    const old = had.get(keyOf(object));
    if (!old) return [{ action: "create", object }];
    return same(old, object) ? [] : [{ action: "update", object, before: old }];
  });
  const isServer = (step: Step) => step.object.kind === "server";
  return [...deletions.filter(isServer), ...others, ...deletions.filter((step) => !isServer(step))];
}

/** How many objects each kind of step concerns. */
export interface Summary {
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
}

export function summaryOf(steps: readonly Step[], wanted: Mzone): Summary {
  const count = (action: Step["action"]) => steps.filter((s) => s.action === action).length;
  const [created, updated, deleted] = [count("create"), count("update"), count("delete")];
  return { created, updated, deleted, unchanged: objectsOf(wanted).length - created - updated };
}

/** One object's key among all kinds. */
export function keyOf(object: { readonly kind: ObjectKind; readonly key: string }): string {
  return `${object.kind} ${object.key}`;
}

function byKey(objects: readonly MzoneObject[]): ReadonlyMap<string, MzoneObject> {
  return new Map(objects.map((object) => [keyOf(object), object]));
}

function same(a: MzoneObject, b: MzoneObject): boolean {
  return text(a) === text(b);
}

function text({ row }: MzoneObject): string {
  return canonicalJson(row as unknown as Plain);
}
