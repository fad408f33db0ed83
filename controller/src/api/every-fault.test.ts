// Tests of the one refusal for a malformed request: form and rules together, nothing twice.
import { bug, invalid, notFound, refuse } from "@railyard/lib/errors";
import { expect, test } from "vitest";
import { everyFault } from "./every-fault.js";

const malformed = invalid([{ field: "template", description: "must be set" }]);

async function fieldsWith(thrown?: Error): Promise<string[]> {
  const error = await everyFault(malformed, () =>
    thrown ? Promise.reject(thrown) : Promise.resolve({}),
  );
  expect(error.code).toBe("invalid");
  return (error.parts.fields ?? []).map(({ field }) => field);
}

test("what the use case finds is named beside what is malformed", async () => {
  expect(await fieldsWith(notFound("zone", "mars", "zone"))).toEqual(["template", "zone"]);
});

test("a field at or below a malformed one is not named again", async () => {
  const again = ["template", "template.zone", "template[0]", "templates"].map((field) => ({
    ...{ field, description: "wrong" },
  }));
  expect(await fieldsWith(invalid(again))).toEqual(["template", "templates"]);
});

test("whatever else the use case meets does not hide the malformed fields", async () => {
  expect(await fieldsWith()).toEqual(["template"]);
  expect(await fieldsWith(bug("broken"))).toEqual(["template"]);
  expect(await fieldsWith(refuse("exhausted", "no room"))).toEqual(["template"]);
});

test("a bug that the use case meets is kept for the log", async () => {
  const met = bug("broken");
  const error = await everyFault(malformed, () => Promise.reject(met));
  expect([error.code, error.parts.cause]).toEqual(["invalid", met]);
  expect((await everyFault(malformed, async () => ({}))).parts.cause).toBeUndefined();
});
