// The broker's users as a fragment of nats-server's configuration: the controller and every
// enrolled node, each with its own key and its own subjects. Which subjects those are comes in as a
// function.
import type { Permissions } from "@railyard/lib/bus/bus";
import type { ServiceContext } from "./context.js";
import { type EnrolledNode, nodeBookOf } from "./node-book.js";

export interface BrokerUser {
  /** nkey user, `U…`. */
  readonly publicKey: string;
  readonly permissions: Permissions;
}

/** How long and how often a received request may be answered. */
const RESPONSES = '{ max: 1, expires: "1m" }';

/** Every enrolled node that is still declared, by id; the same list until one comes or goes. */
export function enrolledNodes(ctx: ServiceContext): Promise<readonly EnrolledNode[]> {
  return ctx.store.read((tx) => nodeBookOf(ctx.store).enrolled(tx));
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
