// Ends a stream whose caller's token has ended: a stream outlives by far the moment at which its
// token was checked. Knows no RPC and no socket.
import { sleep } from "@railyard/lib/clock";
import { asRailyardError } from "@railyard/lib/errors";
import type { Gate } from "./call.js";
import type { LateSignal } from "./late-signal.js";

/** How often the token of a stream is asked for again: it may expire without anybody's doing. */
export const ASK_AGAIN_MS = 5_000;

/**
 * Ends `over` with the refusal once the token is refused: right after it was revoked, and at most
 * ASK_AGAIN_MS after it expired. Resolves when `over` has ended; never rejects.
 */
export async function keepAsking(
  gate: Pick<Gate, "authenticate" | "onTokenTouch" | "clock">,
  token: { readonly secret: string; readonly id: string },
  over: LateSignal,
): Promise<void> {
  const { signal } = over;
  const ask = async () => {
    try {
      await gate.authenticate(token.secret);
    } catch (thrown) {
      const refusal = asRailyardError(thrown);
      // Whatever else goes wrong says nothing about the token, which is asked for again.
      if (refusal.code === "unauthenticated") over.end(refusal);
    }
  };
  const leave = gate.onTokenTouch(token.id, () => void ask());
  try {
    while (!signal.aborted) {
      await ask();
      await sleep(gate.clock, ASK_AGAIN_MS, signal);
    }
  } finally {
    leave();
  }
}
