// Makes, of a statement that inserts one row, those that insert several: to run a statement costs
// about as much as to write the values of a row. Knows text only: no table, no engine.

/** Rows that one statement inserts at most. */
export const TOGETHER_MAX = 8;

const ONE_ROW = /VALUES (\([?, ]+\))/;
const made = new Map<string, readonly string[]>();

/** The statement that inserts so many rows, 1 to TOGETHER_MAX; undefined: `text` inserts none. */
export function insertTogether(text: string, rows: number): string | undefined {
  let known = made.get(text);
  if (!known) {
    known = textsOf(text);
    made.set(text, known);
  }
  return known[rows - 1];
}

function textsOf(text: string): readonly string[] {
  const [, row] = ONE_ROW.exec(text) ?? [];
  if (!row) return [];
  return Array.from({ length: TOGETHER_MAX }, (_, more) =>
    text.replace(row, row + `, ${row}`.repeat(more)),
  );
}
