// Which objects a call is about, for its log line: those that its request names and those that it
// made. Bounded, ids only. Knows no RPC.
import { isId } from "@railyard/lib/ids";

/** Ids of one log line, at most. */
export const IDS_MAX = 16;

/** Fields of requests that name an object. */
const FIELDS = ["clusterNetworkId", "subnetId", "instanceId", "nodeId", "id"] as const;

/** The ids in a request whose form was checked. */
export function idsNamed(request: object): string[] {
  const ids: string[] = [];
  for (const field of FIELDS) {
    const value = (request as Readonly<Record<string, unknown>>)[field];
    if (typeof value === "string" && value !== "") ids.push(value);
  }
  return ids;
}

/** Adds the ids of the objects in an answer that are not among `ids` yet. */
export function addIdsMade(ids: string[], answer: object): void {
  for (const member of Object.values(answer)) {
    for (const object of Array.isArray(member) ? member : [member]) {
      if (ids.length >= IDS_MAX) return;
      const id: unknown = object?.id;
      if (typeof id === "string" && isId(id) && !ids.includes(id)) ids.push(id);
    }
  }
}
