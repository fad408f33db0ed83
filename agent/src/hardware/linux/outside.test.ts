// Shows the door to the real machine: attribute writes and tools of the machine that runs the
// tests.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock, systemClock } from "@railyard/lib/clock";
import { expect, test } from "vitest";
import { systemOutside } from "./outside.js";

test("a write reaches an attribute that exists and never makes one", async () => {
  const root = mkdtempSync(join(tmpdir(), "railyard-outside-"));
  try {
    writeFileSync(join(root, "numvfs"), "");
    const outside = systemOutside(systemClock(), root);
    await outside.write("/numvfs", "4", 60_000);
    expect(readFileSync(join(root, "numvfs"), "utf8")).toBe("4");
    await expect(outside.write("/missing", "1", 60_000)).rejects.toMatchObject({
      code: "unavailable",
      parts: { detail: { errno: "ENOENT" } },
    });
    expect(readdirSync(root)).toEqual(["numvfs"]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

// Nothing is called that; a read-only sysfs refuses before the kernel looks for it.
test.runIf(process.getuid?.() === 0)(
  "an attribute without a way to read it is written",
  async () => {
    const written = systemOutside(systemClock()).write(
      "/sys/bus/pci/drivers_probe",
      "none",
      60_000,
    );
    await expect(written).rejects.toMatchObject({
      parts: { detail: { errno: expect.stringMatching(/^(ENODEV|EINVAL|EROFS|ENOENT)$/) } },
    });
  },
);

test("a tool that fails is unavailable and says which command it was", async () => {
  const outside = systemOutside(systemClock());
  await expect(
    outside.exec("ip", ["-j", "link", "show", "dev", "no-such-dev"], 60_000),
  ).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("ip") });
});

test("a long command is told by its beginning", async () => {
  const outside = systemOutside(systemClock());
  const asked = outside.exec("ip", ["link", "show", "dev", "x".repeat(60_000)], 60_000);
  const message = await asked.catch((thrown: Error) => thrown.message);
  expect(message.startsWith("ip link show dev xxx")).toBe(true);
  expect(message.length).toBeLessThan(1_000);
});

test("a tool that does not end in time is given up and killed", async () => {
  const clock = new ManualClock();
  const answer = systemOutside(clock).exec("ip", ["monitor", "link"], 3000);
  const refused = expect(answer).rejects.toMatchObject({
    code: expect.stringMatching(/^(deadline|unavailable)$/),
  });
  await clock.advance(3000);
  await refused;
});
