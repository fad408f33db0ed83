// Padded columns for people. It knows nothing of what stands in the cells.

/** How a cell is tinted. */
export type Tint = (text: string) => string;

export interface Column<T> {
  readonly title: string;
  /** The cell's text; empty text is shown as `-`. */
  readonly cell: (item: T) => string;
  /** True for words about a state, which may be tinted. */
  readonly state?: true;
}

export interface TableStyle {
  /** Longest line in characters; absent for no limit. */
  readonly width?: number;
  /** Tints state words and titles; absent for plain text. */
  readonly tint?: { readonly title: Tint; readonly state: Tint };
}

const GAP = "   ";
const NOTHING = "-";

/** The table as lines; only a title line when there are no items. */
export function tableLines<T>(
  columns: readonly Column<T>[],
  items: readonly T[],
  style: TableStyle = {},
): string[] {
  const titles = columns.map(({ title }) => title);
  const rows = items.map((item) => columns.map(({ cell }) => oneLine(cell(item)) || NOTHING));
  const widths = titles.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[], tintOf: (column: number) => Tint | undefined) => {
    const fitted = fit(pad(cells, widths), style.width);
    return fitted
      .map((cell, i) => tinted(cell, tintOf(i)))
      .join(GAP)
      .trimEnd();
  };
  return [
    line(titles, () => style.tint?.title),
    ...rows.map((row) => line(row, (i) => (columns[i]?.state ? style.tint?.state : undefined))),
  ];
}

/** One object as `title  value` lines. */
export function recordLines<T>(
  columns: readonly Column<T>[],
  item: T,
  style: TableStyle = {},
): string[] {
  const width = Math.max(...columns.map(({ title }) => title.length));
  return columns.map(({ title, cell, state }) => {
    const [first = NOTHING, ...rest] = (cell(item) || NOTHING).split("\n");
    const head = tinted(title.padEnd(width), style.tint?.title);
    const value = tinted(first, state && style.tint?.state);
    return [`${head}${GAP}${value}`, ...rest.map((more) => `${" ".repeat(width)}${GAP}${more}`)]
      .map((text) => text.trimEnd())
      .join("\n");
  });
}

function pad(cells: readonly string[], widths: readonly number[]): string[] {
  return cells.map((cell, i) => cell.padEnd(widths[i] ?? 0));
}

// Cuts what does not fit at the right edge, so that a row stays one line on a terminal.
function fit(cells: readonly string[], width = Number.POSITIVE_INFINITY): string[] {
  let left = width;
  return cells.flatMap((cell) => {
    const room = left;
    left -= cell.length + GAP.length;
    const text = cell.trimEnd();
    if (room <= 0) return [];
    return text.length > room ? [`${text.slice(0, Math.max(0, room - 1))}…`] : [cell];
  });
}

// Tints the text, not the padding behind it.
function tinted(cell: string, tint: Tint | undefined): string {
  const text = cell.trimEnd();
  return tint ? `${tint(text)}${cell.slice(text.length)}` : cell;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, "; ");
}
