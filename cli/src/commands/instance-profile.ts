// railctl instance-profile: shapes of instances on offer.
import {
  AttachmentLayout,
  InstanceProfile,
  type InstanceProfileAttachmentCount,
  InstanceProfileServiceService as service,
} from "@railyard/proto/gen/railyard/v1/instance_profile";
import type { Command } from "commander";
import { present } from "../answer.js";
import type { View } from "../output.js";
import { listAll } from "../pages.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, wordOf } from "../words.js";

const VIEW: View<InstanceProfile> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "VCPU", cell: ({ vcpu }) => countOf(vcpu) },
    { title: "MEMORY GIB", cell: ({ memoryGib }) => countOf(memoryGib) },
    { title: "GPUS", cell: ({ gpu }) => (gpu ? `${gpu.count}x ${gpu.model}` : "") },
    { title: "ATTACHMENTS", cell: (it) => countsOf(it.clusterNetworkAttachmentCount) },
    {
      title: "NETWORK PROFILES",
      cell: (it) => it.supportedClusterNetworkProfiles.map(({ name }) => name).join(","),
    },
  ],
  details: [
    { title: "FAMILY", cell: ({ family }) => family },
    { title: "NUMA NODES", cell: ({ numaCount }) => countOf(numaCount) },
    { title: "LAYOUT", cell: (it) => wordOf(AttachmentLayout, it.attachmentLayout) },
    { title: "BANDWIDTH MBPS", cell: ({ bandwidthMbps }) => countOf(bandwidthMbps) },
    {
      title: "DISKS",
      cell: ({ disks }) => disks.map((it) => `${it.quantity}x ${it.sizeGb} GB`).join(", "),
    },
  ],
  json: InstanceProfile.toJSON,
};

/** The permitted counts of attachments, as text. */
export function countsOf(count: InstanceProfileAttachmentCount | undefined): string {
  switch (count?.type?.$case) {
    case "enum":
      return count.type.value.values.join(",");
    case "range": {
      const { min, max, step } = count.type.value;
      return `${min}..${max}${step > 1 ? ` by ${step}` : ""}`;
    }
    case "dependent":
      return "dependent";
    case undefined:
      return "";
  }
}

/** Adds the noun. */
export function addInstanceProfile(program: Command, run: Run): void {
  const noun = program.command("instance-profile").description("shapes of instances on offer");
  noun
    .command("list")
    .description("list instance profiles")
    .option("--network-profile <name>", "only those that may attach to this profile")
    .action(run(list));
  noun.command("get <profile>").description("show an instance profile").action(run(get));
}

async function list(session: Session, flags: { readonly networkProfile?: string }): Promise<void> {
  const profiles = await listAll(session.tenant, {
    method: service.listInstanceProfiles,
    filters: { clusterNetworkProfile: flags.networkProfile ?? "" },
    items: ({ instanceProfiles }) => instanceProfiles,
  });
  session.output.many(VIEW, profiles);
}

async function get(session: Session, _: object, [name = ""]: readonly string[]): Promise<void> {
  const answer = await session.tenant.call(service.getInstanceProfile, { name });
  session.output.one(VIEW, present(answer.instanceProfile));
}
