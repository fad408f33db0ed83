// What operators are told of a fabric whose looks fail now and then.
import { ManualClock } from "@railyard/lib/clock";
import { expect, test } from "vitest";
import type { Inventory } from "../model.js";
import { FabricDoubt } from "./fabric-doubt.js";

const INVENTORY = { warnings: [] } as unknown as Inventory;

test("a failed look is told while looks fail now and then, in the same words", async () => {
  const clock = new ManualClock();
  const doubt = new FabricDoubt(clock);
  expect(doubt.on(INVENTORY)).toBe(INVENTORY);
  doubt.note("ibnetdiscover hangs");
  const message = "the fabric could not be read: ibnetdiscover hangs";
  const warnings = [{ kind: "fabric-unread", deviceId: "", message }];
  for (let turn = 0; turn < 5; turn++) {
    await clock.advance(50_000);
    expect(doubt.on(INVENTORY)).toEqual({ warnings });
    doubt.note(`port ${turn} does not answer`);
  }
  await clock.advance(60_000);
  expect(doubt.on(INVENTORY)).toBe(INVENTORY);
  doubt.note("ibnetdiscover is gone");
  expect(doubt.on(INVENTORY).warnings[0]?.message).toContain("ibnetdiscover is gone");
});
