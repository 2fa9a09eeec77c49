// Text tables for plans and profiles: quantities of three digits with SI prefixes, columns as wide as their widest cell.

const PREFIXES = ['n', 'µ', 'm', '', 'k', 'M', 'G', 'T'];

/** A number with three digits and an SI prefix: 1234567 is `1.23 M`, 0.00125 s is `1.25 ms`. */
export function quantity(value: number, unit = ''): string {
  const whole = Number.isInteger(value) && value < 1000;
  // The prefix follows from the rounded number: 999999 is 1.00 M.
  const rounded = whole ? value : Number(value.toPrecision(3));
  const power = whole ? 0 : Math.min(4, Math.max(-3, Math.floor(Math.log10(rounded) / 3)));
  const scaled = rounded / 1000 ** power;
  const text = whole || scaled >= 1000 ? String(scaled) : scaled.toPrecision(3);
  return `${text} ${PREFIXES[power + 3]}${unit}`.trimEnd();
}

/** The cell that names a step: whether it is memoised, its op and its label. */
export function stepName(op: string, label: string, { memoised }: { readonly memoised: boolean }): string {
  return `${memoised ? 'memoised: ' : ''}${label.startsWith(op) ? label : `${op}: ${label}`}`;
}

/** The lines of a table, header first. @param textColumns The number of leading columns that are flush left. */
export function tableLines(rows: readonly (readonly string[])[], textColumns: number): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text: string, column: number): string =>
    column < textColumns ? text.padEnd(widths[column]) : text.padStart(widths[column]);
  return rows.map((row) => row.map(cell).join('  ').trimEnd());
}
