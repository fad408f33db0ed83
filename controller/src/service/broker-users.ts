// The broker's users as a fragment of nats-server's configuration: the controller and every
// enrolled node, each with its own key and its own subjects. Which subjects those are comes in as a
// function.
import type { Permissions } from "@railyard/lib/bus/bus";
import type { NodeId } from "@railyard/lib/ids";
import type { ServiceContext } from "./context.js";

export interface BrokerUser {
  /** nkey user, `U…`. */
  readonly publicKey: string;
  readonly permissions: Permissions;
}

/** How long and how often a received request may be answered. */
const RESPONSES = '{ max: 1, expires: "1m" }';

/** Every enrolled node that is still declared, by name. */
export async function enrolledNodes(
  ctx: ServiceContext,
): Promise<readonly { readonly id: NodeId; readonly publicKey: string }[]> {
  const nodes = await ctx.store.read((tx) => tx.nodes.all());
  return nodes.flatMap(({ id, publicKey, retired }) =>
    publicKey === undefined || retired ? [] : [{ id, publicKey }],
  );
}

/** The `authorization` block that lets in exactly these users. */
export function renderBrokerUsers(users: readonly BrokerUser[]): string {
  const blocks = users.map(({ publicKey, permissions }) =>
    [
      "    {",
      `      nkey: ${publicKey}`,
      "      permissions: {",
      `        publish: { allow: ${JSON.stringify(permissions.publish)} }`,
      `        subscribe: { allow: ${JSON.stringify(permissions.subscribe)} }`,
      `        allow_responses: ${RESPONSES}`,
      "      }",
      "    }",
    ].join("\n"),
  );
  return ["authorization {", "  users: [", ...blocks, "  ]", "}", ""].join("\n");
}
