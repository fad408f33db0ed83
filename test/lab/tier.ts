// What a tier of the lab is, and how it tells what it proved. Knows no tier.

/** How a tier tells what it does. */
export interface Report {
  /** One thing that must be true, as a sentence; `look` throws when it is not. */
  proof(sentence: string, look: () => Promise<unknown>): Promise<void>;
  /** What is going on, for people who wait. */
  note(line: string): void;
}

export interface Tier {
  readonly name: string;
  /** One line: what it shows. */
  readonly about: string;
  /** Brings what it needs; answers why it cannot run here, undefined when it can. */
  needs(note: Report["note"]): Promise<string | undefined>;
  /** Throws at the first proof that fails, and leaves nothing behind. */
  run(report: Report): Promise<void>;
}
