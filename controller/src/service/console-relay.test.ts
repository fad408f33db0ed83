// Tests of when a console session counts as idle: bytes either way keep it, silence ends it.
import { ManualClock, settle } from "@railyard/lib/clock";
import { expect, test } from "vitest";
import type { ConsoleLine } from "./console.js";
import { type ClientFrame, ConsoleRelay, type ServerFrame } from "./console-relay.js";

const IDLE_MS = 60_000;
const CREDIT = 1_024;

function session() {
  const clock = new ManualClock();
  const told: ServerFrame[] = [];
  let type: (frame: ClientFrame) => void = () => undefined;
  async function* frames(): AsyncGenerator<ClientFrame> {
    for (;;) {
      yield await new Promise<ClientFrame>((resolve) => {
        type = resolve;
      });
    }
  }
  const deliver = async (frame: ServerFrame) => void told.push(frame);
  const client = { frames: frames(), deliver };
  const { signal } = new AbortController();
  const relay = new ConsoleRelay({ clock, client, signal, idleMs: IDLE_MS });
  const nothing = () => undefined;
  const line: ConsoleLine = {
    ...{ creditBytes: CREDIT, input: nothing, resize: nothing, credit: nothing, close: nothing },
  };
  const over = relay.run(line, { consoleId: "con-1", creditBytes: CREDIT });
  return { clock, relay, told, over, type: (frame: ClientFrame) => type(frame) };
}

const BYTES = Buffer.from("x");

test("a session without a byte either way ends when its time is over, and says why", async () => {
  const { clock, relay, told, over } = session();
  await clock.advance(IDLE_MS - 1);
  expect(relay.reason).toBeUndefined();
  await clock.advance(1);
  await over;
  expect(relay.reason).toBe("idle");
  expect(told.at(-1)).toEqual({ t: "closed", reason: "idle" });
});

test.each(["the guest", "the client"])("a byte from %s makes the time begin anew", async (who) => {
  const { clock, relay, over, type } = session();
  await clock.advance(IDLE_MS - 1);
  if (who === "the guest") relay.hear({ t: "output", bytes: BYTES });
  else type({ t: "input", bytes: BYTES });
  await settle();
  await clock.advance(IDLE_MS - 1);
  expect(relay.reason).toBeUndefined();
  await clock.advance(1);
  await over;
  expect(relay.reason).toBe("idle");
});

test("a new window size is no sign of life", async () => {
  const { clock, relay, over, type } = session();
  await clock.advance(IDLE_MS - 1);
  type({ t: "resize", columns: 90, rows: 30 });
  await settle();
  await clock.advance(1);
  await over;
  expect(relay.reason).toBe("idle");
});
