// The suite that every bus passes, the real broker and the one in memory alike.
import type { Bus, Permissions } from "@railyard/lib/bus/bus";
import { MESSAGE_BYTES_MAX } from "@railyard/lib/bus/bus";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** One broker under test. Identities `left` and `right` have the permissions given to `open`. */
export interface BusUnderTest {
  connect(identity: "left" | "right"): Promise<Bus>;
  /** Takes the broker down and brings it up again; resolves when it is up. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export const LEFT: Permissions = {
  publish: ["a.left.>"],
  subscribe: ["b.left.>", "_INBOX.left.>"],
};
export const RIGHT: Permissions = { publish: ["b.>"], subscribe: ["a.>", "_INBOX.right.>"] };

const DEADLINE_MS = 60_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

/** Waits until `done` says so; fails after a deadline. */
async function until(done: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!done()) {
    if (performance.now() > end) throw new Error("did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Rig {
  broker: BusUnderTest;
  left: Bus;
  right: Bus;
}

export function busConformance(name: string, open: () => Promise<BusUnderTest>): void {
  describe(`bus: ${name}`, () => {
    const rig = {} as Rig;

    beforeAll(async () => {
      rig.broker = await open();
      rig.left = await rig.broker.connect("left");
      rig.right = await rig.broker.connect("right");
    });

    afterAll(async () => {
      await rig.left.close();
      await rig.right.close();
      await rig.broker.close();
    });

    asksAndAnswers(rig);
    delivers(rig);
    refuses(rig);
  });
}

function asksAndAnswers(rig: Rig): void {
  test("a published message reaches its subscriber with subject and bytes", async () => {
    const seen: string[] = [];
    const sub = rig.right.subscribe("a.*.up", (m) => seen.push(`${m.subject}=${text(m.data)}`));
    await rig.right.flush(DEADLINE_MS);
    rig.left.publish("a.left.up", bytes("x"));
    await until(() => seen.length === 1);
    expect(seen).toEqual(["a.left.up=x"]);
    sub.cancel();
  });

  test("a request gets its answer", async () => {
    const sub = rig.left.subscribe("b.left.ask", (m) => m.respond(bytes(`${text(m.data)}!`)));
    await rig.left.flush(DEADLINE_MS);
    const answer = await rig.right.request("b.left.ask", bytes("hey"), { timeoutMs: DEADLINE_MS });
    expect(text(answer)).toBe("hey!");
    sub.cancel();
  });

  test("a request that nobody hears is unavailable at once", async () => {
    const asking = rig.right.request("b.left.nobody", bytes(""), { timeoutMs: DEADLINE_MS });
    await expect(asking).rejects.toMatchObject({ code: "unavailable" });
  });

  test("a request that nobody answers meets its deadline", async () => {
    const sub = rig.left.subscribe("b.left.mute", () => undefined);
    await rig.left.flush(DEADLINE_MS);
    const asking = rig.right.request("b.left.mute", bytes(""), { timeoutMs: 50 });
    await expect(asking).rejects.toMatchObject({ code: "deadline" });
    sub.cancel();
  });
}

function delivers(rig: Rig): void {
  test("a cancelled subscription hears nothing more", async () => {
    let heard = 0;
    const first = rig.right.subscribe("a.left.c", () => {
      heard += 1;
    });
    first.cancel();
    let last = false;
    const marker = rig.right.subscribe("a.left.m", () => {
      last = true;
    });
    await rig.right.flush(DEADLINE_MS);
    rig.left.publish("a.left.c", bytes(""));
    rig.left.publish("a.left.m", bytes(""));
    await until(() => last);
    expect(heard).toBe(0);
    marker.cancel();
  });

  test("of a queue, one member gets each message", async () => {
    const seen: string[] = [];
    const subs = ["one", "two"].map((who) =>
      rig.right.subscribe("a.left.q", () => seen.push(who), { queue: "workers" }),
    );
    await rig.right.flush(DEADLINE_MS);
    for (let i = 0; i < 10; i++) rig.left.publish("a.left.q", bytes(""));
    await until(() => seen.length >= 10);
    expect(seen).toHaveLength(10);
    for (const sub of subs) sub.cancel();
  });

  test("subscriptions stand again after the broker was restarted", async () => {
    let reconnects = 0;
    rig.right.onReconnect(() => {
      reconnects += 1;
    });
    const seen: string[] = [];
    const sub = rig.right.subscribe("a.left.again", (m) => seen.push(text(m.data)));
    await rig.right.flush(DEADLINE_MS);
    await rig.broker.restart();
    await until(() => rig.left.connected && rig.right.connected && reconnects > 0);
    await rig.right.flush(DEADLINE_MS);
    rig.left.publish("a.left.again", bytes("back"));
    await until(() => seen.includes("back"));
    sub.cancel();
  });
}

function refuses(rig: Rig): void {
  test("publishing and subscribing outside one's permissions is refused", async () => {
    const heard: string[] = [];
    const all = rig.right.subscribe("a.>", (m) => heard.push(m.subject));
    const spied: string[] = [];
    rig.left.subscribe("b.right.x", (m) => spied.push(m.subject));
    rig.left.subscribe(">", (m) => spied.push(m.subject));
    await rig.right.flush(DEADLINE_MS);
    await rig.left.flush(DEADLINE_MS);
    rig.left.publish("a.right.forged", bytes(""));
    rig.right.publish("b.right.x", bytes(""));
    rig.left.publish("a.left.honest", bytes(""));
    await until(() => heard.includes("a.left.honest"));
    await rig.right.flush(DEADLINE_MS);
    expect(heard).toEqual(["a.left.honest"]);
    expect(spied).toEqual([]);
    all.cancel();
  });

  test("a message over the limit is refused before it is sent", () => {
    const big = new Uint8Array(MESSAGE_BYTES_MAX + 1);
    expect(() => rig.left.publish("a.left.big", big)).toThrow(/1 MiB/);
  });
}
