// Asks a session of a node whether it lives. Silence for a second is an answer too.
import type { Bus } from "@railyard/lib/bus/bus";
import { Ping, Pong } from "@railyard/proto/gen/railyard/agent/v1/agent";
import { pingSubject } from "@railyard/proto/subjects";

export const PING_MS = 1_000;

/** Whether that session answered in its own name within PING_MS. Never throws. */
export async function pingSession(bus: Bus, nodeId: string, session: string): Promise<boolean> {
  try {
    const ping = Ping.encode({ session }).finish();
    const answer = await bus.request(pingSubject(nodeId, session), ping, { timeoutMs: PING_MS });
    return Pong.decode(answer).session === session;
  } catch {
    // No listener, no answer in time and an unreadable one all mean that it does not speak.
    return false;
  }
}
