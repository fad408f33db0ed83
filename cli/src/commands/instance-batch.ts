// railctl instance batch-create: many instances of one description, all or none.
import { InstanceServiceService as service } from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import type { Command } from "commander";
import { EXIT } from "../exit-code.js";
import { creating, creation, wholeNumber } from "../flags.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { holdToUse } from "./hold.js";
import { type DescribeFlags, described, withDescription } from "./instance-create.js";
import { INSTANCE_VIEW } from "./instance-view.js";
import { settleInstance } from "./instance-wait.js";
import { type ClosenessFlags, closenessOf, withCloseness } from "./placement-shape.js";

/** Adds the verb. */
export function addBatchCreate(noun: Command, run: Run): void {
  const command = creating(
    noun.command("batch-create").description("create many alike and start them, all or none"),
  )
    .requiredOption("--instances <n>", "how many")
    .option("--name-prefix <prefix>", "names become PREFIX-1, -2 … (random words when absent)")
    .option("--hold <hold>", "use up the room of this hold, by name or id");
  withDescription(withCloseness(command))
    .option("--wait", "wait until all are running")
    .action(run(create));
}

interface Create extends DescribeFlags, ClosenessFlags {
  readonly instances: string;
  readonly namePrefix?: string;
  readonly hold?: string;
}

async function create(session: Session, flags: Create): Promise<void> {
  const { template } = await described(session, flags);
  const answer = await session.tenant.call(service.batchCreateInstances, {
    count: wholeNumber(flags.instances, "--instances"),
    template,
    namePrefix: flags.namePrefix ?? "",
    holdId: flags.hold === undefined ? "" : await holdToUse(session, flags.hold),
    ...closenessOf(flags),
    ...creation(session, flags),
  });
  const target = InstanceStatus.INSTANCE_STATUS_RUNNING;
  const wait = flags.wait === true && flags.validateOnly !== true;
  const shown: typeof answer.instances = [];
  for (const instance of answer.instances) {
    const reached = await settleInstance(session, { instance, target, wait });
    if (!reached.ok) session.exitCode = EXIT.stateNotReached;
    shown.push(reached.instance);
  }
  session.output.many(INSTANCE_VIEW, shown);
}
