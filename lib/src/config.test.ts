// Proves that settings are read all at once, strictly, and printed without secrets.
import { expect, test } from "vitest";
import { hostPort, nonEmpty, printable, readSettings, wholeNumber } from "./config.js";

const settings = {
  listen: { env: "RAILYARD_T_LISTEN", about: "where", fallback: "127.0.0.1:0", parse: hostPort },
  size: { env: "RAILYARD_T_SIZE", about: "how many", fallback: "3", parse: wholeNumber(1, 9) },
  key: { env: "RAILYARD_T_KEY", about: "a key", secret: true, parse: nonEmpty },
};

test("defaults fill what is absent", () => {
  const values = readSettings(settings, { RAILYARD_T_KEY: "k" });
  expect(values).toEqual({ listen: { host: "127.0.0.1", port: 0 }, size: 3, key: "k" });
});

test("every bad, missing and unknown variable is named at once", () => {
  const env = { RAILYARD_T_SIZE: "12", RAILYARD_T_SISE: "1", RAILYARD_T_LISTEN: "x" };
  let fields: string[] = [];
  try {
    readSettings(settings, env);
  } catch (err) {
    fields = (err as { parts: { fields: { field: string }[] } }).parts.fields.map((f) => f.field);
  }
  expect(fields.sort()).toEqual([
    "RAILYARD_T_KEY",
    "RAILYARD_T_LISTEN",
    "RAILYARD_T_SISE",
    "RAILYARD_T_SIZE",
  ]);
});

test("secrets are masked when settings are printed", () => {
  const values = readSettings(settings, { RAILYARD_T_KEY: "hunter2" });
  expect(JSON.stringify(printable(settings, values))).not.toContain("hunter2");
});
