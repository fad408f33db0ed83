// railctl mzone: what operators declare in mzone.yaml. It parses YAML and says where in the file
// the server found something wrong; what the file may declare is the server's business.
import { refuse } from "@railyard/lib/errors";
import {
  ApplyMzoneResponse,
  MzoneAction,
  MzoneChange,
  MzoneObjectKind,
  type MzoneSummary,
  MzoneServiceService as service,
  ValidateMzoneResponse,
} from "@railyard/proto/gen/railyard/admin/v1/mzone";
import type { Command } from "commander";
import { type CreateFlags, creating, creation } from "../flags.js";
import type { View } from "../output.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { wordOf } from "../words.js";
import { readYaml } from "../yaml-file.js";

/** The server takes this much in one message. */
const APPLY_BYTES_MAX = 240 * 1024;
const CHUNK_BYTES = 64 * 1024;
const EXPORT_CHUNKS_MAX = 1_024;

const CHANGES: View<MzoneChange> = {
  columns: [
    { title: "ACTION", cell: ({ action }) => wordOf(MzoneAction, action), state: true },
    { title: "KIND", cell: ({ kind }) => wordOf(MzoneObjectKind, kind).replaceAll("_", " ") },
    { title: "NAME", cell: ({ name }) => name },
  ],
  json: MzoneChange.toJSON,
};

/** Adds the noun. */
export function addMzone(program: Command, run: Run): void {
  const noun = program.command("mzone").description("what is declared in mzone.yaml (operators)");
  const file = ["-f, --file <file>", "the YAML file; - is standard input"] as const;
  creating(noun.command("apply").description("make the system be as the file says"))
    .requiredOption(...file)
    .option("--allow-disruption", "apply even when running instances are disturbed")
    .action(run(apply));
  noun
    .command("validate")
    .description("check a file and count what it would change")
    .requiredOption(...file)
    .action(run(validate));
  noun
    .command("export [mzone]")
    .description("print the document as it is applied now")
    .action(run(exportMzone));
}

interface Apply extends CreateFlags {
  readonly file: string;
  readonly allowDisruption?: boolean;
}

async function apply(session: Session, flags: Apply): Promise<void> {
  const document = readDocument(session, flags.file);
  if (document.length > APPLY_BYTES_MAX) {
    const sizes = `${document.length} bytes as JSON, at most ${APPLY_BYTES_MAX}`;
    throw refuse("invalid", `${flags.file} is too large: ${sizes}`);
  }
  const answer = await session.admin.call(service.applyMzone, {
    source: { $case: "documentJson", value: document },
    allowDisruption: flags.allowDisruption ?? false,
    ...creation(session, flags),
  });
  if (session.output.format !== "table") {
    return session.output.data(ApplyMzoneResponse.toJSON(answer));
  }
  printChanges(session, answer, flags.validateOnly ? "would apply" : "applied");
}

function printChanges(session: Session, answer: ApplyMzoneResponse, verb: string): void {
  const { summary, changes, mzoneName, mzoneGeneration } = answer;
  if (changes.length > 0) session.output.many(CHANGES, changes);
  const more = changedCount(summary) - changes.length;
  if (more > 0) session.output.lines([`… and ${more} more`]);
  const counts = countsOf(summary);
  session.output.lines([`mzone ${mzoneName} generation ${mzoneGeneration} ${verb}: ${counts}`]);
}

function changedCount(summary: MzoneSummary | undefined): number {
  if (!summary) return 0;
  return summary.createdCount + summary.updatedCount + summary.deletedCount;
}

/** How many objects change, in words. */
export function countsOf(summary: MzoneSummary | undefined): string {
  if (changedCount(summary) === 0) return "nothing to change";
  const counts = [
    [summary?.createdCount, "created"],
    [summary?.updatedCount, "changed"],
    [summary?.deletedCount, "removed"],
    [summary?.unchangedCount, "unchanged"],
  ] as const;
  return counts.flatMap(([count, word]) => (count ? [`${count} ${word}`] : [])).join(", ");
}

async function validate(session: Session, flags: { readonly file: string }): Promise<void> {
  const document = readDocument(session, flags.file);
  const chunks: { documentChunk: Buffer }[] = [];
  for (let at = 0; at < document.length; at += CHUNK_BYTES) {
    chunks.push({ documentChunk: document.subarray(at, at + CHUNK_BYTES) });
  }
  const answer = await session.admin.upload(service.validateMzone, chunks);
  if (session.output.format !== "table") {
    return session.output.data(ValidateMzoneResponse.toJSON(answer));
  }
  const { mzoneName, mzoneGeneration, summary } = answer;
  const counts = countsOf(summary);
  session.output.lines([`mzone ${mzoneName} generation ${mzoneGeneration} is valid: ${counts}`]);
}

function readDocument(session: Session, file: string): Buffer {
  const value = readYaml(session, file);
  return Buffer.from(JSON.stringify(value ?? null), "utf8");
}

async function exportMzone(session: Session, _: object, [mzoneName = ""]: readonly string[]) {
  const request = { mzoneName };
  const chunks = await session.admin.download(service.exportMzone, request, EXPORT_CHUNKS_MAX);
  const text = Buffer.concat(chunks.map(({ documentChunk }) => documentChunk)).toString("utf8");
  session.output.data(JSON.parse(text));
}
