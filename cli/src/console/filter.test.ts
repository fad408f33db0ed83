// Tests of the terminal filter: what may act on a terminal never passes, however it is cut.
import fc from "fast-check";
import { expect, test } from "vitest";
import { TerminalFilter } from "./filter.js";

function shown(...pieces: (string | Uint8Array)[]): string {
  const filter = new TerminalFilter();
  const out = pieces.map((piece) => filter.push(Buffer.from(piece as string)));
  return Buffer.concat(out).toString();
}

test.each([
  ["text", "plain text\r\n\tin lines\b\x07"],
  ["letters of other scripts", "größe 北京 😀"],
  ["colours", "\x1b[1;31mred\x1b[38:5:200m\x1b[0m"],
  ["cursor movement and erasing", "\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[3A\x1b[?25l\x1b[?25h"],
  ["the other screen", "\x1b[?1049h\x1b[?1;7;2004l"],
  ["line drawing", "\x1b(0lqk\x1b(B"],
  ["save and restore", "\x1b7\x1b8\x1bM"],
])("%s passes unchanged", (_, text) => {
  expect(shown(text)).toBe(text);
});

test.each([
  ["the title", "\x1b]0;evil\x07"],
  ["the clipboard", "\x1b]52;c;ZXZpbA==\x1b\\"],
  ["hyperlinks", "\x1b]8;;http://evil\x1b\\"],
  ["device control strings", "\x1bP$qm\x1b\\"],
  ["application, privacy and start-of-string strings", "\x1b_a\x1b\\\x1b^b\x1b\\\x1bXc\x1b\\"],
  ["device attributes", "\x1b[c\x1b[>c\x1b[0c\x1bZ"],
  ["status reports", "\x1b[5n\x1b[6n\x1b[?6n"],
  ["window operations", "\x1b[18t\x1b[3;0;0t"],
  ["answerback", "\x05"],
  ["terminal parameters and reset", "\x1b[x\x1bc\x1b[!p"],
  ["mouse reports", "\x1b[?1000h\x1b[?1006h\x1b[?25;1000h"],
  ["repetition", "\x1b[99999b\x1b[b"],
  ["numbers beyond any terminal", "\x1b[99999C"],
  ["eight-bit controls", "\u009b6n\u009d0;evil\u009c\u0090x\u009c\u0085"],
  ["charset shifts", "\x0e\x0f\x1bn\x1b%G"],
  ["cursor keys' modifiers", "\x1b[>4;2m"],
])("%s is kept back", (_, text) => {
  expect(shown(`a${text}b`)).toBe("ab");
});

test("raw eight-bit controls are shown as unreadable, and start nothing", () => {
  expect(shown(Buffer.from("a\x9b6nb", "latin1"))).toBe("a\ufffd6nb");
});

test("a string that never ends swallows what follows until it is cancelled", () => {
  expect(shown("a\x1b]0;never", " more", "\x18b")).toBe("ab");
});

test("an escape within a string ends it and begins a sequence of its own", () => {
  expect(shown("\x1b]0;x\x1b[31mred")).toBe("\x1b[31mred");
  expect(shown("\x1b]0;x\x1b]52;c;y\x07z")).toBe("z");
});

test("a sequence cut anywhere is treated like a whole one", () => {
  const text = "a\x1b[31mö\x1b]52;c;ZXY=\x07\x1b[6nb\u009b6n😀\x1b[?1049hc";
  const whole = shown(text);
  const bytes = Buffer.from(text);
  for (let at = 0; at <= bytes.length; at++) {
    expect(shown(bytes.subarray(0, at), bytes.subarray(at))).toBe(whole);
  }
});

/** Bytes that sequences are made of, more often than others. */
const byte = fc.oneof(
  fc.constantFrom(...Buffer.from("\x1b\x1b[]P_^X\\?;0123456789nctmhlHJ\x07\x18\x05 (")),
  fc.constantFrom(0xc2, 0x90, 0x9b, 0x9c, 0x9d, 0x80, 0xff, 0xe2, 0xf0),
  fc.nat(255),
);
const stream = fc.array(byte, { maxLength: 200 }).map((bytes) => Uint8Array.from(bytes));

test("how a stream is cut never matters", () => {
  fc.assert(
    fc.property(stream, fc.array(fc.nat(200), { maxLength: 10 }), (bytes, cuts) => {
      const ends = [...cuts, bytes.length].sort((a, b) => a - b);
      const pieces = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
      expect(shown(...pieces)).toBe(shown(bytes));
    }),
    { numRuns: 500 },
  );
});

const ALLOWED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  /\x1b(?:[78DEM=>]|\([0B]|\[[\d;:]*[@A-HIJKLMPSTXZ`adefmrsu]|\[4[hl]|\[\?[\d;]+[hl])/g;

test("whatever comes, every escape that passes is one of the harmless ones", () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      const rest = shown(bytes).replace(ALLOWED, "");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
      expect(rest).not.toMatch(/[\x00-\x06\x0e-\x1f\x7f-\x9f]/);
    }),
    { numRuns: 1_000 },
  );
});

test("what passed once passes again unchanged", () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      const once = shown(bytes);
      expect(shown(once)).toBe(once);
    }),
  );
});
