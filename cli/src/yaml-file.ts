// Reads a YAML file for a command and makes the command's errors name places in it.

import { readInput, type Session } from "./session.js";
import { parseYaml, syntaxError, type YamlSource } from "./yaml-source.js";

/**
 * The file's plain data. From here on the session's errors name `FILE:LINE:COL` for every field
 * path. Throws `invalid` with every syntax error.
 */
export function readYaml(session: Session, file: string): unknown {
  const parsed = parseYaml(file, readInput(file, "--file").toString("utf8"));
  if (parsed.t === "bad") {
    session.describe = ({ field, description }) => `${field}: ${description}`;
    throw syntaxError(parsed.problems);
  }
  session.describe = describeIn(parsed.source);
  return parsed.source.value;
}

function describeIn({ place }: YamlSource) {
  return ({ field, description }: { readonly field: string; readonly description: string }) =>
    `${place(field)}: ${field}: ${description}`;
}
