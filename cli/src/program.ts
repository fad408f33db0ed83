// railctl's command line: global flags, one noun after the other, and what happens to what they
// throw. It knows nouns by their files only.
import { asRailyardError, invalidField } from "@railyard/lib/errors";
import { Command, CommanderError, Option } from "commander";
import { addAttachment } from "./commands/attachment.js";
import { addAudit } from "./commands/audit.js";
import { addHold } from "./commands/hold.js";
import { addInstance } from "./commands/instance.js";
import { addInstanceProfile } from "./commands/instance-profile.js";
import { addInterface } from "./commands/interface.js";
import { addMzone } from "./commands/mzone.js";
import { addNetwork } from "./commands/network.js";
import { addNode } from "./commands/node.js";
import { addPhysicalCluster } from "./commands/physical-cluster.js";
import { addPlacement } from "./commands/placement.js";
import { addProfile } from "./commands/profile.js";
import { addQuota } from "./commands/quota.js";
import { addReservedIp } from "./commands/reserved-ip.js";
import { addSubnet } from "./commands/subnet.js";
import { addToken } from "./commands/token.js";
import { addCompletion } from "./completion.js";
import { type Describe, errorLines } from "./errors.js";
import { EXIT, EXIT_HELP, exitCodeOf } from "./exit-code.js";
import { FORMATS, isOwnFormat, OWN_FORMATS, type OwnFormat } from "./output.js";
import { requireTogether } from "./required.js";
import { type GlobalFlags, Session } from "./session.js";
import type { Shell } from "./shell.js";

/** What a verb does; it sets `session.exitCode` where "ok" would be wrong. */
export type Act<Flags> = (session: Session, flags: Flags, args: readonly string[]) => Promise<void>;

/** Makes commander's action of a verb; `own` is a format that it has beside everybody's. */
export type Run = <Flags>(
  act: Act<Flags>,
  own?: OwnFormat,
) => (...given: unknown[]) => Promise<void>;

const NOUNS = [
  addMzone,
  addNode,
  addPhysicalCluster,
  addToken,
  addQuota,
  addAudit,
  addProfile,
  addInstanceProfile,
  addNetwork,
  addSubnet,
  addReservedIp,
  addInterface,
  addInstance,
  addAttachment,
  addHold,
  addPlacement,
];

/** Runs one command line (without node and script); answers the exit status, throws nothing. */
export async function run(argv: readonly string[], shell: Shell): Promise<number> {
  const outcome: Outcome = { exitCode: EXIT.ok, describe: undefined };
  try {
    await createProgram(shell, outcome).parseAsync([...argv], { from: "user" });
    return outcome.exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const error = asRailyardError(thrown);
    shell.stderr.write(`${errorLines(error, outcome.describe).join("\n")}\n`);
    return exitCodeOf(error);
  }
}

interface Outcome {
  exitCode: number;
  describe: Describe | undefined;
}

function createProgram(shell: Shell, outcome: Outcome): Command {
  const program = new Command("railctl")
    .description("asks a Railyard controller: railctl <noun> <verb>")
    .exitOverride()
    .configureOutput({ writeOut: shell.stdout.write, writeErr: shell.stderr.write })
    .configureHelp({ showGlobalOptions: true })
    .option("--server <host:port>", "tenant listener (default $RAILYARD_SERVER)")
    .option("--admin-server <host:port>", "operator listener (default $RAILYARD_ADMIN_SERVER)")
    .option("--token-file <file>", "file with the bearer token (default $RAILYARD_TOKEN)")
    .option("--ca <file>", "use TLS, trusting this CA certificate (PEM)")
    .addOption(
      new Option("-o, --output <format>", "how to print; nccl, qemu: layouts only")
        .choices([...FORMATS, ...OWN_FORMATS])
        .default("table"),
    )
    .option("--timeout <duration>", "deadline of the command, --wait included (60s when absent)")
    .addHelpText("after", EXIT_HELP);
  const runVerb: Run =
    (act, own) =>
    async (...given) => {
      const command = given.at(-1) as Command;
      await runInSession(command, { act: act as Act<unknown>, own }, { shell, outcome });
    };
  for (const add of NOUNS) add(program, runVerb);
  addCompletion(program);
  requireTogether(program);
  return program;
}

async function runInSession(
  command: Command,
  { act, own }: { readonly act: Act<unknown>; readonly own: OwnFormat | undefined },
  { shell, outcome }: { readonly shell: Shell; readonly outcome: Outcome },
): Promise<void> {
  const flags: GlobalFlags = command.optsWithGlobals();
  if (isOwnFormat(flags.output) && flags.output !== own) {
    throw invalidField("--output", `this verb does not print ${flags.output}`);
  }
  const session = new Session(shell, flags);
  try {
    await act(session, flags, command.args);
  } finally {
    session.close();
    outcome.exitCode = session.exitCode;
    outcome.describe = session.describe;
  }
}
