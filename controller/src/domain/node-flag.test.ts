// Flags that last as long as what they tell of.
import { expect, test } from "vitest";
import { FLAGS_MAX, type Node } from "./node.js";
import { applyFailure, fabricUnread, withFlag, withoutFlag } from "./node-flag.js";

const bare = { flags: [] as readonly Node["flags"][number][] } as Node;
const failed = (message: string, at: number) => ({ code: "apply-failed", message, at }) as const;

test("a node carries one flag of the kind, raised when it was raised first", () => {
  const other = { code: "generation-unknown", message: "m", at: 1 } as const;
  const once = withFlag({ ...bare, flags: [other] }, failed("a", 5));
  const twice = withFlag(once, failed("b", 9));
  expect(twice.flags).toEqual([failed("b", 5), other]);
  expect(withFlag(twice, failed("b", 10))).toBe(twice);
  const gone = withoutFlag(twice, "apply-failed");
  expect(gone.flags).toEqual([other]);
  expect(withoutFlag(gone, "apply-failed")).toBe(gone);
});

test("flags stay within their bound", () => {
  const flags = Array.from({ length: FLAGS_MAX }, (_, k) => {
    return { code: "second-session", message: `${k}`, at: k } as const;
  });
  const after = withFlag({ ...bare, flags }, failed("a", 5));
  expect(after.flags).toHaveLength(FLAGS_MAX);
  expect(after.flags[0]).toEqual(failed("a", 5));
});

test("a failure names the first step in one line of bounded length", () => {
  const step = (reason: string) => ({ step: "create-vfs", reason });
  const of = (...failedSteps: ReturnType<typeof step>[]) =>
    applyFailure([
      { instanceId: "ins-0", failedSteps: [] },
      { instanceId: "ins-1", failedSteps },
    ]);
  expect(of()).toBeUndefined();
  expect(of(step("no\nspace"))).toBe("create-vfs of ins-1 failed: no space");
  const long = of(step("x".repeat(5_000)), step("y"), step("z")) ?? "";
  expect(long).toMatch(/^create-vfs of ins-1 failed: x+ \(and 2 more steps\)$/);
  expect(long).toHaveLength(512);
});

test("a fabric that cannot be read is told in one line of bounded length", () => {
  const warned = (kind: string, message: string) => ({
    warnings: [{ kind, deviceId: "", message }],
  });
  expect(fabricUnread(undefined)).toBeUndefined();
  expect(fabricUnread(warned("no-common-switch", "alone"))).toBeUndefined();
  expect(fabricUnread(warned("fabric-unread", "it\nhangs"))).toBe("it hangs");
  expect(fabricUnread(warned("fabric-unread", "x".repeat(5_000)))).toHaveLength(512);
});
