// AuditService: the audit log between store and wire. No rules.
import type {
  AuditServiceServer,
  ListAuditRecordsRequest,
  AuditRecord as WireRecord,
} from "@railyard/proto/gen/railyard/admin/v1/audit";
import { type AuditFilter, type AuditPage, listAudit } from "../service/audit.js";
import type { ServiceContext } from "../service/context.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { pageToken, readPage } from "./paging.js";
import { ADMIN_SERVICES, rpcsOf, TENANT_SERVICES } from "./services.js";

/** Objects that one record names at most; see the contract's limit. */
const OBJECTS_MAX = 1_024;
/** What the store calls the target that is a note. */
const NOTE = "note";

const PATHS = new Map(
  [...TENANT_SERVICES, ...ADMIN_SERVICES]
    .flatMap(rpcsOf)
    .map(({ method, definition }) => [method, definition.path]),
);

export function auditHandlers(ctx: ServiceContext): Handlers<AuditServiceServer> {
  return {
    async listAuditRecords(request, rpc) {
      const filter = filterOf(request);
      const bound = JSON.stringify(filter);
      const { limit, after } = readPage(rpc, request, bound);
      const before = after && BigInt(after.id);
      const page = await listAudit(ctx, { filter, limit, before, signal: rpc.signal });
      const rows = page.rows.map(({ revision }) => {
        return { createdAt: 0, name: "", id: String(revision) };
      });
      return {
        auditRecords: page.rows.map(toWire),
        nextPageToken: pageToken(rpc, bound, { rows, more: page.more }),
        totalSize: BigInt(page.total),
      };
    },
  };
}

function filterOf(request: ListAuditRecordsRequest): AuditFilter {
  const { account, principal, objectId, createdAfter, createdBefore } = request;
  return {
    ...(account !== "" && { account: idFrom("account", account) }),
    ...(principal !== "" && { by: principal }),
    ...(objectId !== "" && { objectId }),
    ...(createdAfter && { from: createdAfter.getTime() }),
    ...(createdBefore && { until: createdBefore.getTime() }),
  };
}

/** Digests are empty: the log is not chained. */
function toWire(row: AuditPage["rows"][number]): WireRecord {
  const { revision, at, account = "", by, method, requestId = "", targets } = row;
  const parts = targets.map((target) => {
    const at = target.indexOf("/");
    return { kind: target.slice(0, at), id: target.slice(at + 1) };
  });
  return {
    sequence: revision,
    revision,
    createdAt: new Date(at),
    account,
    principal: by,
    rpc: PATHS.get(method) ?? method,
    requestId,
    objects: parts.filter(({ kind }) => kind !== NOTE).slice(0, OBJECTS_MAX),
    note: parts.find(({ kind }) => kind === NOTE)?.id ?? "",
    previousDigest: "",
    digest: "",
  };
}
