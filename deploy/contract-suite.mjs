// `npm run contract`: holds a server to the contract, over gRPC alone: a yard of the suite's own,
// or the server at an address. Knows where the suite is, not what is in it.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { bin, run } from "./command.mjs";

const USAGE = `usage: npm run contract [-- --server HOST:PORT --admin HOST:PORT --token-file FILE]

  --server      the tenants' listener
  --admin       the operators' listener
  --token-file  an operator's token, such as operator.token in the controller's data directory

The three go together; without them the suite starts yards of its own. A server must have
deploy/mzone.example.yaml applied and two free nodes of hgx-h100. The suite makes accounts of its
own there, and deletes what it made.`;

const NEEDED = ["server", "admin", "token-file"];

async function main() {
  const values = options();
  if (!values) return 2;
  const env = values.server && {
    RAILYARD_CONTRACT_SERVER: values.server,
    RAILYARD_CONTRACT_ADMIN: values.admin,
    RAILYARD_CONTRACT_TOKEN_FILE: resolve(process.env.INIT_CWD ?? ".", values["token-file"]),
  };
  // One file after the other: a server at an address has room for two instances at a time.
  return run(bin("vitest"), ["run", "test/contract/", "--no-file-parallelism"], { env });
}

/** The flags, or undefined after saying how they are used. */
function options() {
  const string = { type: "string" };
  const known = { server: string, admin: string, "token-file": string };
  try {
    const { values } = parseArgs({ options: { ...known, help: { type: "boolean", short: "h" } } });
    const given = NEEDED.filter((name) => values[name] !== undefined);
    if (!values.help && (given.length === 0 || given.length === NEEDED.length)) return values;
    if (!values.help) console.error(`${NEEDED.map((name) => `--${name}`).join(", ")} go together`);
  } catch (error) {
    console.error(error.message);
  }
  console.error(USAGE);
  return undefined;
}

process.exitCode = await main();
