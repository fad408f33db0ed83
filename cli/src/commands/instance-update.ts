// railctl instance update: name, profile and policies of an instance.
import { invalidField } from "@railyard/lib/errors";
import {
  Instance,
  InstanceServiceService as service,
} from "@railyard/proto/gen/railyard/v1/instance";
import { HostFailurePolicy } from "@railyard/proto/gen/railyard/v1/instance_template";
import type { Command } from "commander";
import { present } from "../answer.js";
import { type ChangeFlags, change, changing, updates } from "../flags.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { enumValueOf } from "../words.js";
import { instanceId } from "./instance-lookup.js";
import { metadataOf, type TemplateFlags } from "./instance-request.js";
import { INSTANCE_VIEW } from "./instance-view.js";

/** Adds the verb. */
export function addUpdateInstance(noun: Command, run: Run): void {
  changing(noun.command("update <instance>").description("change an instance"))
    .option("--name <name>", "its new name")
    .option("--profile <name>", "another instance profile, only while it is stopped")
    .option("--host-failure <restart|stop>", "what happens when its host fails")
    .option("--metadata-enabled", "answer the guest's metadata requests")
    .option("--no-metadata-enabled", "answer none of them")
    .option("--metadata-protocol <http|https>", "how the metadata service is spoken to")
    .option("--metadata-hop-limit <hops>", "hops that its answers may take, 1 to 64")
    .action(run(update));
}

type Update = ChangeFlags & TemplateFlags & { readonly name?: string };

const GIVEN: readonly (keyof Update)[] = [
  "name",
  "profile",
  "hostFailure",
  "metadataEnabled",
  "metadataProtocol",
  "metadataHopLimit",
];

/** What of the metadata service each flag changes; the rest of it stays. */
const METADATA: readonly (readonly [keyof Update, string])[] = [
  ["metadataEnabled", "metadata_service.enabled"],
  ["metadataProtocol", "metadata_service.protocol"],
  ["metadataHopLimit", "metadata_service.hop_limit"],
];

type Changed = Pick<Instance, "name" | "profile" | "availabilityPolicy" | "metadataService">;

async function update(session: Session, flags: Update, [text = ""]: readonly string[]) {
  const { name, profile, hostFailure: word } = flags;
  if (GIVEN.every((flag) => flags[flag] === undefined)) {
    throw invalidField("update", "give a flag that says what to change");
  }
  const { values, updateMask } = updates<Changed>({
    name,
    profile: profile === undefined ? undefined : { name: profile, resourceType: "" },
    availabilityPolicy: word === undefined ? undefined : policyOf(word),
    metadataService: metadataOf(flags),
  });
  const parts = METADATA.flatMap(([flag, path]) => (flags[flag] === undefined ? [] : path));
  const answer = await session.tenant.call(service.updateInstance, {
    id: await instanceId(session, text),
    instance: Instance.fromPartial(values),
    updateMask: updateMask.flatMap((path) => (path === "metadata_service" ? parts : path)),
    ...change(session, flags),
  });
  session.output.one(INSTANCE_VIEW, present(answer.instance));
}

function policyOf(word: string) {
  return { hostFailure: enumValueOf(HostFailurePolicy, word, "--host-failure") };
}
