// railctl placement: what would fit; for operators also why, and how scattered free room is.
import {
  CapacityResource,
  CheckCapacityResponse,
  PlacementServiceService as service,
} from "@railyard/proto/gen/railyard/v1/placement";
import type { Command } from "commander";
import { EXIT } from "../exit-code.js";
import type { View } from "../output.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, wordOf, yesNo } from "../words.js";
import { addDefragmentation } from "./placement-defragmentation.js";
import { addExplain } from "./placement-explain.js";
import { addFragmentation } from "./placement-fragmentation.js";
import { type ShapeFlags, shapeOf, withShape } from "./placement-shape.js";
import { addSimulate } from "./placement-simulate.js";

const VIEW: View<CheckCapacityResponse> = {
  columns: [
    { title: "FITS", cell: ({ fits }) => yesNo(fits) },
    { title: "ASKED", cell: ({ askedCount }) => countOf(askedCount) },
    { title: "FIT NOW", cell: ({ fitCount }) => countOf(fitCount) },
    { title: "TOGETHER", cell: ({ leafGroupSpans }) => leafGroupSpans.join("+") },
    { title: "WAITING CAN HELP", cell: (it) => (it.fits ? "" : yesNo(it.waitingCanHelp)) },
    { title: "SHORT", cell: shortOf },
  ],
  json: CheckCapacityResponse.toJSON,
};

function shortOf({ shortfalls }: CheckCapacityResponse): string {
  const lines = shortfalls.map(({ resource, message }) => {
    return `${wordOf(CapacityResource, resource).replaceAll("_", "-")}: ${message}`;
  });
  return lines.join("\n");
}

/** Adds the noun. */
export function addPlacement(program: Command, run: Run): void {
  const noun = program.command("placement").description("what would fit");
  const command = noun.command("check-capacity");
  withShape(command.description("ask whether instances would fit now; keeps no room")).action(
    run(checkCapacity),
  );
  addExplain(noun, run);
  addSimulate(noun, run);
  addFragmentation(noun, run);
  addDefragmentation(noun, run);
}

async function checkCapacity(session: Session, flags: ShapeFlags): Promise<void> {
  const request = { shape: await shapeOf(session, flags) };
  const answer = await session.tenant.call(service.checkCapacity, request);
  session.output.one(VIEW, answer);
  if (!answer.fits) session.exitCode = EXIT.exhausted;
}
