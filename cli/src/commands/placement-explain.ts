// railctl placement explain: why something fits or not, node by node, for operators.
import { invalidField } from "@railyard/lib/errors";
import {
  type ExplainPlacementRequest,
  type PlacementCount,
  PlacementExplanation,
  PlacementAdminServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import type { Command } from "commander";
import { present } from "../answer.js";
import type { View } from "../output.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, yesNo } from "../words.js";
import { type ShapeFlags, shapeWithId, withCloseness } from "./placement-shape.js";

/** How an explanation is shown, here and after a simulation. */
export const EXPLANATION: View<PlacementExplanation> = {
  columns: [
    { title: "FITS", cell: ({ fits }) => yesNo(fits) },
    { title: "ASKED", cell: ({ askedCount }) => countOf(askedCount) },
    { title: "FIT NOW", cell: ({ fitCount }) => countOf(fitCount) },
    { title: "NODES", cell: ({ consideredCount }) => countOf(consideredCount) },
    { title: "CAN TAKE ONE", cell: ({ fittingNodeCount }) => countOf(fittingNodeCount) },
  ],
  details: [
    { title: "REMOVED BY", cell: ({ removed }) => countLines(removed) },
    { title: "PREFERRED BY", cell: ({ preferred }) => countLines(preferred) },
    { title: "CLOSEST", cell: closestOf },
    { title: "WOULD HELP", cell: helpOf },
    { title: "GOES TO", cell: membersOf },
  ],
  json: PlacementExplanation.toJSON,
};

function countLines(counts: readonly PlacementCount[]): string {
  const lines = counts.map(({ rule, count, examples }) => {
    const more = count > examples.length ? ", …" : "";
    return `${rule}: ${count} (${examples.join(", ")}${more})`;
  });
  return lines.join("\n");
}

function closestOf({ rejected }: PlacementExplanation): string {
  const lines = rejected.map(({ nodeName, leafGroup, rules, score }) => {
    return `${nodeName} in ${leafGroup}, score ${score}: ${rules.join(", ")}`;
  });
  return lines.join("\n");
}

function helpOf({ changes, smallestChange }: PlacementExplanation): string {
  return changes.length > 0 ? changes.map(({ message }) => message).join("\n") : smallestChange;
}

function membersOf({ members }: PlacementExplanation): string {
  const lines = members.map(({ nodeName, leafGroup, gpuDeviceIds }) => {
    return `${nodeName} in ${leafGroup}, ${gpuDeviceIds.length} GPUs`;
  });
  return lines.join("\n");
}

/** Adds the verb. */
export function addExplain(noun: Command, run: Run): void {
  const command = noun
    .command("explain")
    .description("say why an instance or a shape fits or not, node by node (operators)")
    .option("--instance <id>", "an instance by id: its last placement, tried again now")
    .option("--account <account>", "or a shape: the account that would ask for it")
    .option("--network <id>", "the shape's cluster network, by id")
    .option("--profile <name>", "its instance profile")
    .option("--count <n>", "how many instances", "1")
    .option("--attachments <n>", "attachments of each (the profile's usual count when absent)");
  withCloseness(command)
    .option("--spares <n>", "room for so many more, should some fail")
    .action(run(explain));
}

type Explain = Partial<ShapeFlags> & {
  readonly instance?: string;
  readonly account?: string;
  readonly count: string;
};

async function explain(session: Session, flags: Explain): Promise<void> {
  const request = { subject: subjectOf(flags) };
  const { explanation } = await session.admin.call(service.explainPlacement, request);
  session.output.one(EXPLANATION, present(explanation));
}

function subjectOf(flags: Explain): ExplainPlacementRequest["subject"] {
  const { instance, account, network, profile } = flags;
  if (instance !== undefined) {
    if (account === undefined && network === undefined && profile === undefined) {
      return { $case: "instanceId", value: instance };
    }
    throw invalidField("--instance", "has no place beside a shape");
  }
  if (account === undefined || network === undefined || profile === undefined) {
    throw invalidField("--instance", "give an instance, or --account, --network and --profile");
  }
  const shape = shapeWithId({ ...flags, network, profile });
  return { $case: "shape", value: { account, shape } };
}
