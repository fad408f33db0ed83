// Names: which are well formed, which are kept for the provider, and four random words for whoever
// gives none. Whether a name is taken is for the transaction to say.
import type { Rng } from "@railyard/lib/rng";
import type { Faults } from "./faults.js";

const NAME_LENGTH_MAX = 63;
const NAME = /^([a-z]|[a-z][-a-z0-9]*[a-z0-9]|[0-9][-a-z0-9]*([a-z]|[-a-z][-a-z0-9]*[a-z0-9]))$/;
const RESERVED_PREFIXES = ["ibm-", "railyard-"];
const WORDS_PER_NAME = 4;

/** Whether `name` has the form of a name, whoever may use it. */
export function isName(name: string): boolean {
  return name.length <= NAME_LENGTH_MAX && NAME.test(name);
}

/** Whether `name` is one that a tenant may give; adds a fault when it is not. */
export function checkName(faults: Faults, field: string, name: string): boolean {
  if (!isName(name)) {
    faults.invalid(
      field,
      "must be 1 to 63 lower-case letters, digits and hyphens, not only digits, " +
        "with no hyphen at either end",
    );
  } else if (RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))) {
    faults.invalid(field, "must not begin with ibm- or railyard-", "NAME_RESERVED");
  } else {
    return true;
  }
  return false;
}

/** Four random words, hyphen-joined: 2^32 names, each well formed. */
export function randomName(rng: Rng): string {
  return words(rng, WORDS_PER_NAME);
}

/**
 * Draws names for what is made together: four random words each, the first two in common, so that
 * lists and indexes have these names next to each other.
 */
export function namesTogether(rng: Rng): () => string {
  const half = WORDS_PER_NAME / 2;
  const head = words(rng, half);
  return () => `${head}-${words(rng, half)}`;
}

/** One byte chooses one word: there are as many words as bytes. */
function words(rng: Rng, count: number): string {
  let out = "";
  for (const byte of rng.bytes(count)) out += `${out && "-"}${WORDS[byte]}`;
  return out;
}

/** 256 words of three to seven letters. */
export const WORDS: readonly string[] = `
acorn agate alder algae alloy almond amber anchor antler anvil apple apron arbor arch arrow ash
aspen aster atlas autumn axle badge bamboo banner barge barley basalt basil basin beacon beech
bell berry birch bison blaze bloom bobbin bolt bonnet border bough boulder bramble brass breeze
brick bridge brook bronze bucket button cabin cable cactus cairn camel candle canoe canyon carbon
cargo carol castle cedar chalk cherry chisel cinder citrus clay cliff clover cobalt cocoa comet
compass copper coral cork cotton cove crane crater creek crest crown crystal cypress daisy dapple
dawn delta desert dune eagle earth east easel ebony echo eddy elder elm ember engine fable falcon
farm feather fennel fern ferry field fig finch fjord flame flint flora flute fog forest forge
fossil fox frost garden garnet gate geyser ginger glacier glade glass globe goose gorge grain
granite grape gravel grove gull hail harbor harp harvest hawk hazel heath heron hill hinge holly
honey horizon island ivory ivy jade jasmine jasper jetty juniper kelp kernel kettle kiln kite
lagoon lake lantern larch lark laurel lava leaf ledge lemon lens lichen lilac lily lime linen
lotus lunar lupin lynx magnet maple marble marsh meadow melon mesa meteor mint mirror mist moon
moss mossy nectar nickel nutmeg oak oasis oat ocean olive onyx opal orbit orchid otter oxbow panda
pearl pebble pepper petal pine plum polar pond poplar poppy prairie prism quartz quill radish rain
raven reed reef ridge river robin sage salmon sand sequoia shale shore sierra silver slate snow
spruce stone summit thistle timber
`
  .trim()
  .split(/\s+/);
