// Where a field path stands in a YAML file.
import { expect, test } from "vitest";
import { parseYaml, segmentsOf, type YamlSource } from "./yaml-source.js";

const TEXT = `kind: Mzone
metadata: {name: us-east, generation: 7}
zones:
  - name: us-east-3
    servers:
      - {name: s01, serial: GH1}
      - name: s02
        serial:
      - &third
        name: s03
      - *third
`;

function sourceOf(text: string): YamlSource {
  const parsed = parseYaml("m.yaml", text);
  if (parsed.t === "bad") throw new Error(JSON.stringify(parsed.problems));
  return parsed.source;
}

test("a path is cut into keys and indexes", () => {
  expect(segmentsOf("zones[0].servers[3].serial")).toEqual(["zones", 0, "servers", 3, "serial"]);
  expect(segmentsOf('labels["a.b"][2]')).toEqual(["labels", "a.b", 2]);
});

test("a path is placed at its value", () => {
  const { place, value } = sourceOf(TEXT);
  expect(place("zones[0].servers[0].serial")).toBe("m.yaml:6:29");
  expect(place("metadata.generation")).toBe("m.yaml:2:39");
  expect(place("zones[0].name")).toBe("m.yaml:4:11");
  expect(value).toMatchObject({ metadata: { generation: 7 } });
});

test("a field without a value is placed at its key", () => {
  expect(sourceOf(TEXT).place("zones[0].servers[1].serial")).toBe("m.yaml:8:9");
});

test("a missing field is placed at the deepest holder that is there", () => {
  const { place } = sourceOf(TEXT);
  expect(place("zones[0].servers[0].cluster")).toBe("m.yaml:6:9");
  expect(place("zones[0].servers[9].serial")).toBe("m.yaml:6:7");
  expect(place("hardware[0].name")).toBe("m.yaml:1:1");
  expect(place("")).toBe("m.yaml:1:1");
});

test("a path leads through an alias to what it stands for", () => {
  expect(sourceOf(TEXT).place("zones[0].servers[3].name")).toBe("m.yaml:10:15");
});

test("a snake_case path finds a camelCase key", () => {
  const { place } = sourceOf("template:\n  imageId: img-1\n");
  expect(place("template.image_id")).toBe("m.yaml:2:12");
});

test("every syntax error is named with its place", () => {
  const parsed = parseYaml("m.yaml", "a: 1\na: 2\nb: [1, 2\nc: 'x\n");
  expect(parsed.t).toBe("bad");
  const places = parsed.t === "bad" ? parsed.problems.map(({ field }) => field) : [];
  expect(places).toContain("m.yaml:2:1");
  expect(places.length).toBeGreaterThan(1);
});

test("two documents in one file are refused", () => {
  expect(parseYaml("m.yaml", "a: 1\n---\nb: 2\n").t).toBe("bad");
});
