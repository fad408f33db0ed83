// `railyard-agent inventory`: prints what the machine has. Reads its arguments and no settings; it
// must not need a controller, credentials or a data directory.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Clock } from "@railyard/lib/clock";
import { invalidField } from "@railyard/lib/errors";
import { DEFAULT_SELECTORS, isSelector } from "../inventory.js";
import { printSurvey } from "./print.js";
import { type Survey, survey } from "./survey.js";

export const INVENTORY_USAGE = `usage: railyard-agent inventory [options]

Prints what this machine has. Changes nothing, needs no settings.

  --root DIR     look at the sys and proc below DIR instead of this machine
  --gpu V:D      PCI vendor:device that counts as a GPU, * for any; may be repeated
                 (default ${DEFAULT_SELECTORS.gpus.join(" ")})
  -o FORMAT      table or json (default table)
  -h, --help     this text
`;

/** Answers the whole text for standard output. Throws `invalid` for arguments it does not know. */
export async function inventoryCommand(args: readonly string[], clock: Clock): Promise<string> {
  const { root, gpu, output, help } = readArguments(args);
  if (help) return INVENTORY_USAGE;
  if (output !== "table" && output !== "json") throw invalidField("-o", "must be table or json");
  if (!gpu.every(isSelector)) throw invalidField("--gpu", "must be vendor:device, e.g. 10de:*");
  const found = await survey(resolve(root), { gpus: gpu }, clock);
  return output === "json" ? printJson(found) : printSurvey(found);
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        root: { type: "string", default: "/" },
        gpu: { type: "string", multiple: true, default: [...DEFAULT_SELECTORS.gpus] },
        output: { type: "string", short: "o", default: "table" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (thrown) {
    throw invalidField("arguments", thrown instanceof Error ? thrown.message : "are not known");
  }
}

function printJson({ host, inventory, rails, facts }: Survey): string {
  const { functions, interfaces, rdma } = facts;
  const shown = { host: host ?? null, inventory, rails, functions, interfaces, rdma };
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}
