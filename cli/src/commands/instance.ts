// railctl instance: a tenant's virtual machines.
import {
  type Instance,
  PlacedNear,
  type StartInstanceResponse,
  InstanceServiceService as service,
} from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import type { Command } from "commander";
import { present } from "../answer.js";
import type { RepeatOptions } from "../client.js";
import { deleteObject } from "../delete-object.js";
import { EXIT } from "../exit-code.js";
import { type ChangeFlags, change, changing } from "../flags.js";
import { ORDER_BY, type OrderFlags } from "../pages.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { printChanges, printChangesOf, WATCH, type WatchFlags } from "../watch.js";
import { enumValueOf, wordOf } from "../words.js";
import { addBatchCreate } from "./instance-batch.js";
import { addInstanceConsole } from "./instance-console.js";
import { addCreateInstance } from "./instance-create.js";
import { addInstanceLayout } from "./instance-layout.js";
import { instanceId, listInstances, readInstance } from "./instance-lookup.js";
import { isOnTheWay } from "./instance-state.js";
import { addUpdateInstance } from "./instance-update.js";
import { INSTANCE_VIEW } from "./instance-view.js";
import { settleInstance } from "./instance-wait.js";
import { networkId } from "./network.js";

/** Adds the noun. */
export function addInstance(program: Command, run: Run): void {
  const noun = program.command("instance").description("virtual machines");
  addCreateInstance(noun, run);
  addBatchCreate(noun, run);
  noun
    .command("list")
    .description("list instances")
    .option("--vpc <id>", "only those of this VPC")
    .option("--network <network>", "only those in this cluster network, by name or id")
    .option("--profile <name>", "only those of this instance profile")
    .option("--status <status>", "only those in this status, such as running")
    .option(...ORDER_BY)
    .option(...WATCH)
    .action(run(list));
  noun
    .command("get <instance>")
    .description("show an instance")
    .option(...WATCH)
    .action(run(get));
  changing(noun.command("start <instance>").description("start a stopped or failed instance"))
    .option("--wait", "wait until it is running")
    .action(run(start));
  changing(noun.command("stop <instance>").description("stop an instance"))
    .option("--force", "drop queued actions")
    .option("--wait", "wait until it is stopped")
    .action(run(stop));
  changing(noun.command("reboot <instance>").description("boot a running instance once more"))
    .option("--force", "drop queued actions")
    .option("--request-id <uuid>", "makes repeating safe (made up when absent)")
    .option("--wait", "wait until it is running again")
    .action(run(reboot));
  addUpdateInstance(noun, run);
  changing(noun.command("delete <instance>").description("delete an instance"))
    .option("--wait", "wait until it is gone")
    .action(run(remove));
  addInstanceLayout(noun, run);
  addInstanceConsole(noun, run);
}

interface List extends WatchFlags, OrderFlags {
  readonly vpc?: string;
  readonly network?: string;
  readonly profile?: string;
  readonly status?: string;
}

async function list(session: Session, flags: List): Promise<void> {
  const { vpc: vpcId = "", profile = "", orderBy = "", network } = flags;
  const clusterNetworkId = network === undefined ? "" : await networkId(session, network);
  const status = flags.status ? enumValueOf(InstanceStatus, flags.status, "--status") : 0;
  const now = () => listInstances(session, { vpcId, profile, clusterNetworkId, status, orderBy });
  if (!flags.watch) return session.output.many(INSTANCE_VIEW, await now());
  const matches = (it: Instance) =>
    (vpcId === "" || it.vpc?.id === vpcId) &&
    (profile === "" || it.profile?.name === profile) &&
    (clusterNetworkId === "" || it.clusterNetwork?.id === clusterNetworkId) &&
    (status === 0 || it.status === status);
  await printChanges(session, { kind: "instance", view: INSTANCE_VIEW, now, matches });
}

async function get(session: Session, flags: WatchFlags, [text = ""]: readonly string[]) {
  const id = await instanceId(session, text);
  const now = async () => present((await readInstance(session, id)).instance);
  if (!flags.watch) return session.output.one(INSTANCE_VIEW, await now());
  await printChangesOf(session, { kind: "instance", view: INSTANCE_VIEW, id, now });
}

interface ActionFlags extends ChangeFlags {
  readonly wait?: boolean;
  readonly force?: boolean;
}

async function start(session: Session, flags: ActionFlags, [text = ""]: readonly string[]) {
  const target = InstanceStatus.INSTANCE_STATUS_RUNNING;
  const id = await instanceId(session, text);
  const request = { id, force: false, ...change(session, flags) };
  const repeat = onceOnly(session, id, target);
  const answer = await session.tenant.call(service.startInstance, request, repeat);
  const instance = present(answer.instance);
  const near = wordOf(PlacedNear, answer.placedNear);
  if (near) session.note(`instance ${instance.name}: placed again (${near.replaceAll("_", " ")})`);
  await finish(session, { instance, target, flags });
}

async function stop(session: Session, flags: ActionFlags, [text = ""]: readonly string[]) {
  const target = InstanceStatus.INSTANCE_STATUS_STOPPED;
  const { force = false } = flags;
  const request = { id: await instanceId(session, text), force, ...change(session, flags) };
  const repeat = onceOnly(session, request.id, target);
  const { instance } = await session.tenant.call(service.stopInstance, request, repeat);
  await finish(session, { instance: present(instance), target, flags });
}

type RebootFlags = ActionFlags & { readonly requestId?: string };

async function reboot(session: Session, flags: RebootFlags, [text = ""]: readonly string[]) {
  const target = InstanceStatus.INSTANCE_STATUS_RUNNING;
  const { force = false } = flags;
  const requestId = session.requestId(flags.requestId);
  const id = await instanceId(session, text);
  const request = { id, force, requestId, ...change(session, flags) };
  const { instance } = await session.tenant.call(service.rebootInstance, request);
  await finish(session, { instance: present(instance), target, flags });
}

type Target = InstanceStatus.INSTANCE_STATUS_RUNNING | InstanceStatus.INSTANCE_STATUS_STOPPED;

// A repeated start or stop is refused when the first one was carried out and its answer lost.
function onceOnly(
  session: Session,
  id: string,
  target: Target,
): RepeatOptions<StartInstanceResponse> {
  return {
    settle: async ({ code }) => {
      if (code !== "precondition" && code !== "conflict") return undefined;
      const { instance } = await readInstance(session, id);
      const placedNear = PlacedNear.PLACED_NEAR_UNSPECIFIED;
      return isOnTheWay(present(instance), target) ? { instance, placedNear } : undefined;
    },
  };
}

async function finish(
  session: Session,
  end: { readonly instance: Instance; readonly target: Target; readonly flags: ActionFlags },
): Promise<void> {
  const { flags, target } = end;
  const wait = flags.wait === true && flags.validateOnly !== true;
  const reached = await settleInstance(session, { instance: end.instance, target, wait });
  session.output.one(INSTANCE_VIEW, reached.instance);
  if (!reached.ok) session.exitCode = EXIT.stateNotReached;
}

async function remove(session: Session, flags: ActionFlags, [text = ""]: readonly string[]) {
  const id = await instanceId(session, text);
  const request = { id, ...change(session, flags) };
  await deleteObject(session, flags, {
    view: INSTANCE_VIEW,
    what: `instance ${text}`,
    about: { kind: "instance", id },
    remove: async (repeat) =>
      (await session.tenant.call(service.deleteInstance, request, repeat)).instance,
    read: async () => (await readInstance(session, id)).instance,
  });
}
