// One measured figure, the goal it is held against, and how both are shown. Knows no measurement.

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the design wants, e.g. at least 0.8 or at most 60; undefined: shown only. */
  readonly goal?: Goal;
  /** Whether the gate holds, which stands at half of the goal: machines differ, and are shared. */
  readonly ok: boolean;
  /** What else is worth knowing, for people. */
  readonly note: string;
}

export interface Goal {
  readonly kind: "least" | "most";
  readonly of: number;
}

export function least(of: number): Goal {
  return { kind: "least", of };
}

export function most(of: number): Goal {
  return { kind: "most", of };
}

const GATE = 2;

/** A figure held against its goal; without one it is always in order. */
export function figure(
  name: string,
  { value, unit, goal, note = "" }: { value: number; unit: string; goal?: Goal; note?: string },
): Figure {
  return { name, value, unit, ...(goal && { goal }), ok: holds(value, goal), note };
}

function holds(value: number, goal: Goal | undefined): boolean {
  if (!goal) return true;
  return goal.kind === "least" ? value >= goal.of / GATE : value <= goal.of * GATE;
}

/** One line for people: the figure, its goal, and whether goal and gate hold. */
export function lineOf({ name, value, unit, goal, ok, note }: Figure): string {
  const wanted = goal ? `goal ${goal.kind === "least" ? "≥" : "≤"} ${goal.of}` : "";
  const met = goal && (goal.kind === "least" ? value >= goal.of : value <= goal.of);
  const verdict = goal ? (met ? "goal met" : ok ? "gate met" : "MISSED") : "";
  return [name.padEnd(46), `${rounded(value)} ${unit}`.padEnd(22), wanted.padEnd(14), verdict, note]
    .join(" ")
    .trimEnd();
}

/** The figures as the last line of a run says them. */
export function objectOf(figures: readonly Figure[]) {
  return {
    figures: figures.map(({ name, value, unit, goal, ok }) => ({
      name,
      value: Number(rounded(value)),
      unit,
      goal: goal ? `${goal.kind === "least" ? ">=" : "<="} ${goal.of}` : null,
      ok,
    })),
  };
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const mid = sorted.length / 2;
  const [low = 0, high = 0] = [sorted[Math.ceil(mid) - 1], sorted[Math.floor(mid)]];
  return (low + high) / 2;
}

/** The value that `share` (0 to 1) of all values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
