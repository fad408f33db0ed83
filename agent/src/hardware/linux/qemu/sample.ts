// The smallest guest that can be asked for: what tests of guests start from. Production code has no
// use for it.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GuestSpec } from "../../../model.js";

/** Without devices, network and disks but its own; its image, which is empty, is made in `root`. */
export function smallSpec(root: string): GuestSpec {
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
