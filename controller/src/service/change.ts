// What every change of a tenant object has in common: the etag it may be conditional on, the mask
// of fields it may touch, the head of a new row. Knows no noun.
import { refuse } from "@railyard/lib/errors";
import { type AccountId, newEtag } from "@railyard/lib/ids";
import type { Rng } from "@railyard/lib/rng";
import type { Faults } from "../domain/faults.js";
import type { Owned } from "../domain/lifecycle.js";
import type { ResourceType } from "../domain/resource-type.js";
import type { Given } from "./mutate.js";

/** Throws `conflict` ETAG_MISMATCH when the caller named an etag that the object no longer has. */
export function checkEtag(
  row: { readonly id: string; readonly etag: string },
  etag: string | undefined,
  type: ResourceType,
): void {
  if (!etag || etag === row.etag) return;
  throw refuse("conflict", `${type} ${row.id} has changed since its etag was read`, {
    reason: "ETAG_MISMATCH",
    resource: { type, id: row.id },
  });
}

/** Adds a fault for each path that cannot be changed, or is none; an empty one by its place. */
export function checkMask(
  faults: Faults,
  mask: readonly string[],
  updatable: readonly string[],
): void {
  if (mask.length === 0) faults.invalid("update_mask", "must name at least one field");
  for (const [i, path] of mask.entries()) {
    if (updatable.includes(path)) continue;
    const what = path || "an empty path";
    const description = `${what} cannot be changed; updatable: ${updatable.join(", ")}`;
    faults.invalid(path || `update_mask[${i}]`, description, "FIELD_IMMUTABLE");
  }
}

/** What a new object starts with: stable, made now. */
export function newborn(given: Given, account: AccountId): Owned {
  return {
    account,
    createdAt: given.at,
    etag: newEtag(given.rng),
    lifecycleState: "stable",
    lifecycleReasons: [],
  };
}

/** The row with a new etag, as every change leaves it. */
export function touched<Row extends Owned>(row: Row, rng: Rng): Row {
  return { ...row, etag: newEtag(rng) };
}

/** The row as its deletion answers: gone after this answer. */
export function lastState<Row extends Owned>(row: Row): Row {
  return { ...row, lifecycleState: "deleting", lifecycleReasons: [] };
}
