// The few things last asked for, by a key that is compared and not written out. Knows nothing of
// what they are.

interface Kept<K, V> {
  readonly key: K;
  readonly value: V;
}

export class Recent<K, V> {
  /** The one asked for last comes first. */
  private readonly kept: Kept<K, V>[] = [];

  constructor(
    private readonly most: number,
    private readonly isSame: (a: K, b: K) => boolean,
  ) {}

  /** The value, made now if it is not kept; when too many are, that used longest ago goes. */
  get(key: K, make: () => V): V {
    const { kept } = this;
    let at = 0;
    while (at < kept.length && !this.isSame((kept[at] as Kept<K, V>).key, key)) at += 1;
    const found = kept[at] ?? { key, value: make() };
    const last = Math.min(at, this.most - 1);
    for (let i = last; i > 0; i--) kept[i] = kept[i - 1] as Kept<K, V>;
    kept[0] = found;
    return found.value;
  }

  clear(): void {
    this.kept.length = 0;
  }
}
