// Finds instances for the verbs that name one.
import {
  type ListInstancesRequest,
  InstanceServiceService as service,
} from "@railyard/proto/gen/railyard/v1/instance";
import { listAll } from "../pages.js";
import { type Lookup, resolveId, whetherFound } from "../resolve.js";
import type { Session } from "../session.js";

const ALL = {
  name: "",
  vpcId: "",
  clusterNetworkId: "",
  profile: "",
  status: 0,
  orderBy: "",
} as const;

/** Every instance that the filters leave in. */
export function listInstances(
  session: Session,
  only: Partial<Omit<ListInstancesRequest, "pageSize" | "pageToken">>,
) {
  return listAll(session.tenant, {
    method: service.listInstances,
    filters: { ...ALL, ...only },
    items: ({ instances }) => instances,
  });
}

/** Reads one instance. */
export function readInstance(session: Session, id: string) {
  return session.tenant.call(service.getInstance, { id });
}

/** The id of the instance with this name or id; throws `notFound`. */
export function instanceId(session: Session, text: string): Promise<string> {
  const lookup: Lookup = {
    kind: "instance",
    named: async (name) => (await listInstances(session, { name })).map(({ id }) => id),
    exists: (id) => whetherFound(readInstance(session, id)),
  };
  return resolveId(lookup, text);
}
