// Follows an account's changes: a stream that is taken up again where it broke, printed as it
// comes, or used as the sign to look again. It knows kinds of object, not how they are shown.
import { isDeepStrictEqual } from "node:util";
import { backoffMs } from "@railyard/lib/backoff";
import { sleep } from "@railyard/lib/clock";
import { asRailyardError, type RailyardError } from "@railyard/lib/errors";
import {
  ResourceKind,
  WatchServiceService as service,
  type WatchEvent,
  WatchOperation,
} from "@railyard/proto/gen/railyard/v1/watch";
import type { View } from "./output.js";
import type { Session } from "./session.js";
import { wordOf } from "./words.js";

/** What a verb with `--watch` takes. */
export interface WatchFlags {
  readonly watch?: boolean;
}

/** How `--watch` is declared. */
export const WATCH = ["--watch", "go on printing changes, until --timeout if given"] as const;

type AnyObject = NonNullable<WatchEvent["object"]>;
export type WatchedCase = AnyObject["$case"];
type ObjectOf<Case extends WatchedCase> = Extract<AnyObject, { readonly $case: Case }>["value"];

const KINDS: Readonly<Record<WatchedCase, ResourceKind>> = {
  clusterNetwork: ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK,
  clusterNetworkSubnet: ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK_SUBNET,
  clusterNetworkSubnetReservedIp: ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK_SUBNET_RESERVED_IP,
  clusterNetworkInterface: ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK_INTERFACE,
  instance: ResourceKind.RESOURCE_KIND_INSTANCE,
  instanceClusterNetworkAttachment: ResourceKind.RESOURCE_KIND_INSTANCE_CLUSTER_NETWORK_ATTACHMENT,
  hold: ResourceKind.RESOURCE_KIND_HOLD,
};

const RETRY = { baseMs: 100, maxMs: 2_000 };

/** `event` is undefined for a bookmark: nothing is known to have changed up to here. */
interface News {
  readonly event: WatchEvent | undefined;
  /** What came before is not known: list what there is, and go on from here. */
  readonly afresh: boolean;
}

/**
 * What comes from now on, a bookmark first. A broken stream goes on from the last revision that
 * came whole, so a change may come twice; where the server no longer keeps what came after it, the
 * stream begins afresh. Ends at `deadlineAt` (monotonic milliseconds), if given.
 */
export async function* follow(
  session: Session,
  kind: WatchedCase,
  deadlineAt: number | undefined,
): AsyncGenerator<News> {
  const { clock, rng } = session;
  const leftMs = () => (deadlineAt ?? Number.POSITIVE_INFINITY) - clock.monotonic();
  let fromRevision: bigint | undefined;
  for (let failures = 0; ; failures++) {
    const request = { kinds: [KINDS[kind]], fromRevision };
    try {
      for await (const { message } of session.tenant.follow(
        service.watchObjects,
        request,
        deadlineAt,
      )) {
        failures = 0;
        const event = message?.$case === "event" ? message.value : undefined;
        yield { event, afresh: fromRevision === undefined };
        if (message && (!event || event.lastOfRevision)) fromRevision = message.value.revision;
      }
    } catch (thrown) {
      const error = asRailyardError(thrown);
      if (isLost(error)) {
        fromRevision = undefined;
        session.note(`changes were missed, listing again: ${error.message}`);
      } else if (!isResumable(error)) {
        throw error;
      } else if (leftMs() > 0) {
        session.progress.show(`watching again after: ${error.message}`);
      }
    }
    if (leftMs() <= 0) return;
    await sleep(clock, Math.min(leftMs(), backoffMs(failures, rng, RETRY)));
  }
}

function isResumable({ code, reason }: RailyardError): boolean {
  return code === "unavailable" || code === "deadline" || reason === "READER_TOO_SLOW";
}

/** What to go on from is no longer kept, or is of a database that was since restored. */
function isLost({ reason }: RailyardError): boolean {
  return reason === "REVISION_TOO_OLD" || reason === "REVISION_UNKNOWN";
}

/** Objects of one kind to print, now and whenever one changes. */
export interface Watched<Case extends WatchedCase> {
  readonly kind: Case;
  readonly view: View<ObjectOf<Case>>;
  /** Those there are; read once the watch has begun, so that nothing falls between. */
  readonly now: () => Promise<readonly ObjectOf<Case>[]>;
  /** Which of the account's objects are meant. */
  readonly matches: (object: ObjectOf<Case>) => boolean;
  /** True when nothing can come after its deletion. */
  readonly onlyOne?: true;
}

/** Prints what is there, then a line for each change, until `--timeout` if it was given. */
export async function printChanges<Case extends WatchedCase>(
  session: Session,
  watched: Watched<Case>,
): Promise<void> {
  const { kind, view, onlyOne } = watched;
  const shown = new Shown(watched, (operation, item, revision) => {
    session.progress.done();
    session.output.change(view, { operation, item, revision });
  });
  for await (const { event, afresh } of follow(session, kind, session.watchEndsAt)) {
    if (afresh) {
      session.renewDeadline();
      await shown.list();
    }
    if (event?.object?.$case === kind) shown.take(event, event.object.value as ObjectOf<Case>);
    if (onlyOne && shown.isOver) return;
  }
}

type Print<Case extends WatchedCase> = (
  operation: string,
  object: ObjectOf<Case>,
  revision?: bigint,
) => void;

/** What was printed last of each object that is there. */
class Shown<Case extends WatchedCase> {
  private known = new Map<string, ObjectOf<Case>>();
  private gone = false;

  constructor(
    private readonly watched: Watched<Case>,
    private readonly print: Print<Case>,
  ) {}

  /** True when something went and nothing is left. */
  get isOver(): boolean {
    return this.gone && this.known.size === 0;
  }

  /** Prints what there is and was not printed so before, and what was printed and is gone. */
  async list(): Promise<void> {
    const found = await this.watched.now();
    const before = this.known;
    this.known = new Map(found.map((object) => [object.id, object]));
    for (const object of found) {
      if (!isDeepStrictEqual(before.get(object.id), object)) this.print("present", object);
      before.delete(object.id);
    }
    for (const object of before.values()) this.drop(object);
  }

  take(event: WatchEvent, object: ObjectOf<Case>): void {
    if (event.operation === WatchOperation.WATCH_OPERATION_DELETED) {
      if (this.known.has(object.id)) this.drop(object, event.revision);
      return;
    }
    if (!this.watched.matches(object)) {
      // It is there, but no longer one of those that were asked for.
      if (this.known.delete(object.id)) this.print("left", object, event.revision);
      return;
    }
    // The list may have been read after this change was made.
    if (isDeepStrictEqual(this.known.get(object.id), object)) return;
    this.known.set(object.id, object);
    this.print(wordOf(WatchOperation, event.operation), object, event.revision);
  }

  private drop(object: ObjectOf<Case>, revision?: bigint): void {
    this.known.delete(object.id);
    this.gone = true;
    this.print("deleted", object, revision);
  }
}

/** Prints one object and its changes until it is gone, or until `--timeout` if it was given. */
export function printChangesOf<Case extends WatchedCase>(
  session: Session,
  one: Pick<Watched<Case>, "kind" | "view"> & {
    readonly id: string;
    readonly now: () => Promise<ObjectOf<Case>>;
  },
): Promise<void> {
  const { kind, view, id } = one;
  let begun = false;
  const now = async () => {
    try {
      return [await one.now()];
    } catch (thrown) {
      // It can have gone while its changes were missed.
      if (!begun || asRailyardError(thrown).code !== "notFound") throw thrown;
      return [];
    } finally {
      begun = true;
    }
  };
  const matches = (object: ObjectOf<Case>) => object.id === id;
  return printChanges(session, { kind, view, now, matches, onlyOne: true });
}

/** One of the account's objects. */
export interface About {
  readonly kind: WatchedCase;
  readonly id: string;
}

/** Signs to look at one object again: at once, on its changes, and from time to time. */
export async function* signs(
  session: Session,
  { kind, id }: About,
  deadlineAt: number,
): AsyncGenerator<undefined> {
  for await (const { event } of follow(session, kind, deadlineAt)) {
    if (!event || event.object?.value.id === id) yield undefined;
  }
}
