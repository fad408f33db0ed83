// Makes a guest's disks and its seed image through qemu-img and genisoimage. What is there already
// stays as it is: a volume belongs to its owner, and a disk holds what the guest wrote.
import { mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { invalidField, refuse } from "@railyard/lib/errors";
import type { GuestSpec } from "../../../model.js";
import type { Outside } from "../outside.js";
import { DISKS_MAX, type Disk } from "./arguments.js";
import { isFile, unlessAbsent } from "./folder.js";
import type { CheckImage } from "./image.js";
import type { GuestPlace } from "./place.js";
import { seedFiles } from "./seed.js";

const TOOL_DEADLINE_MS = 20_000;
const ID = /^[0-9A-Za-z_][-0-9A-Za-z_]{0,63}$/;
const GIB = 1024 ** 3;
/** The smallest disk that a guest gets over an image. */
const DISK_BYTES_MIN = 10 * GIB;

export interface DiskMaker {
  readonly outside: Outside;
  readonly volumesDir: string;
  readonly checkImage: CheckImage;
}

/**
 * The guest's disks, the one to boot from first and the seed last. A boot volume lies over the
 * image and keeps what is written; without one the disk goes with the guest.
 */
export async function prepareDisks(
  maker: DiskMaker,
  spec: GuestSpec,
  place: GuestPlace,
): Promise<readonly Disk[]> {
  const { image, volumes } = spec.desired;
  if (volumes.length + 2 > DISKS_MAX) throw refuse("unavailable", "the guest has too many volumes");
  const boot = volumes.find((v) => v.boot);
  const bootDisk = boot ? volumePath(maker, boot.id) : place.disk;
  // Also for a disk that is there: it lies over the image for as long as it lives.
  const under = { path: image.path, format: await maker.checkImage(image) };
  if (!(boot ? await exists(bootDisk) : await isFile(bootDisk))) {
    const bytes = boot ? boot.capacityGib * GIB : Math.max(DISK_BYTES_MIN, image.sizeBytes);
    const draft = boot ? `${bootDisk}.draft` : join(place.dir, "disk.draft");
    await createDisk(maker.outside, bootDisk, { bytes, under, draft });
  }
  const disks = [bootDisk];
  for (const volume of volumes.filter((v) => v !== boot)) {
    const path = volumePath(maker, volume.id);
    const bytes = volume.capacityGib * GIB;
    const draft = `${path}.draft`;
    if (!(await exists(path))) await createDisk(maker.outside, path, { bytes, draft });
    disks.push(path);
  }
  await makeSeed(maker.outside, spec, place);
  return [
    ...disks.map((path) => ({ path, format: "qcow2" as const, readOnly: false })),
    { path: place.seed, format: "raw", readOnly: true },
  ];
}

/** The addresses come from here when the guest is read back. */
export const NETWORK_CONFIG = "network-config";

interface NewDisk {
  readonly bytes: number;
  readonly under?: Pick<Disk, "path" | "format">;
  /** Where it is made: in a folder of the agent's, or the tool would follow a link put there. */
  readonly draft: string;
}

async function createDisk(outside: Outside, path: string, disk: NewDisk): Promise<void> {
  const { bytes, under, draft } = disk;
  const backing = under ? ["-F", under.format, "-b", under.path] : [];
  // One that was cut off in the making is made again: only a finished one has its name.
  await rm(draft, { force: true });
  const args = ["create", "-q", "-f", "qcow2", ...backing, draft, String(bytes)];
  await outside.exec("qemu-img", args, TOOL_DEADLINE_MS);
  // Or a power cut could leave its name with nothing in it.
  await using made = await open(draft, "r");
  await made.sync();
  await rename(draft, path);
}

async function makeSeed(outside: Outside, spec: GuestSpec, place: GuestPlace): Promise<void> {
  await rm(place.seedFiles, { recursive: true, force: true });
  await mkdir(place.seedFiles, { mode: 0o700 });
  const files = Object.entries(seedFiles(spec));
  for (const [name, content] of files) {
    await writeFile(join(place.seedFiles, name), content, { mode: 0o600 });
  }
  // The tool would write wherever a link leads that was put there before the folder was ours.
  await rm(place.seed, { force: true });
  const layout = ["-quiet", "-volid", "cidata", "-joliet", "-rock"];
  const args = [...layout, "-output", place.seed, place.seedFiles];
  await outside.exec("genisoimage", args, TOOL_DEADLINE_MS);
  // User data may hold secrets: the seed has them, nothing else needs to.
  for (const [name] of files) {
    if (name !== NETWORK_CONFIG) await rm(join(place.seedFiles, name));
  }
}

function volumePath({ volumesDir }: DiskMaker, id: string): string {
  if (!ID.test(id)) throw invalidField("volumes.id", "must be an id");
  return join(volumesDir, `${id}.qcow2`);
}

async function exists(path: string): Promise<boolean> {
  return (await unlessAbsent(path, stat(path))) !== undefined;
}
