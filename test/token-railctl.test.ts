// railctl ending tokens, against a real controller: by id or by a name, which may be several
// tokens' and then ends none of them.
import { afterAll, beforeAll, expect, test } from "vitest";
import { operatorRailctl } from "./operator-railctl.js";
import { Yard } from "./yard.js";

const [OK, USAGE, NOT_FOUND, CONFLICT] = [0, 2, 3, 4];

let yard: Yard;
beforeAll(async () => {
  yard = await Yard.open();
});
afterAll(() => yard.close());

const token = async (...args: string[]) => {
  const { code, text } = await operatorRailctl(yard, "-o", "json", "token", ...args);
  return { code, said: code === OK ? JSON.parse(text) : text };
};
const made = async (name: string): Promise<string> => {
  const { said } = await token("create", "--role", "auditor", "--name", name);
  return said.token.id;
};

test("a name that several living tokens have ends none of them", async () => {
  const [old, next] = [await made("rotated"), await made("rotated")];
  const several = await token("revoke", "rotated");
  expect(several.code).toBe(CONFLICT);
  expect(several.said).toContain("several of kind token are named rotated: give an id");
  expect(await token("revoke", old)).toMatchObject({ code: OK, said: { id: old } });
  // Of those that have ended nobody speaks by name.
  expect(await token("revoke", "rotated")).toMatchObject({ code: OK, said: { id: next } });
});

test("no token has an empty name, and one that is not there is not found", async () => {
  expect((await token("revoke", "")).code).toBe(USAGE);
  expect((await token("revoke", "nothing")).code).toBe(NOT_FOUND);
});
