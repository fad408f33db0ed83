// The few things last asked for, by a key that is compared and not written out. Knows nothing of
// what they are.

export interface Keys<K> {
  isSame(a: K, b: K): boolean;
  /** Same keys have the same one: 32 bits, signed. */
  hashOf(key: K): number;
}

export class Recent<K, V> {
  private readonly hashes: Int32Array;
  /** When each was last asked for, as a count of questions. */
  private readonly asked: Float64Array;
  private readonly keys: K[] = [];
  private readonly values: V[] = [];
  private now = 0;

  constructor(
    private readonly most: number,
    private readonly by: Keys<K>,
  ) {
    this.hashes = new Int32Array(most);
    this.asked = new Float64Array(most);
  }

  /** The value, if it is kept. */
  find(key: K): V | undefined {
    const { hashes, keys, by } = this;
    const hash = by.hashOf(key);
    for (let at = 0; at < keys.length; at++) {
      if (hashes[at] !== hash || !by.isSame(keys[at] as K, key)) continue;
      this.now += 1;
      this.asked[at] = this.now;
      return this.values[at];
    }
    return undefined;
  }

  /** Keeps the value, whose key was not found; of too many the one asked for longest ago goes. */
  keep(key: K, value: V): V {
    const at = this.keys.length < this.most ? this.keys.length : this.longestAgo();
    this.now += 1;
    this.asked[at] = this.now;
    this.hashes[at] = this.by.hashOf(key);
    this.keys[at] = key;
    this.values[at] = value;
    return value;
  }

  clear(): void {
    this.keys.length = 0;
    this.values.length = 0;
  }

  private longestAgo(): number {
    return this.asked.indexOf(Math.min(...this.asked));
  }
}
