// railctl instance layout: which rail, GPU, NIC and guest PCI address each attachment has.
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
    .description("show where each attachment lies in the guest")
    .action(run(layout));
}

async function layout(session: Session, _: object, [text = ""]: readonly string[]): Promise<void> {
  const request = { id: await instanceId(session, text) };
  const answer = present((await session.tenant.call(service.getInstanceLayout, request)).layout);
  if (session.output.format !== "table") {
    return session.output.data(InstanceLayout.toJSON(answer));
  }
  session.output.many({ columns: COLUMNS, json: () => undefined }, answer.rows);
}
