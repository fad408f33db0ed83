// Which strings are well formed for each character set of the contract, and how a bad one is
// described. Knows no field.
import { Charset } from "@railyard/proto/gen/railyard/v1/limits";

interface Rule {
  readonly pattern: RegExp;
  /** Completes "must be …". */
  readonly what: string;
}

const NAME = /^([a-z]|[a-z][-a-z0-9]*[a-z0-9]|[0-9][-a-z0-9]*([a-z]|[-a-z][-a-z0-9]*[a-z0-9]))$/;
const UUID = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;
const LINE = /^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u;

const RULES: ReadonlyMap<Charset, Rule> = new Map([
  [
    Charset.CHARSET_NAME,
    { pattern: NAME, what: "a name: a-z 0-9 -, not only digits, no hyphen at an end" },
  ],
  [Charset.CHARSET_ID, { pattern: /^[-0-9a-z_]+$/, what: "an identifier: a-z 0-9 - _" }],
  [Charset.CHARSET_UUID, { pattern: UUID, what: "a UUID" }],
  [
    Charset.CHARSET_CIDR,
    { pattern: /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, what: "an IPv4 block such as 10.1.0.0/16" },
  ],
  [
    Charset.CHARSET_IPV4,
    { pattern: /^\d{1,3}(\.\d{1,3}){3}$/, what: "an IPv4 address such as 10.1.0.4" },
  ],
  [Charset.CHARSET_MAC, { pattern: /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/, what: "a MAC address" }],
  [Charset.CHARSET_PCI_ADDRESS, { pattern: /^[0-9a-fA-F:.]+$/, what: "a PCI address" }],
  [Charset.CHARSET_TEXT, { pattern: LINE, what: "one line without control characters" }],
  [
    Charset.CHARSET_MULTILINE,
    { pattern: /^(?:[\t\n\r]|[^\p{Cc}\p{Cs}])*$/u, what: "text without control characters" },
  ],
  [Charset.CHARSET_TOKEN, { pattern: /^[-A-Za-z0-9_.]+$/, what: "a token: A-Z a-z 0-9 - _ ." }],
  [Charset.CHARSET_PATH, { pattern: LINE, what: "a path without control characters" }],
]);

/** What is wrong with `text`, or undefined. Sets that a newer contract adds are not checked. */
export function charsetProblem(charset: Charset, text: string): string | undefined {
  const rule = RULES.get(charset);
  return rule === undefined || rule.pattern.test(text) ? undefined : `must be ${rule.what}`;
}
