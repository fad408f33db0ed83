// The disk that the lab's guests boot from: a boot loader, a kernel and an initramfs, nothing else.
// Any PC boots it; what it is told on its serial console is the lab's business.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { provideInitramfs } from "../image/initramfs.js";
import { output } from "../program.js";

/** Devices of the guest, and the power button. */
const MODULES = ["virtio_pci", "virtio_blk", "virtio_net", "button", "evdev"];
const SCRIPTS = [[join(import.meta.dirname, "scripts/guest-init.sh"), "init"]] as const;
/** Emulated, every instruction counts: what only checks the machine or itself is left out. */
const KERNEL_ARGUMENTS = [
  "console=ttyS0 quiet panic=-1 net.ifnames=0 ipv6.disable=1 nokaslr mitigations=off",
  "no_timer_check tsc=reliable lpj=4000000 cryptomgr.notests apparmor=0 audit=0",
].join(" ");
const LOADER_SETTINGS = `DEFAULT lab
LABEL lab
  KERNEL /vmlinuz
  INITRD /initramfs
  APPEND ${KERNEL_ARGUMENTS}
`;

export interface GuestImageParts {
  /** Where the packages were unpacked: a kernel, isolinux and its tools. */
  readonly root: string;
  readonly kernel: string;
  /** A folder for work. */
  readonly folder: string;
}

/** The image's path; it is built unless one of the same parts is there. */
export async function provideGuestImage(parts: GuestImageParts): Promise<string> {
  const { root, kernel, folder } = parts;
  const initramfs = await provideInitramfs({
    ...{ root, kernel, folder, busybox: "/usr/bin/busybox" },
    ...{ modules: MODULES, scripts: SCRIPTS },
  });
  const loader = createHash("sha256").update(LOADER_SETTINGS).digest("hex").slice(0, 12);
  const image = initramfs.replace(/\.gz$/, `-${loader}.img`);
  if (!existsSync(image)) await build(parts, { initramfs, image });
  return image;
}

async function build(
  { root, kernel, folder }: GuestImageParts,
  { initramfs, image }: { readonly initramfs: string; readonly image: string },
): Promise<void> {
  const tree = join(folder, "disk");
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree);
  const files = {
    [join(root, "usr/lib/ISOLINUX/isolinux.bin")]: "isolinux.bin",
    [join(root, "usr/lib/syslinux/modules/bios/ldlinux.c32")]: "ldlinux.c32",
    [join(root, "boot", `vmlinuz-${kernel}`)]: "vmlinuz",
    [initramfs]: "initramfs",
  };
  for (const [from, to] of Object.entries(files)) copyFileSync(from, join(tree, to));
  writeFileSync(join(tree, "isolinux.cfg"), LOADER_SETTINGS);
  const draft = `${image}.new`;
  const boot = ["-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot"];
  const loader = ["-boot-load-size", "4", "-boot-info-table"];
  const args = ["-quiet", "-rock", ...boot, ...loader, "-output", draft, tree];
  await output("/usr/bin/genisoimage", args);
  // Gives it the boot sector of a disk.
  await output(join(root, "usr/bin/isohybrid"), [draft]);
  renameSync(draft, image);
}
