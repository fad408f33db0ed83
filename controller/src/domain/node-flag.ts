// Flags of which a node carries one at a time, for as long as what they tell of lasts. Knows no
// store; flags that stay until an operator looked are put on by domain/node.ts.
import { FLAGS_MAX, type Node, type NodeFlag, type NodeInventory } from "./node.js";
import type { InstanceObservation } from "./observation.js";

/** Of a flag's message, characters. */
const MESSAGE_MAX = 512;
/** What an agent warns of that cannot read the fabric that it drives. */
const FABRIC_UNREAD = "fabric-unread";

/** The node with this as its only flag of the kind, raised when the kind was; the same if it is. */
export function withFlag(node: Node, flag: NodeFlag): Node {
  const known = node.flags.find(({ code }) => code === flag.code);
  if (known?.message === flag.message) return node;
  const others = node.flags.filter(({ code }) => code !== flag.code);
  const raised = { ...flag, at: known?.at ?? flag.at };
  return { ...node, flags: [raised, ...others].slice(0, FLAGS_MAX) };
}

/** The node without flags of this kind; the same node when it has none. */
export function withoutFlag(node: Node, code: NodeFlag["code"]): Node {
  const flags = node.flags.filter((flag) => flag.code !== code);
  return flags.length === node.flags.length ? node : { ...node, flags };
}

/** Says which step failed first and how many more did; undefined when none did. */
export function applyFailure(
  instances: readonly Pick<InstanceObservation, "instanceId" | "failedSteps">[],
): string | undefined {
  const failed = instances.flatMap(({ instanceId, failedSteps }) =>
    failedSteps.map(({ step, reason }) => `${step} of ${instanceId} failed: ${reason}`),
  );
  const [first] = failed;
  if (first === undefined) return undefined;
  const more = failed.length > 1 ? ` (and ${failed.length - 1} more steps)` : "";
  return `${lineOf(first).slice(0, MESSAGE_MAX - more.length)}${more}`;
}

/** Why the node cannot read the fabric that it should drive; undefined when it can. */
export function fabricUnread(
  seen: Pick<NodeInventory, "warnings"> | undefined,
): string | undefined {
  const doubt = seen?.warnings.find(({ kind }) => kind === FABRIC_UNREAD);
  return doubt && lineOf(doubt.message).slice(0, MESSAGE_MAX);
}

/** A response's text is one line without control characters. */
export function lineOf(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}
