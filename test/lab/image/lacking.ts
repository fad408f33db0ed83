// What keeps an image from being had on this machine, as a tier says why it is skipped. It knows
// nothing of what is in an image.

/** Why the images, all of x86-64, cannot be provided here; undefined once they are. */
export async function lacking(provide: () => Promise<void>): Promise<string | undefined> {
  if (process.platform !== "linux") return "needs Linux";
  if (process.arch !== "x64") return "needs an x86-64 machine";
  try {
    await provide();
    return undefined;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}
