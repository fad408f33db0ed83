// Lets through what draws text and keeps back what could act on the operator's terminal: titles,
// clipboard, questions that the terminal would answer as if typed, strings for its makers. Pure; it
// works byte by byte, so it does not matter where pieces are cut. Sequences are those of ECMA-48.

/** Longest sequence that is looked at; what is longer draws nothing anyway. */
const SEQUENCE_BYTES_MAX = 64;
/** Longest code point in UTF-8. */
const CODE_POINT_BYTES_MAX = 4;

const ESC = 0x1b;
const CAN = 0x18;
const SUB = 0x1a;
const DEL = 0x7f;
const BEL = 0x07;
const BACKSLASH = 0x5c;
/** BEL, backspace, tab, line feed, vertical tab, form feed, carriage return. */
const CONTROLS = new Set([BEL, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]);
/** Save and restore the cursor; index, next line, reverse index; keypad modes. */
const ESCAPES = /^[78DEM=>]$/;
/** ASCII and the line-drawing characters. */
const CHARACTER_SETS = /^\([0B]$/;
/** Cursor, erasing, inserting, deleting, scrolling, tabs, colours, scroll region. */
const CSI = /^\[[\d;:]*[@A-HIJKLMPSTXZ`adefmrsu]$/;
/** Insert mode. */
const MODE = /^\[4[hl]$/;
/** Cursor keys, wrapping, cursor's blinking and visibility, other screen, bracketed paste. */
const PRIVATE_MODE =
  /^\[\?(1|7|12|25|47|1047|1048|1049|2004)(;(1|7|12|25|47|1047|1048|1049|2004))*[hl]$/;
/** A number that no terminal needs, and that some count down. */
const LARGE_NUMBER = /\d{5}/;
const UNREADABLE = Buffer.from("\ufffd");

/** Begin strings that end with ST: DCS, SOS, OSC, PM, APC; as second byte after ESC. */
const STRINGS = new Set([..."PX]^_"].map((char) => char.charCodeAt(0)));
/** Their one-character forms (C1), and CSI's. */
const C1_STRINGS = new Set([0x90, 0x98, 0x9d, 0x9e, 0x9f]);
const C1_CSI = 0x9b;
const C1_ST = 0x9c;

type State =
  | "text"
  /** After ESC: the sequence so far is kept. */
  | "escape"
  /** After `ESC [`. */
  | "csi"
  /** Inside a sequence that is not let through, until its final byte. */
  | "csi-dropped"
  | "string"
  /** ESC inside a string: perhaps its end. */
  | "string-escape";

export class TerminalFilter {
  private state: State = "text";
  /** The sequence so far, without its ESC. */
  private sequence = "";
  /** The beginning of a code point. */
  private partial: number[] = [];
  private out: number[] = [];

  /** What may be shown of these bytes and of what was held back before. */
  push(bytes: Uint8Array): Uint8Array {
    for (const byte of bytes) this.take(byte);
    const shown = Uint8Array.from(this.out);
    this.out = [];
    return shown;
  }

  private take(byte: number): void {
    if (this.partial.length > 0) {
      if ((byte & 0xc0) === 0x80) {
        this.continue(byte);
        return;
      }
      this.partial = [];
      this.unreadable();
    }
    if (byte < 0x80) this.ascii(byte);
    else if (lengthOf(byte) > 0) this.partial = [byte];
    else this.unreadable();
  }

  private continue(byte: number): void {
    this.partial.push(byte);
    const { partial } = this;
    if (partial.length < Math.min(lengthOf(partial[0] ?? 0), CODE_POINT_BYTES_MAX)) return;
    this.partial = [];
    const text = Buffer.from(partial).toString();
    const point = text.codePointAt(0) ?? 0;
    if (text.length > 2 || point === 0xfffd) this.unreadable();
    else if (point < 0xa0) this.c1(point);
    else if (this.state === "text") this.out.push(...partial);
    else this.interrupted();
  }

  /** Bytes that are no text are shown as such where text would be. */
  private unreadable(): void {
    if (this.state === "text") this.out.push(...UNREADABLE);
    else this.interrupted();
  }

  /** What belongs into no sequence ends one; of a string, nothing but its end counts. */
  private interrupted(): void {
    if (this.state === "string-escape") this.state = "string";
    if (this.state !== "string") this.state = "text";
  }

  private c1(point: number): void {
    if (point === C1_ST) this.state = "text";
    else if (C1_STRINGS.has(point)) this.state = "string";
    else if (point === C1_CSI && this.state !== "string") this.state = "csi-dropped";
    else this.interrupted();
  }

  private ascii(byte: number): void {
    if (byte === CAN || byte === SUB) this.state = "text";
    else if (byte === ESC) this.escape();
    else if (this.state === "string") this.state = byte === BEL ? "text" : "string";
    else if (this.state === "string-escape") this.afterStringEscape(byte);
    else if (byte < 0x20 || byte === DEL) this.control(byte);
    else if (this.state === "text") this.out.push(byte);
    else if (this.state === "escape") this.inEscape(byte);
    else this.inCsi(byte);
  }

  private escape(): void {
    this.sequence = "";
    this.state = this.state === "string" ? "string-escape" : "escape";
  }

  private afterStringEscape(byte: number): void {
    this.state = byte === BACKSLASH ? "text" : "escape";
    if (this.state === "escape") this.ascii(byte);
  }

  /** Terminals obey controls in the midst of a sequence; here the sequence goes on without them. */
  private control(byte: number): void {
    if (this.state === "text" && CONTROLS.has(byte)) this.out.push(byte);
  }

  private inEscape(byte: number): void {
    this.sequence += String.fromCharCode(byte);
    const isFirst = this.sequence.length === 1;
    if (isFirst && STRINGS.has(byte)) this.state = "string";
    else if (this.sequence === "[") this.state = "csi";
    else if (byte >= 0x30 || this.sequence.length > SEQUENCE_BYTES_MAX) {
      this.state = "text";
      if (ESCAPES.test(this.sequence) || CHARACTER_SETS.test(this.sequence)) this.pass();
    }
  }

  private inCsi(byte: number): void {
    const isFinal = byte >= 0x40;
    if (this.state === "csi") {
      this.sequence += String.fromCharCode(byte);
      if (isFinal && isHarmless(this.sequence)) this.pass();
      if (this.sequence.length > SEQUENCE_BYTES_MAX) this.state = "csi-dropped";
    }
    if (isFinal) this.state = "text";
  }

  private pass(): void {
    this.out.push(ESC, ...Buffer.from(this.sequence));
  }
}

function isHarmless(sequence: string): boolean {
  if (LARGE_NUMBER.test(sequence)) return false;
  return CSI.test(sequence) || MODE.test(sequence) || PRIVATE_MODE.test(sequence);
}

/** How many bytes a code point has that begins with this one; 0 for none that can begin one. */
function lengthOf(first: number): number {
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}
