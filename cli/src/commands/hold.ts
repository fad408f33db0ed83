// railctl hold: room kept ahead for a batch of instances.
import {
  Hold,
  PlacementServiceService as service,
} from "@railyard/proto/gen/railyard/v1/placement";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import type { Command } from "commander";
import { present } from "../answer.js";
import { durationMs } from "../config.js";
import { deleteObject } from "../delete-object.js";
import {
  type ChangeFlags,
  type CreateFlags,
  change,
  changing,
  creating,
  creation,
} from "../flags.js";
import type { View } from "../output.js";
import { listAll } from "../pages.js";
import type { Run } from "../program.js";
import { type Lookup, resolveId, whetherFound } from "../resolve.js";
import type { Session } from "../session.js";
import { printChanges, printChangesOf, WATCH, type WatchFlags } from "../watch.js";
import { countOf, nameOf, timeOf, wordOf } from "../words.js";
import { type ShapeFlags, shapeOf, withShape } from "./placement-shape.js";

const VIEW: View<Hold> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "NETWORK", cell: ({ clusterNetwork }) => nameOf(clusterNetwork) },
    { title: "PROFILE", cell: ({ instanceProfile }) => instanceProfile?.name ?? "" },
    { title: "COUNT", cell: ({ count }) => countOf(count) },
    { title: "SPARES", cell: ({ spares }) => countOf(spares) },
    { title: "TOGETHER", cell: ({ leafGroupSpans }) => leafGroupSpans.join("+") },
    { title: "EXPIRES", cell: ({ expiresAt }) => timeOf(expiresAt) },
  ],
  details: [
    { title: "ATTACHMENTS", cell: ({ attachmentCount }) => countOf(attachmentCount) },
    { title: "MAX LEAF GROUPS", cell: ({ maxLeafGroups }) => countOf(maxLeafGroups || undefined) },
    { title: "SEGMENT SIZE", cell: ({ segmentSize }) => countOf(segmentSize || undefined) },
    { title: "STATE", cell: (it) => wordOf(LifecycleState, it.lifecycleState), state: true },
    { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt) },
    { title: "ETAG", cell: ({ etag }) => etag },
  ],
  json: Hold.toJSON,
};

/** Adds the noun. */
export function addHold(program: Command, run: Run): void {
  const noun = program.command("hold").description("room kept ahead for a batch of instances");
  const command = noun.command("create").description("keep room for a while");
  withShape(creating(command))
    .requiredOption("--ttl <duration>", "for how long, one minute to seven days, such as 2h")
    .option("--name <name>", "its name (four random words when absent)")
    .action(run(create));
  noun
    .command("list")
    .description("list holds")
    .option(...WATCH)
    .action(run(list));
  noun
    .command("get <hold>")
    .description("show a hold")
    .option(...WATCH)
    .action(run(get));
  changing(noun.command("delete <hold>").description("give the room back")).action(run(remove));
}

interface Create extends CreateFlags, ShapeFlags {
  readonly ttl: string;
  readonly name?: string;
}

async function create(session: Session, flags: Create): Promise<void> {
  const seconds = BigInt(Math.ceil(durationMs(flags.ttl, "--ttl") / 1_000));
  const { hold } = await session.tenant.call(service.createHold, {
    name: flags.name ?? "",
    shape: await shapeOf(session, flags),
    ttl: { seconds, nanos: 0 },
    ...creation(session, flags),
  });
  session.output.one(VIEW, present(hold));
}

function holds(session: Session): Promise<Hold[]> {
  return listAll(session.tenant, {
    method: service.listHolds,
    filters: {},
    items: (answer) => answer.holds,
  });
}

async function list(session: Session, flags: WatchFlags): Promise<void> {
  const now = () => holds(session);
  if (!flags.watch) return session.output.many(VIEW, await now());
  await printChanges(session, { kind: "hold", view: VIEW, now, matches: () => true });
}

async function get(session: Session, flags: WatchFlags, [text = ""]: readonly string[]) {
  const id = await holdId(session, text);
  const now = async () => present((await read(session, id)).hold);
  if (!flags.watch) return session.output.one(VIEW, await now());
  await printChangesOf(session, { kind: "hold", view: VIEW, id, now });
}

async function remove(session: Session, flags: ChangeFlags, [text = ""]: readonly string[]) {
  const id = await holdId(session, text);
  const request = { id, ...change(session, flags) };
  await deleteObject(session, flags, {
    view: VIEW,
    what: `hold ${text}`,
    about: { kind: "hold", id },
    remove: async (repeat) => (await session.tenant.call(service.deleteHold, request, repeat)).hold,
    read: async () => (await read(session, id)).hold,
  });
}

function read(session: Session, id: string) {
  return session.tenant.call(service.getHold, { id });
}

/** The id of the hold with this name or id; throws `notFound`. */
function holdId(session: Session, text: string): Promise<string> {
  const lookup: Lookup = {
    kind: "hold",
    named: async (wanted) =>
      (await holds(session)).flatMap(({ id, name }) => (name === wanted ? [id] : [])),
    exists: (id) => whetherFound(read(session, id)),
  };
  return resolveId(lookup, text);
}

const SERVER_MADE = /^hold-[0-9a-z]{24}$/;

/**
 * The id of the hold to use up. An id is left to the server to judge: it knows what became of a
 * hold that is gone, and answers a repeated call as it did when the hold was there.
 */
export async function holdToUse(session: Session, text: string): Promise<string> {
  return SERVER_MADE.test(text) ? text : holdId(session, text);
}
