// MzoneService: documents between wire and use case, in pieces where they may be large. A document
// stays plain JSON until its check.
import { invalidField, refuse } from "@railyard/lib/errors";
import {
  type ApplyMzoneRequest,
  ApplyMzoneResponse,
  MzoneAction,
  type MzoneChange,
  MzoneObjectKind,
  type MzoneServiceServer,
  type MzoneSummary,
  type ValidateMzoneRequest,
} from "@railyard/proto/gen/railyard/admin/v1/mzone";
import type { ServiceContext } from "../service/context.js";
import { type AppliedMzone, applyMzone, exportMzone, validateMzone } from "../service/mzone.js";
import type { Handlers } from "./handler.js";

/** Most changes that an answer lists; the summary counts all. */
const CHANGES_MAX = 1_000;
/** Largest document that may come in pieces, bytes. */
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

type Step = AppliedMzone["steps"][number];

const KINDS: Readonly<Record<Step["object"]["kind"], MzoneObjectKind>> = {
  clusterNetworkProfile: MzoneObjectKind.MZONE_OBJECT_KIND_CLUSTER_NETWORK_PROFILE,
  instanceProfile: MzoneObjectKind.MZONE_OBJECT_KIND_INSTANCE_PROFILE,
  image: MzoneObjectKind.MZONE_OBJECT_KIND_IMAGE,
  key: MzoneObjectKind.MZONE_OBJECT_KIND_KEY,
  vpc: MzoneObjectKind.MZONE_OBJECT_KIND_VPC,
  vpcSubnet: MzoneObjectKind.MZONE_OBJECT_KIND_VPC_SUBNET,
  volume: MzoneObjectKind.MZONE_OBJECT_KIND_VOLUME,
  zone: MzoneObjectKind.MZONE_OBJECT_KIND_ZONE,
  physicalCluster: MzoneObjectKind.MZONE_OBJECT_KIND_PHYSICAL_CLUSTER,
  leafGroup: MzoneObjectKind.MZONE_OBJECT_KIND_LEAF_GROUP,
  server: MzoneObjectKind.MZONE_OBJECT_KIND_SERVER,
  hardware: MzoneObjectKind.MZONE_OBJECT_KIND_HARDWARE,
};

const ACTIONS: Readonly<Record<Step["action"], MzoneAction>> = {
  create: MzoneAction.MZONE_ACTION_CREATE,
  update: MzoneAction.MZONE_ACTION_UPDATE,
  delete: MzoneAction.MZONE_ACTION_DELETE,
};

export function mzoneHandlers(ctx: ServiceContext): Handlers<MzoneServiceServer> {
  return {
    applyMzone(request, rpc) {
      const call = rpc.mutation(request, ApplyMzoneResponse, applied);
      return applyMzone(ctx, call, documentOf(request));
    },
    async validateMzone(requests) {
      const bytes = await joined(requests);
      const valid = await validateMzone(ctx, parseDocument(bytes, "document_chunk"));
      const { name, generation, summary } = valid;
      return {
        mzoneName: name,
        mzoneGeneration: BigInt(generation),
        summary: wireSummary(summary),
      };
    },
    async exportMzone({ mzoneName }, _, send) {
      const document = Buffer.from(await exportMzone(ctx, mzoneName), "utf8");
      for (let at = 0; at < document.length; at += CHUNK_BYTES) {
        await send({ documentChunk: document.subarray(at, at + CHUNK_BYTES) });
      }
    },
  };
}

/** The pieces of a document as one. Throws `invalid` MZONE_INVALID when they are too many. */
async function joined(requests: AsyncIterable<ValidateMzoneRequest>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let left = DOCUMENT_BYTES_MAX;
  for await (const { documentChunk } of requests) {
    left -= documentChunk.length;
    if (left < 0) {
      const text = `must be at most ${DOCUMENT_BYTES_MAX} bytes in all`;
      throw invalidField("document_chunk", text, "MZONE_INVALID");
    }
    chunks.push(documentChunk);
  }
  return Buffer.concat(chunks);
}

/** A document's bytes as plain data. Throws `invalid` MZONE_INVALID when they are not JSON. */
function parseDocument(bytes: Uint8Array, field: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    // The parser's words quote the document; where it stands is all that matters.
    throw invalidField(field, "is not JSON", "MZONE_INVALID");
  }
}

function documentOf({ source }: ApplyMzoneRequest): unknown {
  if (source?.$case === "planId") throw refuse("unimplemented", "stored plans are not built");
  if (!source) throw invalidField("document_json", "must be set");
  return parseDocument(source.value, "document_json");
}

function applied({ name, generation, steps, summary }: AppliedMzone): ApplyMzoneResponse {
  return {
    mzoneName: name,
    mzoneGeneration: BigInt(generation),
    planId: "",
    summary: wireSummary(summary),
    changes: steps.slice(0, CHANGES_MAX).map(wireChange),
  };
}

function wireChange({ action, object }: Step): MzoneChange {
  return { kind: KINDS[object.kind], name: object.name, action: ACTIONS[action] };
}

function wireSummary(summary: AppliedMzone["summary"]): MzoneSummary {
  const { created, updated, deleted, unchanged } = summary;
  return {
    createdCount: created,
    updatedCount: updated,
    deletedCount: deleted,
    unchangedCount: unchanged,
  };
}
