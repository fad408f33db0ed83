// railctl instance create: from flags or from a YAML file.
import { invalidField } from "@railyard/lib/errors";
import {
  type CreateInstanceRequest,
  InstanceServiceService as service,
} from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import type { Command } from "commander";
import { present } from "../answer.js";
import { EXIT } from "../exit-code.js";
import { type CreateFlags, collect, creating, creation } from "../flags.js";
import type { Run } from "../program.js";
import { readInput, type Session } from "../session.js";
import { readYaml } from "../yaml-file.js";
import { requestOf } from "./instance-file.js";
import {
  type AttachFlags,
  attachesOf,
  type Names,
  prototypesOf,
  type TemplateFlags,
  templateOf,
} from "./instance-request.js";
import { INSTANCE_VIEW } from "./instance-view.js";
import { settleInstance } from "./instance-wait.js";
import { interfaceId } from "./interface.js";
import { networkId } from "./network.js";
import { subnetId } from "./subnet.js";

/** Adds the verb. */
export function addCreateInstance(noun: Command, run: Run): void {
  const command = creating(noun.command("create").description("create an instance and start it"));
  command.option("--name <name>", "its name (four random words when absent)");
  withDescription(command).option("--wait", "wait until it is running").action(run(create));
}

/** Adds the flags that describe an instance. */
export function withDescription(command: Command): Command {
  command
    .option("-f, --file <file>", "describe it in YAML instead (name, template); - is stdin")
    .option("--profile <name>", "instance profile")
    .option("--zone <zone>", "zone")
    .option("--image <id>", "image to start from")
    .option("--vpc-subnet <id>", "VPC subnet of its primary network attachment")
    .option("--vpc <id>", "VPC (that of the subnet when absent)")
    .option("--network-attachment <subnet=ID[,name=N]>", "a further VPC attachment", collect)
    .option("--boot-volume <id>", "volume to boot from (local disk when absent)")
    .option("--volume <id>", "a further volume, in order", collect)
    .option("--key <id>", "an SSH key", collect)
    .option("--user-data-file <file>", "handed to the guest at first boot; - is stdin")
    .option("--metadata-enabled", "answer the guest's metadata requests")
    .option("--metadata-protocol <http|https>", "how the metadata service is spoken to")
    .option("--metadata-hop-limit <hops>", "hops that its answers may take, 1 to 64")
    .option("--host-failure <restart|stop>", "what happens when its host fails")
    .option("--resource-group <id>", "its resource group");
  return addAttachFlags(command);
}

function addAttachFlags(command: Command): Command {
  return command
    .option("--network <network>", "cluster network in which attachments are named")
    .option(
      "--attach <subnet=S|interface=I|reserved-ip=R[,name=N][,address=A]>",
      "a cluster network attachment; repeat in order of position",
      collect,
    )
    .option("--attachments-from <subnets>", "or: subnets to spread attachments over, with commas")
    .option("--count <n>", "how many attachments to spread (one a subnet when absent)")
    .option("--spread <blocked|round-robin>", "blocked when absent: 0,1 on the first of two …");
}

/** Flags that describe an instance, beside its name. */
export interface DescribeFlags extends CreateFlags, TemplateFlags, AttachFlags {
  readonly file?: string;
  readonly network?: string;
  readonly userDataFile?: string;
  readonly wait?: boolean;
}

interface Create extends DescribeFlags {
  readonly name?: string;
}

async function create(session: Session, flags: Create): Promise<void> {
  const request = { ...(await described(session, flags)), ...creation(session, flags) };
  const { instance } = await session.tenant.call(service.createInstance, request);
  const target = InstanceStatus.INSTANCE_STATUS_RUNNING;
  const wait = flags.wait === true && flags.validateOnly !== true;
  const reached = await settleInstance(session, { instance: present(instance), target, wait });
  session.output.one(INSTANCE_VIEW, reached.instance);
  if (!reached.ok) session.exitCode = EXIT.stateNotReached;
}

type Wanted = Pick<CreateInstanceRequest, "name" | "template">;

/** What the flags, or the file that they name, describe. */
export async function described(session: Session, flags: Create): Promise<Wanted> {
  const { file } = flags;
  return file === undefined ? fromFlags(session, flags) : fromFile(session, flags, file);
}

async function fromFlags(session: Session, flags: Create): Promise<Wanted> {
  const { userDataFile, name = "" } = flags;
  const userData = userDataFile ? readInput(userDataFile, "--user-data-file").toString("utf8") : "";
  const template = templateOf(flags, userData);
  const attaches = attachesOf(flags);
  template.clusterNetworkAttachments = await prototypesOf(
    attaches,
    await namesIn(session, flags.network),
  );
  return { name, template };
}

/**
 * Looks names up in a cluster network, itself by name or id. Without one, what is typed must be an
 * id already.
 */
export async function namesIn(session: Session, network: string | undefined): Promise<Names> {
  const asIs = async (text: string) => text;
  if (network === undefined) return { subnet: asIs, interface: asIs };
  const id = await networkId(session, network);
  return {
    subnet: (text) => subnetId(session, id, text),
    interface: (text) => interfaceId(session, id, text),
  };
}

const DESCRIBING: readonly (keyof Create)[] = [
  "profile",
  "zone",
  "image",
  "vpcSubnet",
  "attach",
  "attachmentsFrom",
  "network",
];

function fromFile(session: Session, flags: Create, file: string): Wanted {
  const beside = DESCRIBING.filter((key) => flags[key] !== undefined);
  if (beside.length > 0) {
    throw invalidField("--file", `has no place beside --${beside.join(", --")}`);
  }
  const { name, template } = requestOf(readYaml(session, file));
  return { name: flags.name ?? name, template };
}
