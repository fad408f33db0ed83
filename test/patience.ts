// Runs before every test file: `vi.waitFor` gives up after a minute unless a test says otherwise.
// By itself it does so after a second, which says how busy the machine is.
import { vi } from "vitest";

const LATE_MS = 60_000;
const { waitFor } = vi;

vi.waitFor = (callback, options = {}) =>
  waitFor(callback, typeof options === "number" ? options : { timeout: LATE_MS, ...options });
