// railctl placement simulate: what would happen if shapes were placed one after another, for
// operators.
import { invalidField } from "@railyard/lib/errors";
import {
  type AccountShape,
  PlacementExplanation,
  PlacementAdminServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import type { Command } from "commander";
import { collect, keyValues, wholeNumber } from "../flags.js";
import type { View } from "../output.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, yesNo } from "../words.js";
import { shapeWithId } from "./placement-shape.js";

const VIEW: View<PlacementExplanation> = {
  columns: [
    { title: "FITS", cell: ({ fits }) => yesNo(fits) },
    { title: "ASKED", cell: ({ askedCount }) => countOf(askedCount) },
    { title: "FIT NOW", cell: ({ fitCount }) => countOf(fitCount) },
    { title: "GOES TO", cell: placesOf },
    { title: "WOULD HELP", cell: ({ smallestChange }) => smallestChange },
  ],
  json: PlacementExplanation.toJSON,
};

/** `2 in su1, 1 in su2`. */
function placesOf({ members }: PlacementExplanation): string {
  const groups = new Map<string, number>();
  for (const { leafGroup } of members) groups.set(leafGroup, (groups.get(leafGroup) ?? 0) + 1);
  return [...groups].map(([name, count]) => `${count} in ${name}`).join(", ");
}

const KEYS = [
  ...["account", "network", "profile", "count", "attachments", "max-leaf-groups"],
  ...["segment-size", "spares"],
];

/** Adds the verb. */
export function addSimulate(noun: Command, run: Run): void {
  noun
    .command("simulate")
    .description("place shapes one after another on a copy of the fleet (operators)")
    .requiredOption(
      "--shape <keys>",
      `account=,network=ID,profile=,count= and as wanted ${KEYS.slice(4).join("=, ")}=; repeatable`,
      collect,
    )
    .option("--without-node <name>", "pretend that this node is not there; repeatable", collect)
    .option("--seed <n>", "breaks ties; the same seed gives the same answer", "0")
    .action(run(simulate));
}

interface Simulate {
  readonly shape: readonly string[];
  readonly withoutNode?: readonly string[];
  readonly seed: string;
}

async function simulate(session: Session, flags: Simulate): Promise<void> {
  const { explanations } = await session.admin.call(service.simulatePlacement, {
    shapes: flags.shape.map(accountShapeOf),
    withoutNodes: [...(flags.withoutNode ?? [])],
    seed: BigInt(wholeNumber(flags.seed, "--seed")),
  });
  session.output.many(VIEW, explanations);
}

function accountShapeOf(text: string): AccountShape {
  const values = keyValues(text, "--shape", KEYS);
  const need = (key: string) => {
    const value = values.get(key);
    if (value === undefined) throw invalidField("--shape", `"${text}" lacks ${key}=`);
    return value;
  };
  const [account, network, profile] = [need("account"), need("network"), need("profile")];
  const given = (flag: string, key: string) => {
    const value = values.get(key);
    return value === undefined ? {} : { [flag]: value };
  };
  const shape = shapeWithId({
    ...{ network, profile, count: values.get("count") ?? "1" },
    ...given("attachments", "attachments"),
    ...given("maxLeafGroups", "max-leaf-groups"),
    ...given("segmentSize", "segment-size"),
    ...given("spares", "spares"),
  });
  return { account, shape };
}
