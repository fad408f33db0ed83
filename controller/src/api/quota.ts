// QuotaService: quotas between wire and use case. No rules, no SQL.
import {
  type QuotaServiceServer,
  SetQuotaResponse,
  type Quota as WireQuota,
  QuotaSubject as WireSubject,
} from "@railyard/proto/gen/railyard/admin/v1/quota";
import type { QuotaSubject } from "../domain/quota.js";
import type { ServiceContext } from "../service/context.js";
import { getQuota, type QuotaView, setQuota } from "../service/quota.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";

const WIRE_SUBJECTS: Readonly<Record<QuotaSubject, WireSubject>> = {
  "cluster-networks": WireSubject.QUOTA_SUBJECT_CLUSTER_NETWORKS_PER_REGION,
  "subnets-per-network": WireSubject.QUOTA_SUBJECT_SUBNETS_PER_CLUSTER_NETWORK,
  "reserved-ips": WireSubject.QUOTA_SUBJECT_RESERVED_IPS,
  instances: WireSubject.QUOTA_SUBJECT_INSTANCES,
  holds: WireSubject.QUOTA_SUBJECT_HOLDS,
};
const SUBJECTS = new Map(
  Object.entries(WIRE_SUBJECTS).map(([subject, wire]) => [wire, subject as QuotaSubject]),
);

export function quotaHandlers(ctx: ServiceContext): Handlers<QuotaServiceServer> {
  return {
    async getQuota({ account }) {
      return { quota: toWire(await getQuota(ctx, idFrom("account", account))) };
    },

    setQuota(request, rpc) {
      const { etag } = request;
      const call = rpc.mutation(request, SetQuotaResponse, (view: QuotaView) => ({
        quota: toWire(view),
      }));
      const limits = request.limits.map(({ subject, limit }) => {
        return { subject: SUBJECTS.get(subject), limit: Number(limit) };
      });
      return setQuota(ctx, call, {
        account: idFrom("account", request.account),
        etag,
        limits,
      });
    },
  };
}

function toWire({ account, counts, etag }: QuotaView): WireQuota {
  const items = counts.map(({ subject, limit, used }) => ({
    subject: WIRE_SUBJECTS[subject],
    limit: BigInt(limit),
    used: BigInt(used),
  }));
  return { account, etag, items };
}
