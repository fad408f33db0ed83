// railctl node: servers and their agents, for operators.
import { invalidField } from "@railyard/lib/errors";
import {
  FenceMethod,
  Node,
  NodeRole,
  NodeState,
  NodeServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  NodeFlagKind,
  NodeMismatchKind,
} from "@railyard/proto/gen/railyard/admin/v1/node_inventory";
import type { Command } from "commander";
import { present } from "../answer.js";
import { type ChangeFlags, change, changing, creation } from "../flags.js";
import type { View } from "../output.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import type { Judged } from "../wait.js";
import { countOf, enumValueOf, timeOf, wordOf } from "../words.js";
import { addEnroll } from "./node-enroll.js";
import { addNodeFault } from "./node-fault.js";
import { addPlacedLayout } from "./node-layout.js";
import { listNodes, type NodeFilters, nodeId, readNode } from "./node-lookup.js";

const VIEW: View<Node> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "STATE", cell: stateOf, state: true },
    { title: "ROLE", cell: ({ role }) => wordOf(NodeRole, role) },
    { title: "ZONE", cell: ({ zone }) => zone },
    { title: "CLUSTER", cell: ({ physicalCluster }) => physicalCluster },
    { title: "LEAF GROUP", cell: ({ leafGroup }) => leafGroup },
    { title: "HARDWARE", cell: ({ hardware }) => hardware },
    { title: "FREE GPUS", cell: ({ inventory }) => countOf(inventory?.freeGpuCount) },
    { title: "INSTANCES", cell: ({ instanceCount }) => countOf(instanceCount) },
    { title: "FLAGS", cell: ({ flags, mismatches }) => countOf(flags.length + mismatches.length) },
  ],
  details: [
    { title: "SERIAL", cell: ({ serial }) => serial },
    { title: "CORDON REASON", cell: ({ cordonReason }) => cordonReason },
    { title: "FENCE", cell: fenceOf },
    {
      title: "GENERATION",
      cell: (it) =>
        `desired ${it.desiredGeneration}, accepted ${it.acceptedGeneration}, ` +
        `applied ${it.appliedGeneration} (epoch ${it.epoch})`,
    },
    { title: "HEARD", cell: ({ lastHeartbeatAt }) => timeOf(lastHeartbeatAt) },
    { title: "SESSION", cell: ({ session }) => session },
    { title: "INCARNATION", cell: ({ incarnation }) => incarnation },
    { title: "BOOT", cell: ({ bootId }) => bootId },
    { title: "AGENT", cell: ({ agentVersion }) => agentVersion },
    { title: "LOOK AT", cell: flagsOf },
    { title: "MISMATCHES", cell: mismatchesOf },
    { title: "WARNINGS", cell: warningsOf },
    { title: "ETAG", cell: ({ etag }) => etag },
  ],
  json: Node.toJSON,
};

function stateOf({ state, cordoned }: Node): string {
  return `${wordOf(NodeState, state)}${cordoned ? ",cordoned" : ""}`;
}

function fenceOf({ fence }: Node): string {
  if (!fence) return "";
  return `${timeOf(fence.fencedAt)} by ${fence.principal}: ${fence.reason}`;
}

function flagsOf({ flags }: Node): string {
  return flags.map(({ kind, message }) => `${wordOf(NodeFlagKind, kind)}: ${message}`).join("\n");
}

function mismatchesOf({ mismatches }: Node): string {
  return mismatches
    .map(({ kind, rail, expected, seen }) => {
      const where = rail === undefined ? "" : ` rail ${rail}`;
      return `${wordOf(NodeMismatchKind, kind)}${where}: ${expected}, seen ${seen}`;
    })
    .join("\n");
}

function warningsOf({ inventory }: Node): string {
  const { warnings = [], warningCount = 0 } = inventory ?? {};
  const left = warningCount - warnings.length;
  return [
    ...warnings.map(({ kind, deviceId, message }) => {
      return `${kind}${deviceId === "" ? "" : ` ${deviceId}`}: ${message}`;
    }),
    ...(left > 0 ? [`and ${left} more`] : []),
  ].join("\n");
}

/** Adds the noun. */
export function addNode(program: Command, run: Run): void {
  const noun = program.command("node").description("servers and their agents (operators)");
  noun
    .command("list")
    .description("list nodes, undeclared machines too")
    .option("--zone <zone>", "only those in this zone")
    .option("--physical-cluster <name>", "only those in this physical cluster")
    .option("--leaf-group <name>", "only those in this leaf group")
    .option("--state <state>", "only those in this state, such as ready")
    .action(run(list));
  noun.command("get <node>").description("show a node").action(run(get));
  noun
    .command("wait [nodes...]")
    .description("wait until nodes are in a state (every declared node when none is named)")
    .option("--state <state>", "the state", "ready")
    .action(run(wait));
  addEnroll(noun, run);
  changing(noun.command("cordon <node>").description("give a node no new work"))
    .option("--reason <text>", "why, for other operators")
    .action(run(cordon));
  changing(
    noun
      .command("uncordon <node>")
      .description("let a node have new work again, and take its flags away"),
  ).action(run(uncordon));
  changing(
    noun
      .command("fence <node>")
      .description("say that a silent node cannot speak any more, so that its work moves"),
  )
    .requiredOption("--reason <text>", "what makes that certain")
    .option("--request-id <uuid>", "makes repeating safe (made up when absent)")
    .action(run(fence));
  addPlacedLayout(noun, run);
  addNodeFault(noun, run);
}

async function list(session: Session, flags: NodeFilters): Promise<void> {
  session.output.many(VIEW, await listNodes(session, flags));
}

async function get(session: Session, _: object, [text = ""]: readonly string[]): Promise<void> {
  const { node } = await readNode(session, await nodeId(session, text));
  session.output.one(VIEW, present(node));
}

async function wait(
  session: Session,
  flags: { readonly state: string },
  names: readonly string[],
): Promise<void> {
  const state = enumValueOf(NodeState, flags.state, "--state");
  const wanted = await session.wait({
    what: "nodes",
    read: async () => judgeNodes(await listNodes(session, {}), names, state),
  });
  session.output.many(VIEW, wanted);
}

/** Whether the named nodes (every declared one when none is named) are all in `state`. */
export function judgeNodes(
  all: readonly Node[],
  names: readonly string[],
  state: NodeState,
): Judged<readonly Node[]> {
  const unknown = names.filter((text) => !all.some(({ id, name }) => id === text || name === text));
  if (unknown.length > 0) throw invalidField("nodes", `${unknown.join(", ")} not found`);
  const wanted = all.filter((node) =>
    names.length > 0
      ? names.includes(node.name) || names.includes(node.id)
      : node.state !== NodeState.NODE_STATE_UNDECLARED,
  );
  const there = wanted.filter((node) => node.state === state).length;
  const word = wordOf(NodeState, state);
  const text = `${there} of ${wanted.length} ${word}`;
  if (there < wanted.length || wanted.length === 0) return { t: "waiting", state: text };
  return { t: "done", state: text, value: wanted };
}

async function cordon(
  session: Session,
  flags: ChangeFlags & { readonly reason?: string },
  [text = ""]: readonly string[],
): Promise<void> {
  const id = await nodeId(session, text);
  const request = { id, reason: flags.reason ?? "", ...change(session, flags) };
  const { node } = await session.admin.call(service.cordonNode, request);
  session.output.one(VIEW, present(node));
}

async function uncordon(session: Session, flags: ChangeFlags, [text = ""]: readonly string[]) {
  const request = { id: await nodeId(session, text), ...change(session, flags) };
  const { node } = await session.admin.call(service.uncordonNode, request);
  session.output.one(VIEW, present(node));
}

async function fence(
  session: Session,
  flags: ChangeFlags & { readonly reason: string; readonly requestId?: string },
  [text = ""]: readonly string[],
) {
  const { node } = await session.admin.call(service.fenceNode, {
    id: await nodeId(session, text),
    method: FenceMethod.FENCE_METHOD_OPERATOR_WORD,
    reason: flags.reason,
    etag: flags.etag ?? "",
    ...creation(session, flags),
  });
  session.output.one(VIEW, present(node));
}
