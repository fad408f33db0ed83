// Pages of the accounts' logs that readers are given who stand behind the shared rows: few at a
// time, of one account and of all, so that what is held does not grow with the readers. A page that
// its readers leave lying is taken from them, and read again once they go on. Reads no log itself.
import type { Clock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import type { AccountChangeRow } from "../../store/contract.js";
import { bytesOf, type Room } from "./recent.js";

/** Pages of one account and of all; a page more where one row alone is larger. */
export const PAGES_OF_ONE: PageRoom = { pages: 16, bytes: 16 * 1024 * 1024 };
export const PAGES_OF_ALL: PageRoom = { pages: 512, bytes: 128 * 1024 * 1024 };
/** A page that somebody stands in but takes nothing from is kept so long, milliseconds. */
export const LEFT_LYING_MS = 500;

interface PageRoom {
  readonly pages: number;
  readonly bytes: number;
}

/** Whether a reader of the account stands after `after` and before `last`. */
export type StandsIn = (account: AccountId, page: Span) => boolean;

interface Span {
  readonly after: bigint;
  readonly last: bigint;
}

interface Page extends Span {
  readonly account: AccountId;
  readonly rows: readonly AccountChangeRow[];
  readonly bytes: number;
  takenAt: number;
}

export class Pages {
  private pages: Page[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly standsIn: StandsIn,
  ) {}

  /** The rows after `revision`, as far as the page goes; undefined when no page has them. */
  after(account: AccountId, revision: bigint): readonly AccountChangeRow[] | undefined {
    const page = this.pages.find(
      (one) => one.account === account && one.after <= revision && revision < one.last,
    );
    if (!page) return undefined;
    page.takenAt = this.clock.monotonic();
    return page.rows.slice(Number(revision - page.after));
  }

  /** Whether a further page may be read, once those that nobody takes from are dropped. */
  hasRoom(account: AccountId, page: Room): boolean {
    const own = (one: Page) => one.account === account;
    return (
      this.makeRoom({ of: own, room: PAGES_OF_ONE }, page) &&
      this.makeRoom({ of: () => true, room: PAGES_OF_ALL }, page)
    );
  }

  /** Rows in order, at least one. */
  add(account: AccountId, rows: readonly AccountChangeRow[]): void {
    const [first] = rows;
    if (!first) return;
    this.pages.push({
      ...{ account, rows, takenAt: this.clock.monotonic() },
      after: first.accountRevision - 1n,
      last: first.accountRevision + BigInt(rows.length - 1),
      bytes: rows.reduce((sum, row) => sum + bytesOf(row), 0),
    });
  }

  /** Drops what nobody takes from. */
  tidy(): void {
    this.pages = this.pages.filter((page) => !this.isLeft(page));
  }

  private makeRoom(
    { of, room }: { readonly of: (page: Page) => boolean; readonly room: PageRoom },
    next: Room,
  ): boolean {
    const fits = () => {
      const kept = this.pages.filter(of);
      const bytes = kept.reduce((sum, page) => sum + page.bytes, next.bytes);
      return kept.length < room.pages && (kept.length === 0 || bytes <= room.bytes);
    };
    if (fits()) return true;
    const left = this.pages.filter((page) => of(page) && this.isLeft(page));
    for (const page of left) {
      this.pages = this.pages.filter((one) => one !== page);
      if (fits()) return true;
    }
    return false;
  }

  private isLeft(page: Page): boolean {
    const lying = this.clock.monotonic() - page.takenAt >= LEFT_LYING_MS;
    return lying || !this.standsIn(page.account, page);
  }
}
