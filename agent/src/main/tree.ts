// Draws the PCI functions of a machine as the tree that they hang in. Knows neither kinds nor names
// of devices: what a function is called is the caller's.
import type { PciFunction } from "../hardware/hardware.js";

const BRANCH = "├─ ";
const LAST_BRANCH = "└─ ";
const PASS = "│  ";
const NOTHING = "   ";

interface Place {
  readonly fn: PciFunction | undefined;
  readonly below: Map<string, Place>;
}

/** One line per bridge and function; VFs are left to their physical functions. */
export function pciTree(
  functions: readonly PciFunction[],
  say: (fn: PciFunction) => string,
): readonly string[] {
  const root: Place = { fn: undefined, below: new Map() };
  for (const fn of functions.filter((one) => one.pf === undefined)) {
    let at = root;
    for (const bridge of fn.path) at = placeBelow(at, bridge, undefined);
    placeBelow(at, fn.address, fn);
  }
  return [...root.below].flatMap((entry) => draw(entry, { first: "", rest: "" }, say));
}

function placeBelow(at: Place, address: string, fn: PciFunction | undefined): Place {
  const known = at.below.get(address);
  if (known !== undefined) return known;
  const place = { fn, below: new Map<string, Place>() };
  at.below.set(address, place);
  return place;
}

/** What stands before the first line of a place, and before all below it. */
interface Lead {
  readonly first: string;
  readonly rest: string;
}

function draw(
  [address, { fn, below }]: readonly [string, Place],
  { first, rest }: Lead,
  say: (fn: PciFunction) => string,
): readonly string[] {
  const entries = [...below];
  const children = entries.flatMap((entry, index) => {
    const last = index === entries.length - 1;
    const lead = {
      first: rest + (last ? LAST_BRANCH : BRANCH),
      rest: rest + (last ? NOTHING : PASS),
    };
    return draw(entry, lead, say);
  });
  return [`${first}${address}  ${fn === undefined ? "bridge" : say(fn)}`, ...children];
}
