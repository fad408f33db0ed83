// Checks the image that a guest's disk lies over: that it is the one that was asked for, and that
// it stands for itself alone. Reads it once for as long as it stays the same file.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { isAbsolute, normalize } from "node:path";
import { invalidField, refuse } from "@railyard/lib/errors";
import type { DesiredInstance } from "../../../model.js";
import type { Outside } from "../outside.js";
import type { Disk } from "./arguments.js";

type Image = DesiredInstance["image"];

/** Images known to be good that are remembered at once. */
const KNOWN_MAX = 256;
const TOOL_DEADLINE_MS = 20_000;

/** The format of an image that is as it should be. Throws `invalid` or `unavailable` otherwise. */
export type CheckImage = (image: Image) => Promise<Disk["format"]>;

export function imageChecker(outside: Outside): CheckImage {
  const known = new Map<string, Disk["format"]>();
  return async (image) => {
    const { path, sha256 } = image;
    if (!isAbsolute(path) || normalize(path) !== path) {
      throw invalidField("image.path", "must be an absolute path without detours");
    }
    const { size, mtimeMs, ino } = await statOf(path);
    const key = [path, sha256, size, mtimeMs, ino].join(" ");
    const found = known.get(key);
    if (found !== undefined) return found;
    const digest = await digestOf(path);
    if (digest !== sha256.toLowerCase()) {
      throw refuse("unavailable", `image ${image.id} at ${path} is not the one with that sha256`);
    }
    const format = await formatOf(outside, path);
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(key, format);
    return format;
  };
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw refuse("unavailable", `image ${path} cannot be read: ${code}`, { cause });
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw refuse("unavailable", `image ${path} cannot be read: ${code}`, { cause });
  }
  return hash.digest("hex");
}

// An image may name further files of this machine, which the guest would then see.
async function formatOf(outside: Outside, path: string): Promise<Disk["format"]> {
  const args = ["info", "--output=json", "-U", path];
  const info = JSON.parse(await outside.exec("qemu-img", args, TOOL_DEADLINE_MS));
  const data = info["format-specific"]?.data ?? {};
  if (info["backing-filename"] !== undefined || data["data-file"] !== undefined) {
    throw refuse("unavailable", `image ${path} refers to another file`);
  }
  if (info.format === "qcow2" || info.format === "raw") return info.format;
  throw refuse("unavailable", `image ${path} has the unknown format ${String(info.format)}`);
}
