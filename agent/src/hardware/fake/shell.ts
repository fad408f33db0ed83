// The little that a pretended guest answers on its serial line: boot lines, a prompt, a few words
// it understands. Pure: bytes typed in, text out; it knows neither sockets nor time.

/** What a pretended guest knows of itself. */
export interface ShellGuest {
  readonly name: string;
  readonly bootCount: number;
  readonly vcpu: number;
  readonly memoryMib: number;
  /** In guest address order. */
  readonly functions: readonly { readonly guestAddress: string }[];
}

/** Longest line that can be typed; more is not taken. */
const LINE_MAX = 1_024;
const EOL = "\r\n";
const BELL = "\x07";
const INTERRUPT = "\x03";
const END = "\x04";
const BACKSPACES = ["\x7f", "\b"];

/** What the kernel of a pretended guest says while it boots. */
export function bootLines(guest: ShellGuest): string {
  const { vcpu, memoryMib, bootCount, name, functions } = guest;
  const said = [
    `Linux version 6.8.0 (made up), boot ${bootCount}`,
    `smp: ${vcpu} CPUs, memory ${memoryMib} MiB`,
    ...functions.map(({ guestAddress }) => `pci ${guestAddress}: found`),
    `${name} has booted`,
  ];
  return said.map((text, i) => `[    0.${String(i).padStart(6, "0")}] ${text}${EOL}`).join("");
}

/** What typing something leads to. */
export interface Reply {
  readonly text: string;
  /** Something that is said again and again, until anything is typed. */
  readonly endless?: string;
}

export class GuestShell {
  private line = "";
  private afterReturn = false;
  /** The terminal's size as `stty size` tells it: lines, then characters. */
  size = "0 0";

  constructor(private readonly guest: ShellGuest) {}

  get prompt(): string {
    return `root@${this.guest.name}:~# `;
  }

  /** Takes what was typed, echoing it as a terminal would. */
  type(bytes: Uint8Array): Reply {
    let text = "";
    for (const char of Buffer.from(bytes).toString("latin1")) {
      const { text: said, endless } = this.key(char);
      text += said;
      if (endless !== undefined) return { text, endless };
    }
    return { text };
  }

  private key(char: string): Reply {
    const second = char === "\n" && this.afterReturn;
    this.afterReturn = char === "\r";
    if (second) return { text: "" };
    if (char === "\r" || char === "\n") return this.enter();
    if (char === INTERRUPT) return this.anew("^C");
    if (char === END) return this.line === "" ? this.leave() : { text: BELL };
    if (BACKSPACES.includes(char)) {
      if (this.line === "") return { text: "" };
      this.line = this.line.slice(0, -1);
      return { text: "\b \b" };
    }
    if (char < " " || this.line.length >= LINE_MAX) return { text: BELL };
    this.line += char;
    return { text: char };
  }

  private enter(): Reply {
    const [word = "", ...rest] = this.line.trim().split(/ +/);
    this.line = "";
    if (word === "exit") return this.leave();
    if (word === "yes") return { text: EOL, endless: `${rest.join(" ") || "y"}${EOL}` };
    const lines = answer({ ...this.guest, size: this.size }, word, rest);
    return { text: EOL + lines.map((line) => line + EOL).join("") + this.prompt };
  }

  private anew(shown: string): Reply {
    this.line = "";
    return { text: shown + EOL + this.prompt };
  }

  /** As on any serial line, leaving the shell brings a new one. */
  private leave(): Reply {
    return { text: `${EOL}logout${EOL}${EOL}${this.guest.name} ttyS0${EOL}${EOL}${this.prompt}` };
  }
}

function answer(
  guest: ShellGuest & { readonly size: string },
  word: string,
  rest: readonly string[],
): readonly string[] {
  switch (word) {
    case "":
      return [];
    case "hostname":
      return [guest.name];
    case "lspci":
      return guest.functions.map(({ guestAddress }, i) => `${guestAddress} made-up function ${i}`);
    case "nproc":
      return [String(guest.vcpu)];
    case "echo":
      return [rest.join(" ")];
    case "stty":
      return [guest.size];
    case "help":
      return ["hostname lspci nproc stty echo yes exit"];
    default:
      return [`${word}: command not found`];
  }
}
