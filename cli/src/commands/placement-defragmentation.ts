// railctl placement defragmentation: which instances to move so that whole nodes become free, for
// operators. It proposes; nothing moves by itself.
import {
  ProposedMove,
  PlacementAdminServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import type { Command } from "commander";
import { wholeNumber } from "../flags.js";
import type { View } from "../output.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf } from "../words.js";

const VIEW: View<ProposedMove> = {
  columns: [
    { title: "INSTANCE", cell: ({ instanceId }) => instanceId },
    { title: "ACCOUNT", cell: ({ account }) => account },
    { title: "GPUS", cell: ({ gpuCount }) => countOf(gpuCount) },
    { title: "FROM", cell: ({ fromNode }) => fromNode },
    { title: "TO", cell: ({ toNode }) => toNode },
    { title: "FREE NODES THEN", cell: ({ freeNodeCountAfter }) => countOf(freeNodeCountAfter) },
  ],
  json: ProposedMove.toJSON,
};

/** Adds the verb. */
export function addDefragmentation(noun: Command, run: Run): void {
  noun
    .command("defragmentation")
    .description("propose moves that make nodes wholly free; moves nothing (operators)")
    .requiredOption("--physical-cluster <name>", "the physical cluster, by name")
    .option("--wanted-nodes <n>", "whole nodes wanted in one leaf group (as many as can be)")
    .option("--max-moves <n>", "at most so many moves (16 when absent)")
    .action(run(propose));
}

interface Propose {
  readonly physicalCluster: string;
  readonly wantedNodes?: string;
  readonly maxMoves?: string;
}

async function propose(session: Session, flags: Propose): Promise<void> {
  const number = (text: string | undefined, flag: string) => {
    return text === undefined ? 0 : wholeNumber(text, flag);
  };
  const found = await session.admin.call(service.proposeDefragmentation, {
    physicalCluster: flags.physicalCluster,
    wantedNodes: number(flags.wantedNodes, "--wanted-nodes"),
    maxMoves: number(flags.maxMoves, "--max-moves"),
  });
  session.output.many(VIEW, found.moves);
  const nodes = `${found.freeNodeCountBefore} to ${found.freeNodeCountAfter}`;
  const gang = `${found.largestGangBefore} to ${found.largestGangAfter}`;
  session.note(`wholly free nodes: ${nodes}; of the best leaf group: ${gang}`);
}
