// The command line of the programs that start a yard. Knows flags, not what they lead to.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { SetupError } from "./machine.mjs";

/**
 * Reads `--data-dir` and, where `keepable`, `--keep`; shows `usage` and ends for `--help`. Throws
 * SetupError for anything else.
 */
export function readOptions({ usage, keepable = false }) {
  const options = { "data-dir": { type: "string" }, help: { type: "boolean", short: "h" } };
  if (keepable) options.keep = { type: "boolean" };
  const { values } = parsed(options, usage);
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const dataDir = values["data-dir"];
  return {
    keep: values.keep ?? false,
    dataDir: dataDir === undefined ? undefined : resolve(dataDir),
  };
}

function parsed(options, usage) {
  try {
    return parseArgs({ options });
  } catch (error) {
    throw new SetupError(`${error.message}\n${usage}`);
  }
}
