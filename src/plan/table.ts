// Formats plans and profiles as text: quantities with three digits, columns as wide as their content.

const PREFIXES = ['n', 'µ', 'm', '', 'k', 'M', 'G', 'T'];

/** 1234567 as `1.23 M`, 0.00125 s as `1.25 ms`. */
export function quantity(value: number, unit = ''): string {
  const whole = Number.isInteger(value) && value < 1000;
  // Rounds first, as printed: 999999 is 1.00 M.
  const rounded = whole ? value : Number(value.toPrecision(3));
  const power = whole ? 0 : Math.min(4, Math.max(-3, Math.floor(Math.log10(rounded) / 3)));
  const scaled = rounded / 1000 ** power;
  const text = whole || scaled >= 1000 ? String(scaled) : scaled.toPrecision(3);
  return `${text} ${PREFIXES[power + 3]}${unit}`.trimEnd();
}

/** A step's printed label, with a mark for memoised and prefetchable steps. */
export function stepName(
  op: string,
  label: string,
  { memoised, prefetchable }: { readonly memoised: boolean; readonly prefetchable: boolean },
): string {
  return `${memoised ? 'memoised: ' : prefetchable ? 'prefetchable: ' : ''}${label.startsWith(op) ? label : `${op}: ${label}`}`;
}

/** Lines of a table; the first row is the header. @param words Number of leading text columns; the others are numeric. */
export function tableLines(rows: readonly (readonly string[])[], words: number): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text: string, column: number): string =>
    column < words ? text.padEnd(widths[column]) : text.padStart(widths[column]);
  return rows.map((row) => row.map(cell).join('  ').trimEnd());
}
