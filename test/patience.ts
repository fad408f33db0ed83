// Runs before every test file: `vi.waitFor` gives up after half a minute unless a test says
// otherwise. By itself it does so after a second, which says how busy the machine is.
import { vi } from "vitest";

const LATE_MS = 30_000;
const { waitFor } = vi;

vi.waitFor = (callback, options = { timeout: LATE_MS }) => waitFor(callback, options);
