// Numbers for what nodes hold, so that what was found out of one node is known of all alike: while
// numbers last, none stands for two states. Knows no rule and no request.

/** States whose numbers are known; beyond it those seen again get another number. */
const KNOWN_MAX = 8_192;
/** Numbers have 24 bits, so that tables have room for eight more beside them. */
const NUMBERS_MAX = 0xffffff;

export class States {
  private readonly known = new Map<string, number>();
  private last: number;

  /** Numbers go on after `last`; 0 stands for no state. */
  constructor(
    last = 0,
    private readonly most = NUMBERS_MAX,
  ) {
    this.last = last;
  }

  /** The same numbers go on, without what they stand for. */
  copy(): States {
    return new States(this.last, this.most);
  }

  /** The state's number; undefined when there are none left, and all must be numbered anew. */
  numberOf(state: string): number | undefined {
    const known = this.known.get(state);
    if (known !== undefined) return known;
    if (this.last >= this.most) return undefined;
    if (this.known.size >= KNOWN_MAX) this.known.clear();
    this.last += 1;
    this.known.set(state, this.last);
    return this.last;
  }

  /** Numbers start over. */
  clear(): void {
    this.known.clear();
    this.last = 0;
  }
}
