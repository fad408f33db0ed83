// What a machine's agent warns of, as far as operators are shown it. Knows no wire format.
import type { NodeInventory } from "./node.js";
import { lineOf } from "./node-flag.js";

/** Of one node. */
export const WARNINGS_SHOWN_MAX = 64;
const KIND_MAX = 64;
const DEVICE_MAX = 128;
const MESSAGE_MAX = 256;

/** The first warnings, each text in one line of bounded length. */
export function shownWarnings({ warnings }: NodeInventory): NodeInventory["warnings"] {
  return warnings.slice(0, WARNINGS_SHOWN_MAX).map(({ kind, deviceId, message }) => ({
    kind: lineOf(kind).slice(0, KIND_MAX),
    deviceId: lineOf(deviceId).slice(0, DEVICE_MAX),
    message: lineOf(message).slice(0, MESSAGE_MAX),
  }));
}
