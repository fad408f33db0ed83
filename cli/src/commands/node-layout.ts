// railctl node layout: the physical devices behind attachments, for operators.
import { invalidField } from "@railyard/lib/errors";
import { NodeServiceService as service } from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  type GetPlacedLayoutRequest,
  type PlacedGuest,
  PlacedLayoutRow,
} from "@railyard/proto/gen/railyard/admin/v1/node_layout";
import { IsolationKind } from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import type { Command } from "commander";
import type { View } from "../output.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, wordOf } from "../words.js";
import { observedWord } from "./attachment-view.js";
import { nodeId } from "./node-lookup.js";

const VIEW: View<PlacedLayoutRow> = {
  columns: [
    { title: "NODE", cell: ({ nodeName }) => nodeName },
    { title: "INSTANCE", cell: ({ instanceName, instanceId }) => instanceName || instanceId },
    { title: "POS", cell: ({ position }) => countOf(position) },
    { title: "RAIL", cell: ({ rail }) => countOf(rail) },
    { title: "GPU PCI", cell: ({ gpuPciAddress }) => gpuPciAddress },
    { title: "PF", cell: ({ pfName }) => pfName },
    { title: "PF PCI", cell: ({ pfPciAddress }) => pfPciAddress },
    { title: "VF", cell: ({ vfIndex }) => countOf(vfIndex) },
    { title: "VF PCI", cell: ({ vfPciAddress }) => vfPciAddress },
    { title: "MAC", cell: ({ macAddress }) => macAddress },
    {
      title: "ISOLATION",
      cell: (it) => `${wordOf(IsolationKind, it.isolationKind)} ${it.isolationId}`,
    },
    { title: "OBSERVED", cell: (it) => observedWord(it.observed), state: true },
  ],
  json: PlacedLayoutRow.toJSON,
};

/** Adds the verb. */
export function addPlacedLayout(noun: Command, run: Run): void {
  noun
    .command("layout [node]")
    .description("show the devices behind attachments; -o qemu: how the guests are built")
    .option("--instance <id>", "those of this instance, by id")
    .action(run(layout, "qemu"));
}

async function layout(
  session: Session,
  flags: { readonly instance?: string },
  [node]: readonly string[],
): Promise<void> {
  const subject = await subjectOf(session, node, flags.instance);
  const { rows, guests } = await session.admin.call(service.getPlacedLayout, { subject });
  if (session.ownFormat) return session.output.lines(guests.flatMap(qemuLines));
  session.output.many(VIEW, rows);
}

/** A comment with the instance, then one option with its value a line. */
function qemuLines({ instanceId, qemuArguments }: PlacedGuest): readonly string[] {
  const options = qemuArguments.flatMap((option, at) =>
    at % 2 === 0 ? [`${option} ${qemuArguments[at + 1] ?? ""}`] : [],
  );
  return [`# ${instanceId}`, ...options];
}

type Subject = NonNullable<GetPlacedLayoutRequest["subject"]>;

async function subjectOf(
  session: Session,
  node: string | undefined,
  instance: string | undefined,
): Promise<Subject> {
  if (instance !== undefined && node === undefined) {
    return { $case: "instanceId", value: instance };
  }
  if (node === undefined || instance !== undefined) {
    throw invalidField("node", "give a node or --instance");
  }
  return { $case: "nodeId", value: await nodeId(session, node) };
}
