// `npm run bench`: how fast the product is, figure by figure. Ends with 1 when a gate is missed.
// Knows the suites and how they are asked for, not what they measure.
import { parseArgs } from "node:util";
import { measureAgent } from "./agent.js";
import { API, type Measure } from "./api.js";
import type { Effort } from "./compare.js";
import { type Figure, lineOf, objectOf } from "./figure.js";
import { measurePlaced } from "./placed.js";
import { figures as placementFigures } from "./placement.js";

const PLACEMENT: Readonly<Record<string, Measure>> = {
  placement: ({ less }) => placementFigures({ quick: less > 1 }),
  placed: measurePlaced,
};
const AGENT: Readonly<Record<string, Measure>> = { agent: measureAgent };
const SUITES: Readonly<Record<string, Readonly<Record<string, Measure>>>> = {
  api: API,
  placement: PLACEMENT,
  agent: AGENT,
};

const FULL: Effort = { windows: 5, warm: 4, less: 1 };
const QUICK: Effort = { windows: 1, warm: 1, less: 20 };

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean" },
      quick: { type: "boolean" },
      only: { type: "string", multiple: true },
    },
  });
  const measures = measuresOf(positionals);
  const figures: Figure[] = [];
  for (const name of values.only ?? Object.keys(measures)) {
    const measure = measures[name];
    if (!measure) throw new Error(`no measure ${name}; there are: ${Object.keys(measures)}`);
    for (const found of await measure(values.quick ? QUICK : FULL)) {
      figures.push(found);
      console.log(lineOf(found));
    }
  }
  if (values.json) console.log(JSON.stringify(objectOf(figures)));
  return figures.every(({ ok }) => ok) ? 0 : 1;
}

/** The measures of these suites, of all without any. */
function measuresOf(suites: readonly string[]): Readonly<Record<string, Measure>> {
  const chosen = suites.length > 0 ? suites : Object.keys(SUITES);
  return Object.assign(
    {},
    ...chosen.map((name) => {
      const suite = SUITES[name];
      if (!suite) throw new Error(`no suite ${name}; there are: ${Object.keys(SUITES)}`);
      return suite;
    }),
  );
}

process.exitCode = await main();
