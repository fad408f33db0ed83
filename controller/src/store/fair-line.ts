// Writes that wait, in the order in which they are taken: one account after the other, each with
// the first of its own, so that whoever asks for much waits for itself. Knows no transaction.
import type { AccountId } from "@railyard/lib/ids";

export interface InLine {
  /** Undefined: the provider's own, such as what machines report. */
  readonly account?: AccountId | undefined;
}

/**
 * The provider's own come by turns with all the accounts': however many accounts there are, every
 * second one is its.
 */
export class FairLine<Item extends InLine> {
  private provider: Item[] = [];
  /** Whose turn it is first; none is empty. */
  private readonly accounts = new Map<AccountId, Item[]>();
  private count = 0;
  private isProviderNext = true;

  get length(): number {
    return this.count;
  }

  /** How many wait as this one would: of the provider's own, or of all the accounts'. */
  waitingLike({ account }: InLine): number {
    const own = this.provider.length;
    return account === undefined ? own : this.count - own;
  }

  push(item: Item): void {
    const { account } = item;
    const line = account === undefined ? this.provider : this.accounts.get(account);
    if (line) line.push(item);
    else if (account !== undefined) this.accounts.set(account, [item]);
    this.count += 1;
  }

  /** Takes the next one out. */
  shift(): Item | undefined {
    if (this.count === 0) return undefined;
    this.count -= 1;
    const hasBoth = this.provider.length > 0 && this.accounts.size > 0;
    const fromProvider = hasBoth ? this.isProviderNext : this.accounts.size === 0;
    this.isProviderNext = !fromProvider;
    return fromProvider ? this.provider.shift() : this.shiftAccount();
  }

  /** Takes all of them out. */
  clear(): readonly Item[] {
    const all: Item[] = [];
    for (let item = this.shift(); item; item = this.shift()) all.push(item);
    return all;
  }

  private shiftAccount(): Item | undefined {
    const [first] = this.accounts;
    if (!first) return undefined;
    const [account, line] = first;
    const item = line.shift();
    const isAlone = this.accounts.size === 1;
    if (line.length === 0) this.accounts.delete(account);
    else if (!isAlone) {
      this.accounts.delete(account);
      this.accounts.set(account, line);
    }
    return item;
  }
}
