// Follows an account's changes: a stream that is taken up again where it broke, printed as it
// comes, or used as the sign to look again. It knows kinds of object, not how they are shown.
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
}

/**
 * What comes from now on, a bookmark first. A broken stream goes on from the last revision that
 * came whole, so a change may come twice. Ends at `deadlineAt` (monotonic milliseconds), if given.
 */
export async function* follow(
  session: Session,
  kind: WatchedCase,
  deadlineAt: number | undefined,
): AsyncGenerator<News> {
  let fromRevision: bigint | undefined;
  for (let failures = 0; ; failures++) {
    const request = { kinds: [KINDS[kind]], fromRevision };
    try {
      const stream = session.tenant.follow(service.watchObjects, request, deadlineAt);
      for await (const { message } of stream) {
        failures = 0;
        const event = message?.$case === "event" ? message.value : undefined;
        yield { event };
        if (message && (!event || event.lastOfRevision)) fromRevision = message.value.revision;
      }
    } catch (thrown) {
      const error = asRailyardError(thrown);
      const over = deadlineAt !== undefined && session.clock.monotonic() >= deadlineAt;
      if (over && isResumable(error)) return;
      if (!isResumable(error)) throw error;
      session.progress.show(`watching again after: ${error.message}`);
    }
    await sleep(session.clock, backoffMs(failures, session.rng, RETRY));
  }
}

function isResumable({ code, reason }: RailyardError): boolean {
  return code === "unavailable" || code === "deadline" || reason === "READER_TOO_SLOW";
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
  { kind, view, now, matches, onlyOne }: Watched<Case>,
): Promise<void> {
  const printed = new Map<string, string>();
  const print = (operation: string, object: ObjectOf<Case>, revision?: bigint) => {
    session.progress.done();
    session.output.change(view, { operation, item: object, revision });
  };
  let begun = false;
  for await (const { event } of follow(session, kind, session.watchEndsAt)) {
    if (!begun) {
      begun = true;
      for (const object of await now()) {
        printed.set(object.id, object.etag);
        print("present", object);
      }
    }
    if (event?.object?.$case !== kind) continue;
    const object = event.object.value as ObjectOf<Case>;
    const gone = event.operation === WatchOperation.WATCH_OPERATION_DELETED;
    // The list may have been read after this change was made.
    const known = !gone && printed.get(object.id) === object.etag;
    if (!matches(object) || known) continue;
    printed.delete(object.id);
    print(wordOf(WatchOperation, event.operation), object, event.revision);
    if (gone && onlyOne) return;
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
  const now = async () => [await one.now()];
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
