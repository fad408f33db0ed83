// Which directories and ids a guest may have.
import { expect, test } from "vitest";
import { guestPlace, SOCKET_PATH_BYTES_MAX } from "./place.js";

test("a directory whose sockets have too long an address is refused with their length", () => {
  const tail = "/ins-1/box/serial.sock".length;
  const fits = `/${"d".repeat(SOCKET_PATH_BYTES_MAX - tail - 1)}`;
  expect(Buffer.byteLength(guestPlace(fits, "ins-1").serial)).toBe(SOCKET_PATH_BYTES_MAX);
  expect(() => guestPlace(`${fits}d`, "ins-1")).toThrow(/has 108 bytes, at most 107/);
});

test.each(["../x", "", "-x", "a/b", "a,b", "x".repeat(65)])("%j is no instance id", (id) => {
  expect(() => guestPlace("/g", id)).toThrow("must be an id");
});

test.each(["g", "/g,file=/etc", "/g h"])("%j is no directory for guests", (dir) => {
  expect(() => guestPlace(dir, "ins-1")).toThrow("guests directory");
});
