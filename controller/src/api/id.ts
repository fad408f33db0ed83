// Ids that come with requests. Knows no noun.
import type { Id, Kind } from "@railyard/lib/ids";

/**
 * The id that a field of a request says. Its form was checked with the request's limits: one that
 * is malformed comes here only with a request that is refused already, to learn what else is wrong
 * with it, and names nothing.
 */
export function idFrom<K extends Kind>(_kind: K, text: string): Id<K> {
  return text as Id<K>;
}
