// Puts values that share a key together, keys in the order of their first value.

/** `Map.groupBy`, which Node 20 lacks. */
export function groupBy<K, V>(values: readonly V[], keyOf: (value: V) => K): Map<K, V[]> {
  const out = new Map<K, V[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = out.get(key);
    if (group) group.push(value);
    else out.set(key, [value]);
  }
  return out;
}
