// What a start does in a folder that the guest's own account could write to: whoever breaks out of
// a QEMU must not be able to have the agent write, or give away, files that are not the guest's.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { GuestSpec } from "../../../model.js";
import type { Outside } from "../outside.js";
import { qemuGuests } from "./guests.js";
import { guestPlace } from "./place.js";

const USER = { name: "guest", uid: 12_345, gid: 12_345 };
const PRECIOUS = "the agent's own";
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "railyard-guests-"));
  mkdirSync(join(root, "run/systemd/system"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A machine whose tools write what they are told to, and whose QEMU ends at once. */
function machine(): Outside {
  return {
    root,
    write: () => Promise.reject(new Error("nothing is written")),
    async exec(tool, args) {
      if (args[0] === "info") return JSON.stringify({ format: "raw" });
      if (args[0] === "create") writeFileSync(args.at(-2) ?? "", "disk");
      if (tool === "genisoimage") writeFileSync(args[args.indexOf("-output") + 1] ?? "", "seed");
      return "ActiveState=inactive\n";
    },
  };
}

function spec(): GuestSpec {
  const path = join(root, "image");
  writeFileSync(path, "");
  const sha256 = createHash("sha256").update("").digest("hex");
  const size = { bootCount: 1, vcpu: 1, memoryMib: 64 };
  const desired: GuestSpec["desired"] = {
    ...{ instanceId: "ins-1", name: "one", ...size, gpus: [], attachments: [] },
    image: { id: "img-1", path, sha256, sizeBytes: 1 },
    ...{ volumes: [], vpcNics: [], userData: new Uint8Array(), sshKeys: [] },
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
  };
  return { instanceId: "ins-1", name: "one", ...size, functions: [], addresses: {}, desired };
}

const PLACE = guestPlace("/g", "ins-1");

test
  .runIf(process.getuid?.() === 0)
  .each([
    PLACE.disk,
    `${PLACE.disk}.draft`,
    PLACE.seed,
    `${PLACE.definition}.draft`,
    PLACE.complaints,
  ])("a link that was put at %s leads a start nowhere", async (path) => {
  const place = guestPlace(join(root, "g"), "ins-1");
  const precious = join(root, "precious");
  mkdirSync(place.dir, { recursive: true });
  writeFileSync(precious, PRECIOUS);
  symlinkSync(precious, join(root, path));
  const guests = qemuGuests({
    ...{ outside: machine(), clock: systemClock(), guestsDir: join(root, "g"), user: USER },
    ...{ volumesDir: join(root, "v"), accelerator: "tcg", vpcBridge: "ry-test" },
    backings: async () => new Map(),
    layoutArguments: () => [],
  });
  await expect(guests.start(spec())).rejects.toThrow("qemu did not start");
  expect(existsSync(place.definition)).toBe(true);
  expect(readFileSync(precious, "utf8")).toBe(PRECIOUS);
  expect(statSync(precious).uid).toBe(0);
});
