// railctl quota: how much accounts may have, for operators.

import { invalidField } from "@railyard/lib/errors";
import {
  Quota,
  QuotaItem,
  QuotaSubject,
  QuotaServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/quota";
import type { Command } from "commander";
import { present } from "../answer.js";
import { type ChangeFlags, change, changing, collect, wholeNumber } from "../flags.js";
import type { View } from "../output.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, enumValueOf, wordOf, wordsOf } from "../words.js";

const VIEW: View<QuotaItem> = {
  columns: [
    { title: "SUBJECT", cell: ({ subject }) => subjectWord(subject) },
    { title: "LIMIT", cell: ({ limit }) => countOf(limit) },
    { title: "USED", cell: ({ used }) => countOf(used) },
  ],
  json: QuotaItem.toJSON,
};

// Spelt as --limit takes them.
function subjectWord(subject: QuotaSubject): string {
  return wordOf(QuotaSubject, subject).replaceAll("_", "-");
}

/** Adds the noun. */
export function addQuota(program: Command, run: Run): void {
  const noun = program.command("quota").description("how much accounts may have (operators)");
  noun
    .command("get <account>")
    .description("show an account's limits and what is used of them")
    .action(run(get));
  const subjects = [...wordsOf(QuotaSubject).keys()].join(", ");
  changing(noun.command("set <account>").description("set limits of an account"))
    .requiredOption("--limit <subject=count>", `may be repeated; one of ${subjects}`, collect)
    .action(run(set));
}

async function get(session: Session, _: object, [account = ""]: readonly string[]): Promise<void> {
  const { quota } = await session.admin.call(service.getQuota, { account });
  show(session, present(quota));
}

async function set(
  session: Session,
  flags: ChangeFlags & { readonly limit: readonly string[] },
  [account = ""]: readonly string[],
): Promise<void> {
  const limits = flags.limit.map(limitFrom);
  const request = { account, limits, ...change(session, flags) };
  const { quota } = await session.admin.call(service.setQuota, request);
  show(session, present(quota));
}

function limitFrom(text: string) {
  const [, subject = "", count = ""] = /^([-_a-z]+)=(\d+)$/.exec(text) ?? [];
  if (count === "") throw invalidField("--limit", `"${text}" must be SUBJECT=COUNT`);
  return {
    subject: enumValueOf(QuotaSubject, subject, "--limit"),
    limit: BigInt(wholeNumber(count, "--limit")),
  };
}

function show({ output }: Session, quota: Quota): void {
  if (output.format === "table") output.many(VIEW, quota.items);
  else output.data(Quota.toJSON(quota));
}
