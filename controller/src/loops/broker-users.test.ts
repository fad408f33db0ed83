// Tests of keeping the broker's users file, and of telling the broker.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock, settle } from "@railyard/lib/clock";
import { silentLog } from "@railyard/lib/log";
import { expect, test } from "vitest";
import { reloadBroker } from "./broker-reload.js";
import { keepBrokerUsers } from "./broker-users.js";

function fixture() {
  const clock = new ManualClock();
  const state = { users: "a", kept: undefined as string | undefined, brokerUp: true, told: 0 };
  const loop = keepBrokerUsers({
    clock,
    log: silentLog(),
    render: async () => state.users,
    file: {
      holds: (text) => state.kept === text,
      write: (text) => {
        state.kept = text;
      },
    },
    reload: () => {
      if (state.brokerUp) state.told += 1;
      return state.brokerUp;
    },
  });
  const nudge = async () => {
    (await loop).nudge();
    await clock.advance(200);
  };
  return { clock, state, loop, nudge };
}

test("the file is there before the broker starts, and follows every nudge", async () => {
  const { state, loop, nudge } = fixture();
  const made = await loop;
  expect(state.kept).toBe("a");
  made.start();
  state.users = "b";
  await nudge();
  expect([state.kept, state.told]).toEqual(["b", 1]);
  await nudge();
  expect(state.told).toBe(1);
  await made.stop();
});

test("a broker that is away is told when it is back", async () => {
  const { clock, state, loop, nudge } = fixture();
  state.brokerUp = false;
  const made = await loop;
  made.start();
  await nudge();
  expect(state.told).toBe(0);
  state.brokerUp = true;
  await clock.advance(10_000);
  expect(state.told).toBe(1);
  const stopped = made.stop();
  await settle();
  await stopped;
});

test("only a nats-server is sent a signal", () => {
  const file = join(mkdtempSync(join(tmpdir(), "railyard-pid-")), "nats.pid");
  const log = silentLog();
  expect(reloadBroker("", log)).toBe(true);
  expect(reloadBroker(file, log)).toBe(false);
  for (const text of ["nonsense", "0", "-1", String(process.pid)]) {
    writeFileSync(file, text);
    expect(reloadBroker(file, log)).toBe(false);
  }
});
