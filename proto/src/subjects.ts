// Every NATS subject there is, and who may use it. One tree per node: `up` is what the agent says,
// `down` what the controller says. Names are checked here, because they become subjects and
// permissions.

/** First tokens of every subject; the version rises with incompatible messages. */
const ROOT = "railyard.v1.node";

const TOKEN = /^[-0-9a-z_]{1,64}$/;

function token(text: string): string {
  if (!TOKEN.test(text)) throw new TypeError("a subject token must match ^[-0-9a-z_]{1,64}$");
  return text;
}

export type UpSubject = "hello" | "heartbeat" | "report";

/** What an agent says: `hello` (request), `heartbeat`, `report`. */
export function upSubject(nodeId: string, what: UpSubject): string {
  return `${ROOT}.${token(nodeId)}.up.${what}`;
}

/** One kind of message from all nodes, for the controller. */
export function upFromAll(what: UpSubject): string {
  return `${ROOT}.*.up.${what}`;
}

/**
 * The node that a subject made by `upSubject` speaks for. The broker's permissions vouch for it.
 */
export function nodeOfSubject(subject: string): string {
  const begin = ROOT.length + 1;
  const end = subject.indexOf(".", begin);
  return end < 0 ? subject.slice(begin) : subject.slice(begin, end);
}

/** Desired states for one session of a node, as requests; other sessions never hear them. */
export function desiredSubject(nodeId: string, session: string): string {
  return `${ROOT}.${token(nodeId)}.down.desired.${token(session)}`;
}

/** Whether one session is alive, as requests. */
export function pingSubject(nodeId: string, session: string): string {
  return `${ROOT}.${token(nodeId)}.down.ping.${token(session)}`;
}

/** Tickets for console sessions, as requests to one session of a node. */
export function consoleOpenSubject(nodeId: string, session: string): string {
  return `${ROOT}.${token(nodeId)}.down.console-open.${token(session)}`;
}

/** What the agent says in one console session. */
export function consoleUpSubject(nodeId: string, consoleId: string): string {
  return `${ROOT}.${token(nodeId)}.up.console.${token(consoleId)}`;
}

/** What one session of a node is told in one console session. */
export function consoleDownSubject(nodeId: string, session: string, consoleId: string): string {
  return `${ROOT}.${token(nodeId)}.down.console.${token(session)}.${token(consoleId)}`;
}

/** Reply subjects of one agent. */
export function agentInbox(nodeId: string): string {
  return `_INBOX.${token(nodeId)}`;
}

/** Reply subjects of the controllers. */
export const CONTROLLER_INBOX = "_INBOX.controller";

/** What a node's identity may do; answers to received requests are allowed apart from these. */
export function nodePermissions(nodeId: string): { publish: string[]; subscribe: string[] } {
  const tree = `${ROOT}.${token(nodeId)}`;
  return { publish: [`${tree}.up.>`], subscribe: [`${tree}.down.>`, `${agentInbox(nodeId)}.>`] };
}

/** What a controller's identity may do. */
export function controllerPermissions(): { publish: string[]; subscribe: string[] } {
  return {
    publish: [`${ROOT}.*.down.>`],
    subscribe: [`${ROOT}.*.up.>`, `${CONTROLLER_INBOX}.>`],
  };
}
