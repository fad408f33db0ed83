// railctl node enroll: makes an agent's identity on the operator's side and hands it over in a file
// that only its owner can read. The seed leaves this machine in that file or not at all.
import { createBusIdentity } from "@railyard/lib/bus/identity";
import { invalidField } from "@railyard/lib/errors";
import {
  type JoinToken,
  NodeServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import type { Command } from "commander";
import { present } from "../answer.js";
import { address } from "../config.js";
import { type CreateFlags, creation } from "../flags.js";
import type { Run } from "../program.js";
import { writeSecretFile } from "../secret-file.js";
import type { Session } from "../session.js";

/** Adds the verb. */
export function addEnroll(noun: Command, run: Run): void {
  noun
    .command("enroll <node>")
    .description("let the agent of a declared node in: writes its credentials to a file")
    .requiredOption("--out <file>", "where to write the credentials, readable by its owner only")
    .option("--broker <host:port>", "the NATS server the agent connects to", "127.0.0.1:4222")
    .option("--force", "replace the file if it is there")
    .option("--request-id <uuid>", "makes repeating safe (made up when absent)")
    .action(run(enroll));
}

interface Enroll extends CreateFlags {
  readonly out: string;
  readonly broker: string;
  readonly force?: boolean;
}

async function enroll(session: Session, flags: Enroll, [nodeName = ""]: readonly string[]) {
  const broker = checkBroker(flags.broker);
  const identity = createBusIdentity();
  const { out: path, force = false } = flags;
  let enrolled: JoinToken | undefined;
  await writeSecretFile({ path, force, rng: session.rng }, async () => {
    const { joinToken } = await session.admin.call(service.createJoinToken, {
      nodeName,
      publicKey: identity.publicKey,
      ...creation(session, flags),
    });
    enrolled = present(joinToken);
    return credentialsText(enrolled, identity.seed, broker);
  });
  const { nodeId, nodeName: name, incarnation } = present(enrolled);
  const { publicKey } = identity;
  if (session.output.format === "table") {
    session.output.lines([`node ${name} (${nodeId}) enrolled: credentials in ${path}`]);
  } else {
    session.output.data({ nodeId, nodeName: name, incarnation, publicKey, out: path });
  }
}

/** The credentials file as the agent reads it. */
export function credentialsText(token: JoinToken, seed: string, broker: string): string {
  const { nodeId, nodeName, controllerPublicKey } = token;
  const incarnation = Number(token.incarnation);
  const credentials = { nodeId, nodeName, incarnation, seed, controllerPublicKey, broker };
  return `${JSON.stringify(credentials, undefined, 2)}\n`;
}

function checkBroker(broker: string): string {
  try {
    return address(broker);
  } catch (cause) {
    throw invalidField("--broker", (cause as Error).message);
  }
}
