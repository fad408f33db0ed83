// The total order of an instance's attachments: what is put, moved or taken where. Whatever is not
// named keeps its relative order. Knows no attachment beyond its id.

interface Named {
  readonly id: string;
}

/** Index at which something lands immediately ahead of `before`, or last; undefined: no such id. */
export function slotOf(order: readonly Named[], before: string | undefined): number | undefined {
  if (before === undefined) return order.length;
  const index = order.findIndex(({ id }) => id === before);
  return index < 0 ? undefined : index;
}

/** The order with `items` at `slot`, in their own order. */
export function insertAt<T>(order: readonly T[], slot: number, items: readonly T[]): readonly T[] {
  return [...order.slice(0, slot), ...items, ...order.slice(slot)];
}

/** The order without the item of that id. */
export function without<T extends Named>(order: readonly T[], id: string): readonly T[] {
  return order.filter((item) => item.id !== id);
}

/**
 * The order with the item `id` immediately ahead of `before`, or last; undefined when either is not
 * in it, or both are the same.
 */
export function moved<T extends Named>(
  order: readonly T[],
  id: string,
  before: string | undefined,
): readonly T[] | undefined {
  const item = order.find((one) => one.id === id);
  const rest = without(order, id);
  const slot = slotOf(rest, before);
  return item && slot !== undefined ? insertAt(rest, slot, [item]) : undefined;
}
