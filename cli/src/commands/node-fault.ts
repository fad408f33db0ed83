// railctl node fault: what made-up machines do wrong, for operators.
import { NodeServiceService as service } from "@railyard/proto/gen/railyard/admin/v1/node";
import { Fault, FaultKind } from "@railyard/proto/gen/railyard/admin/v1/node_fault";
import type { Command } from "commander";
import { present } from "../answer.js";
import { durationMs } from "../config.js";
import {
  type ChangeFlags,
  type CreateFlags,
  change,
  changing,
  creating,
  creation,
  wholeNumber,
} from "../flags.js";
import type { View } from "../output.js";
import { listAll } from "../pages.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, enumValueOf, timeOf, wordOf, wordsOf } from "../words.js";
import { nodeId } from "./node-lookup.js";

const VIEW: View<Fault> = {
  columns: [
    { title: "ID", cell: ({ id }) => id },
    { title: "NODE", cell: ({ nodeId: node }) => node },
    { title: "KIND", cell: ({ spec }) => wordOf(FaultKind, spec?.kind ?? 0).replaceAll("_", "-") },
    { title: "ON", cell: onOf },
    { title: "TIMES", cell: ({ spec }) => countOf(spec?.times || undefined) },
    { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt) },
    { title: "EXPIRES", cell: ({ expiresAt }) => timeOf(expiresAt) },
  ],
  details: [{ title: "ETAG", cell: ({ etag }) => etag }],
  json: Fault.toJSON,
};

function onOf({ spec }: Fault): string {
  const on = {
    rail: countOf(spec?.rail),
    vf: countOf(spec?.vfIndex),
    gpu: countOf(spec?.gpuIndex),
    step: spec?.step ?? "",
  };
  const given = Object.entries(on).filter(([, value]) => value !== "");
  return given.map(([what, value]) => `${what} ${value}`).join(", ");
}

/** Adds the verbs. */
export function addNodeFault(noun: Command, run: Run): void {
  const fault = noun.command("fault").description("what made-up machines do wrong (operators)");
  creating(fault.command("add <node>"))
    .description("let a made-up machine do something wrong")
    .requiredOption("--kind <kind>", `one of ${[...wordsOf(FaultKind).keys()].join(", ")}`)
    .option("--rail <rail>", "the rail whose NIC it hits (any when absent)")
    .option("--vf <index>", "the virtual function it hits (any when absent)")
    .option("--gpu <index>", "the GPU it hits, counted by PCI address (any when absent)")
    .option("--step <step>", "the step it hits, such as configure-vf (the first when absent)")
    .option("--times <count>", "how often it strikes (always when absent)")
    .option("--ttl <duration>", "for how long, such as 30s (until removed when absent)")
    .action(run(add));
  fault
    .command("list")
    .description("list faults, newest first")
    .option("--node <node>", "only those of this node")
    .action(run(list));
  changing(fault.command("remove <fault>").description("take a fault away")).action(run(remove));
}

interface Add extends CreateFlags {
  readonly kind: string;
  readonly rail?: string;
  readonly vf?: string;
  readonly gpu?: string;
  readonly step?: string;
  readonly times?: string;
  readonly ttl?: string;
}

async function add(session: Session, flags: Add, [text = ""]: readonly string[]): Promise<void> {
  const { rail, vf, gpu, times, ttl, step = "" } = flags;
  const ms = ttl === undefined ? undefined : durationMs(ttl, "--ttl");
  const spec = {
    kind: enumValueOf(FaultKind, flags.kind, "--kind"),
    ...(rail !== undefined && { rail: wholeNumber(rail, "--rail") }),
    ...(vf !== undefined && { vfIndex: wholeNumber(vf, "--vf") }),
    ...(gpu !== undefined && { gpuIndex: wholeNumber(gpu, "--gpu") }),
    step,
    times: times === undefined ? 0 : wholeNumber(times, "--times"),
  };
  const { fault } = await session.admin.call(service.addFault, {
    nodeId: await nodeId(session, text),
    spec,
    ttl: ms === undefined ? undefined : { seconds: BigInt(Math.ceil(ms / 1_000)), nanos: 0 },
    ...creation(session, flags),
  });
  session.output.one(VIEW, present(fault));
}

async function list(session: Session, flags: { readonly node?: string }): Promise<void> {
  const { node } = flags;
  const faults = await listAll(session.admin, {
    method: service.listFaults,
    filters: { nodeId: node === undefined ? "" : await nodeId(session, node) },
    items: (answer) => answer.faults,
  });
  session.output.many(VIEW, faults);
}

async function remove(session: Session, flags: ChangeFlags, [id = ""]: readonly string[]) {
  const request = { id, ...change(session, flags) };
  const { fault } = await session.admin.call(service.removeFault, request);
  session.output.one(VIEW, present(fault));
}
