// Use case of watching: an account's changes from a revision on, only the kinds asked for, with
// bookmarks in between. Delivery is the caller's; the next one is made when it has taken the last.
import { asRailyardError } from "@railyard/lib/errors";
import type { AccountId } from "@railyard/lib/ids";
import type { AccountChangeRow, ChangeEntry } from "../store/contract.js";
import type { TenantCall } from "./context.js";
import type { WatchHub } from "./watch/hub.js";
import { WATCHED_KINDS, type WatchedKind } from "./watch/objects.js";
import { type Reader, tooSlow } from "./watch/reader.js";

/** After this long without a bookmark a reader is sent one, milliseconds. */
export const BOOKMARK_MS = 5_000;

export interface ObjectChange {
  readonly revision: bigint;
  readonly kind: WatchedKind;
  readonly op: ChangeEntry["op"];
  /** The object's public bytes; the same ones for every reader. */
  readonly object: Uint8Array;
}

export type WatchMessage =
  | { readonly t: "change"; readonly change: ObjectChange; readonly lastOfRevision: boolean }
  | { readonly t: "bookmark"; readonly revision: bigint };

export interface WatchObjects {
  /** Undefined: all. */
  readonly kinds: ReadonlySet<WatchedKind> | undefined;
  /** Undefined: from now on, with a bookmark first. */
  readonly from: bigint | undefined;
}

/**
 * Undefined when the reader can take the next message at once: what it costs, it costs for each
 * message and reader. Else resolves when it can; ends when `closed` aborts.
 */
export type Deliver = (message: WatchMessage, closed: AbortSignal) => Promise<void> | undefined;

/**
 * Delivers changes until `signal` aborts. `deliver` gets a signal beside the message: it aborts
 * when the reader is closed for being slow, and delivering must end then. Errors: `expired`
 * REVISION_TOO_OLD or REVISION_UNKNOWN, `exhausted` READER_TOO_SLOW or TOO_MANY_STREAMS, and what
 * `deliver` throws.
 */
export async function watchObjects(
  hub: WatchHub,
  call: TenantCall & { readonly signal: AbortSignal },
  {
    wish,
    deliver,
  }: {
    readonly wish: WatchObjects;
    readonly deliver: Deliver;
  },
): Promise<void> {
  const reader = await hub.join(call.account, wish.from);
  try {
    if (wish.from === undefined) await deliver(bookmark(reader), reader.closed);
    const signal = AbortSignal.any([call.signal, reader.closed]);
    await follow({ hub, account: call.account, reader, signal, wish, deliver });
  } catch (thrown) {
    // Whoever takes nothing for so long does not keep up either.
    const idle = asRailyardError(thrown).code === "deadline" && !call.signal.aborted;
    // Said at the very end: what it had been given when it was closed is not all that it was given.
    throw idle || reader.closed.aborted ? tooSlow(reader) : thrown;
  } finally {
    hub.leave(call.account, reader);
  }
}

interface Following {
  readonly hub: WatchHub;
  readonly account: AccountId;
  readonly reader: Reader;
  readonly signal: AbortSignal;
  readonly wish: WatchObjects;
  readonly deliver: Deliver;
}

async function follow(following: Following): Promise<void> {
  const { hub, account, reader, signal, deliver } = following;
  const { clock } = hub;
  let markedAt = clock.monotonic();
  while (!signal.aborted) {
    // No row is held while the reader is waited for: there may be many, and rows may be large.
    const taking = deliverAtHand(following);
    const ms = markedAt + BOOKMARK_MS - clock.monotonic();
    if (taking) await taking;
    else if (ms > 0 || reader.changes > 0) await hub.arrive(account, reader, { ms, signal });
    if (reader.changes > 0 || clock.monotonic() - markedAt < BOOKMARK_MS) continue;
    await deliver(bookmark(reader), reader.closed);
    markedAt = clock.monotonic();
  }
  reader.closed.throwIfAborted();
}

/** Delivers what is at hand, until there is no more or the reader must be waited for. */
function deliverAtHand(following: Following): Promise<void> | undefined {
  const { hub, account, reader } = following;
  for (const row of hub.atHand(account, reader)) {
    const taking = deliverRow(following, row);
    if (taking) return taking;
  }
  return undefined;
}

/** What the reader lacks of a row. It has got what was handed over, waited for or not. */
function deliverRow(
  { reader, wish, deliver }: Following,
  row: AccountChangeRow,
): Promise<void> | undefined {
  const changes = changesOf(row, wish.kinds);
  for (const change of changes.slice(reader.changes)) {
    const lastOfRevision = reader.changes === changes.length - 1;
    const taking = deliver({ t: "change", change, lastOfRevision }, reader.closed);
    if (lastOfRevision) reader.reach(row.accountRevision);
    else reader.changes += 1;
    if (taking) return taking;
  }
  reader.reach(row.accountRevision);
  return undefined;
}

function bookmark({ revision }: Reader): WatchMessage {
  return { t: "bookmark", revision };
}

const changes = new WeakMap<AccountChangeRow, readonly ObjectChange[]>();

/** What a reader of `kinds` is told of a row. */
function changesOf(row: AccountChangeRow, kinds: WatchObjects["kinds"]): readonly ObjectChange[] {
  const all = changes.get(row) ?? allChangesOf(row);
  changes.set(row, all);
  return kinds ? all.filter(({ kind }) => kinds.has(kind)) : all;
}

/** What can be watched in a row; the same objects each time, so that they are encoded once. */
function allChangesOf(row: AccountChangeRow): readonly ObjectChange[] {
  return row.entries.flatMap(({ kind: name, op, object }) => {
    const kind = WATCHED_KINDS.find((watched) => watched === name);
    return kind && object ? [{ revision: row.accountRevision, kind, op, object }] : [];
  });
}
