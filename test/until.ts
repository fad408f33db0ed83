// Waiting in tests: for a level, with a deadline, never for a length of time.

/** Two thirds of what a test may take: a busy machine needs many times what a quiet one does. */
const DEADLINE_MS = 120_000;
const LOOK_EVERY_MS = 20;

/** Waits until `done` answers true or a value; fails naming `what` after a deadline. */
export async function until<T>(
  what: string,
  done: () => Promise<T> | T,
  deadlineMs = DEADLINE_MS,
): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await done();
    if (value) return value;
    if (performance.now() > end) throw new Error(`${what}: did not come true in time`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
