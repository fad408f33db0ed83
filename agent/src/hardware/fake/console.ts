// Serial lines of pretended guests, with a small shell behind each: whoever reaches a line sees the
// guest boot and may type. A line goes with its guest; the newest session has it.
import { type Duplex, duplexPair } from "node:stream";
import type { Clock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { GuestConsole } from "../hardware.js";
import { bootLines, GuestShell, type Reply, type ShellGuest } from "./shell.js";

/** A guest as it is at this moment; undefined when there is none. */
export type FindGuest = (id: string) => (ShellGuest & { readonly runsFromMs: number }) | undefined;

/** How often something endless is said at a time. */
const REPEATED = 256;

export class PretendSerial {
  /** The guests' ends of the lines in use. */
  private readonly lines = new Map<string, Duplex>();

  constructor(
    private readonly clock: Clock,
    private readonly guest: FindGuest,
  ) {}

  /** Reaches the guest's line; throws `unavailable` when there is no such guest. */
  reach(id: string): GuestConsole {
    const guest = this.guest(id);
    if (!guest) throw refuse("unavailable", `guest ${id} does not run`);
    this.hangUp(id);
    const [stream, end] = duplexPair();
    this.lines.set(id, end);
    stream.on("close", () => end.destroy());
    end.on("close", () => {
      if (this.lines.get(id) === end) this.lines.delete(id);
    });
    const shell = new GuestShell(guest);
    let stop = () => {};
    end.on("data", (bytes: Buffer) => {
      stop();
      stop = say(end, shell.type(bytes));
    });
    this.greet(id, end);
    const resize = (columns: number, rows: number) => {
      shell.size = `${rows} ${columns}`;
    };
    return { stream, resize };
  }

  /** The guest is gone, and its line with it. */
  hangUp(id: string): void {
    const end = this.lines.get(id);
    this.lines.delete(id);
    end?.end(() => end.destroy());
  }

  /** The guest boots again: whoever is on the line sees it. */
  reboot(id: string): void {
    const end = this.lines.get(id);
    if (end) this.greet(id, end);
  }

  private greet(id: string, end: Duplex): void {
    const guest = this.guest(id);
    if (!guest) return;
    end.write(bootLines(guest));
    const prompt = () => void end.write(new GuestShell(guest).prompt);
    const timer = this.clock.after(Math.max(0, guest.runsFromMs - this.clock.now()), prompt);
    end.on("close", () => timer.cancel());
  }
}

/** Says it, the endless part as fast as it is read; answers how to stop that. */
function say(end: Duplex, { text, endless }: Reply): () => void {
  let going = endless !== undefined;
  const block = (endless ?? "").repeat(REPEATED);
  const more = () => {
    while (going && !end.destroyed && end.write(block)) {
      // The stream says when it has enough.
    }
  };
  end.write(text);
  more();
  end.on("drain", more);
  return () => {
    going = false;
    end.off("drain", more);
  };
}
