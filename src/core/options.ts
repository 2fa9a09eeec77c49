// Options as tables: for each option the values it accepts and its default. Errors, defaults and types follow from the table.
import { GatewiseError, show } from './errors.ts';

/** One option of a table. */
export interface Option<T> {
  /** Completes the error "NAME must be …". */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  /** The value of an option that is absent or undefined. It is checked too, so an option without a default is required. */
  readonly fallback: T;
}

/** A table with a row for each property of the options `Given`. */
type TableOf<Given> = { readonly [Name in keyof Given]-?: Option<Given[Name] | undefined> };

/** The options of a table with all defaults filled in. */
export type Complete<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/* @__NO_SIDE_EFFECTS__ */
export function option<T>(expected: string, accepts: (value: unknown) => boolean, fallback?: T): Option<T> {
  return { expected, accepts, fallback: fallback as T };
}

/* @__NO_SIDE_EFFECTS__ */
export function optional<T>({ expected, accepts }: Option<T>): Option<T | undefined> {
  return option(expected, (value) => value === undefined || accepts(value));
}

/** An option that is checked elsewhere, together with other values. */
/* @__NO_SIDE_EFFECTS__ */
export function unchecked<T>(fallback?: T): Option<T> {
  return option('', () => true, fallback);
}

/* @__NO_SIDE_EFFECTS__ */
export function oneOf<const T>(values: readonly T[], fallback?: T): Option<T> {
  const shown = values.map(show);
  const expected = `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`;
  return option(expected, (value) => (values as readonly unknown[]).includes(value), fallback);
}

/* @__NO_SIDE_EFFECTS__ */
export function flag(fallback?: boolean): Option<boolean> {
  return oneOf([true, false], fallback);
}

/* @__NO_SIDE_EFFECTS__ */
export function wholeNumber(least: number, fallback?: number): Option<number> {
  return number(
    `a whole number of at least ${least}`,
    (value) => Number.isInteger(value) && value >= least,
    fallback,
  );
}

/** A number of elements: 1 or more. */
/* @__NO_SIDE_EFFECTS__ */
export function size(fallback?: number): Option<number> {
  return wholeNumber(1, fallback);
}

/* @__NO_SIDE_EFFECTS__ */
export function seed(fallback?: number): Option<number> {
  const isSeed = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  return number('a whole number from 0 to 2^53 - 1', isSeed, fallback);
}

/* @__NO_SIDE_EFFECTS__ */
export function probability(fallback?: number): Option<number> {
  return number('a number from 0 to 1', (value) => value >= 0 && value <= 1, fallback);
}

/* @__NO_SIDE_EFFECTS__ */
export function positive(fallback?: number): Option<number> {
  return number('a number above 0 and finite in float32', (value) => value > 0 && isFloat32(value), fallback);
}

/* @__NO_SIDE_EFFECTS__ */
export function nonNegative(fallback?: number): Option<number> {
  return number(
    'a number of at least 0 and finite in float32',
    (value) => value >= 0 && isFloat32(value),
    fallback,
  );
}

/* @__NO_SIDE_EFFECTS__ */
function number(
  expected: string,
  accepts: (value: number) => boolean,
  fallback: number | undefined,
): Option<number> {
  return option(expected, (value) => typeof value === 'number' && accepts(value), fallback);
}

/** Whether a float32 holds the number without overflow. NaN is no such number. */
export function isFloat32(value: number): boolean {
  return Number.isFinite(Math.fround(value));
}

/**
 * Checks options against their table and fills in the defaults.
 * @param what The caller, for errors.
 * @param others Further options that the caller checks itself; they are left out of the result.
 * @throws GatewiseError `unsupported` for an unknown option, `argument` for a value that its option does not accept.
 */
export function readOptions<Given extends object, Table extends TableOf<Given>>(
  what: string,
  table: Table,
  given: Given,
  others: readonly string[] = [],
): Complete<Table> {
  checkOptions(what, given, [...Object.keys(table), ...others]);
  return Object.fromEntries(
    Object.entries<Option<unknown>>(table).map(([name, row]) => [
      name,
      readOption(what, name, row, (given as Readonly<Record<string, unknown>>)[name]),
    ]),
  ) as Complete<Table>;
}

/** One value as of an option: its default where it is undefined. @throws GatewiseError `argument` unless accepted. */
export function readOption<T>(
  what: string,
  name: string,
  { expected, accepts, fallback }: Option<T>,
  value: unknown = fallback,
): T {
  if (!accepts(value))
    throw new GatewiseError('argument', `${what}: ${name} must be ${expected}, got ${show(value)}`);
  return value as T;
}

/** Throws for options that are no object, and for an option that is not one of `known`. */
export function checkOptions(
  what: string,
  options: unknown,
  known: readonly string[],
): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new GatewiseError(
      'argument',
      `${what}: expected options { ${known.join(', ')} }, got ${show(options)}`,
    );
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new GatewiseError(
      'unsupported',
      `${what}: option ${show(unknown)} is unknown; expected ${known.join(', ')}`,
    );
}
