// Shows what is understood of pci.ids.
import { expect, test } from "vitest";
import { parsePciIds } from "./pci-ids.js";

const LIST = `# comment
10de  NVIDIA Corporation
\t2330  GH100 [H100 SXM5 80GB]
\t\t10de 16c1  a board
15b3  Mellanox Technologies
C 03  Display controller
\t02  3D controller
C 02  Network controller
`;

test("vendors, devices and classes have names", () => {
  const names = parsePciIds(LIST);
  expect(names.device("10de", "2330")).toBe("NVIDIA Corporation GH100 [H100 SXM5 80GB]");
  expect(names.kind("030200")).toBe("3D controller");
});

test("what the list does not know is told by its ids", () => {
  const names = parsePciIds(LIST);
  expect(names.device("10de", "9999")).toBe("NVIDIA Corporation 9999");
  expect(names.device("15b3", "2330")).toBe("Mellanox Technologies 2330");
  expect(names.device("abcd", "2330")).toBe("abcd:2330");
  expect(names.kind("020700")).toBe("Network controller");
  expect(names.kind("ff0000")).toBe("class ff00");
  expect(parsePciIds("").device("10de", "2330")).toBe("10de:2330");
});
