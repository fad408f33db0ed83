// railctl audit: who changed what, for operators.
import { invalidField } from "@railyard/lib/errors";
import {
  AuditRecord,
  ListAuditRecordsRequest,
  AuditServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/audit";
import type { Command } from "commander";
import { wholeNumber } from "../flags.js";
import type { View } from "../output.js";
import { PAGE_SIZE } from "../pages.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, timeOf } from "../words.js";

/** Objects of one record that a table names; JSON names all. */
const OBJECTS_SHOWN = 3;
const RECORDS_MAX = 100_000;

const VIEW: View<AuditRecord> = {
  columns: [
    { title: "SEQUENCE", cell: ({ sequence }) => countOf(sequence) },
    { title: "TIME", cell: ({ createdAt }) => timeOf(createdAt) },
    { title: "ACCOUNT", cell: ({ account }) => account },
    { title: "PRINCIPAL", cell: ({ principal }) => principal },
    { title: "CALL", cell: ({ rpc }) => rpc.slice(rpc.lastIndexOf("/") + 1) },
    { title: "OBJECTS", cell: objectsOf },
  ],
  json: AuditRecord.toJSON,
};

function objectsOf({ objects }: AuditRecord): string {
  const shown = objects.slice(0, OBJECTS_SHOWN).map(({ kind, id }) => `${kind} ${id}`);
  const more = objects.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}

/** Adds the noun. */
export function addAudit(program: Command, run: Run): void {
  const noun = program.command("audit").description("who changed what (operators)");
  noun
    .command("list")
    .description("list records of changes, newest first")
    .option("--account <account>", "only those of this account")
    .option("--principal <id>", "only those of this token, or of system:<part>")
    .option("--object <id>", "only those that changed this object")
    .option("--after <time>", "only those at or after this time, such as 2026-03-01T10:00:00Z")
    .option("--before <time>", "only those before this time")
    .option("--limit <count>", "at most this many", "100")
    .action(run(list));
}

interface List {
  readonly account?: string;
  readonly principal?: string;
  readonly object?: string;
  readonly after?: string;
  readonly before?: string;
  readonly limit: string;
}

async function list(session: Session, flags: List): Promise<void> {
  const limit = Math.min(wholeNumber(flags.limit, "--limit"), RECORDS_MAX);
  const wish = ListAuditRecordsRequest.fromPartial({
    account: flags.account ?? "",
    principal: flags.principal ?? "",
    objectId: flags.object ?? "",
    createdAfter: timeFrom(flags.after, "--after"),
    createdBefore: timeFrom(flags.before, "--before"),
  });
  const records: AuditRecord[] = [];
  let pageToken = "";
  while (records.length < limit) {
    const pageSize = Math.min(PAGE_SIZE, limit - records.length);
    const page = await session.admin.call(service.listAuditRecords, {
      ...wish,
      pageSize,
      pageToken,
    });
    records.push(...page.auditRecords);
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  session.output.many(VIEW, records);
}

function timeFrom(text: string | undefined, flag: string): Date | undefined {
  if (text === undefined) return undefined;
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw invalidField(flag, "must be a time");
  return at;
}
