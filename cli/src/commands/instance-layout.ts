// railctl instance layout: which rail, GPU, NIC and guest PCI address each attachment has, and the
// guest's PCI tree; or the topology file for NCCL.
import { refuse } from "@railyard/lib/errors";
import { InstanceServiceService as service } from "@railyard/proto/gen/railyard/v1/instance";
import {
  InstanceLayout,
  type InstanceLayoutRow,
} from "@railyard/proto/gen/railyard/v1/instance_layout";
import type { Command } from "commander";
import { present } from "../answer.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import type { Column } from "../table.js";
import { countOf, nameOf } from "../words.js";
import { observedWord } from "./attachment-view.js";
import { guestTreeLines } from "./guest-tree.js";
import { instanceId } from "./instance-lookup.js";

const COLUMNS: readonly Column<InstanceLayoutRow>[] = [
  { title: "POS", cell: ({ position }) => countOf(position) },
  { title: "NAME", cell: ({ name }) => name },
  { title: "SUBNET", cell: ({ subnet }) => nameOf(subnet) },
  { title: "ADDRESS", cell: ({ address }) => address },
  { title: "RAIL", cell: ({ rail }) => countOf(rail) },
  { title: "GPU", cell: ({ gpuIndex }) => countOf(gpuIndex) },
  { title: "NIC", cell: ({ nicIndex }) => countOf(nicIndex) },
  { title: "GBPS", cell: ({ speedGbps }) => countOf(speedGbps) },
  { title: "GUEST PCI", cell: ({ guestPciAddress }) => guestPciAddress },
  { title: "OBSERVED", cell: ({ observed }) => observedWord(observed), state: true },
];

/** Adds the verb. */
export function addInstanceLayout(noun: Command, run: Run): void {
  noun
    .command("layout <instance>")
    .description("show where each attachment lies in the guest; -o nccl: its NCCL topology file")
    .action(run(layout, "nccl"));
}

async function layout(session: Session, _: object, [text = ""]: readonly string[]): Promise<void> {
  const request = { id: await instanceId(session, text) };
  const answer = present((await session.tenant.call(service.getInstanceLayout, request)).layout);
  if (session.ownFormat) {
    const xml = answer.ncclTopologyXml;
    if (xml === "") throw refuse("precondition", `${text} was not seen running yet`);
    return session.output.lines(xml.trimEnd().split("\n"));
  }
  if (session.output.format !== "table") {
    return session.output.data(InstanceLayout.toJSON(answer));
  }
  session.output.many({ columns: COLUMNS, json: () => undefined }, answer.rows);
  const tree = guestTreeLines(answer.guestTree, answer.rows);
  if (tree.length > 0) session.output.lines(["", ...tree]);
}
