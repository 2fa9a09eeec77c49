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

/** Makes a row of a table. The kinds below are annotated so that bundlers drop the tables of unused functions. */
export const option = /* @__NO_SIDE_EFFECTS__ */ <T>(
  expected: string,
  accepts: (value: unknown) => boolean,
  fallback?: T,
): Option<T> => ({ expected, accepts, fallback: fallback as T });

type Kind<T> = (fallback?: T) => Option<T>;

export const optional = /* @__NO_SIDE_EFFECTS__ */ <T>({
  expected,
  accepts,
}: Option<T>): Option<T | undefined> => option(expected, (value) => value === undefined || accepts(value));

/** An option that is checked elsewhere, together with other values. */
export const unchecked = /* @__NO_SIDE_EFFECTS__ */ <T>(fallback?: T): Option<T> =>
  option('', () => true, fallback);

export const oneOf = /* @__NO_SIDE_EFFECTS__ */ <const T>(values: readonly T[], fallback?: T): Option<T> =>
  option(
    `${values.slice(0, -1).map(show).join(', ')} or ${show(values.at(-1))}`,
    (value) => (values as readonly unknown[]).includes(value),
    fallback,
  );

export const flag: Kind<boolean> = /* @__NO_SIDE_EFFECTS__ */ (fallback) => oneOf([true, false], fallback);

/** An object with these methods. A function is refused: a class is often given in place of its instance. */
export const withMethods = /* @__NO_SIDE_EFFECTS__ */ <T>(
  expected: string,
  ...methods: (keyof T)[]
): Option<T> =>
  option(
    expected,
    (value) =>
      typeof value === 'object' &&
      methods.every((method) => typeof (value as Partial<T> | null)?.[method] === 'function'),
  );

export const wholeNumber = /* @__NO_SIDE_EFFECTS__ */ (least: number, fallback?: number): Option<number> =>
  option(`a whole number of at least ${least}`, (n) => Number.isInteger(n) && Number(n) >= least, fallback);

/** A number of elements: 1 or more. */
export const size: Kind<number> = /* @__NO_SIDE_EFFECTS__ */ (fallback) => wholeNumber(1, fallback);

export const seed: Kind<number> = /* @__NO_SIDE_EFFECTS__ */ (fallback) =>
  option('a whole number from 0 to 2^53 - 1', (n) => Number.isSafeInteger(n) && Number(n) >= 0, fallback);

export const probability: Kind<number> = /* @__NO_SIDE_EFFECTS__ */ (fallback) =>
  option('a number from 0 to 1', (n) => isFloat32(n) && n >= 0 && n <= 1, fallback);

export const positive: Kind<number> = /* @__NO_SIDE_EFFECTS__ */ (fallback) =>
  option('a number above 0 and finite in float32', (n) => isFloat32(n) && n > 0, fallback);

export const nonNegative: Kind<number> = /* @__NO_SIDE_EFFECTS__ */ (fallback) =>
  option('a number of at least 0 and finite in float32', (n) => isFloat32(n) && n >= 0, fallback);

/** Whether a value is a number that float32 holds without overflow. */
export const isFloat32 = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(Math.fround(value));

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

/** The value of one option, or its default if undefined. @throws GatewiseError `argument` if the option does not accept it. */
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

/**
 * Checks the names of options.
 * @throws GatewiseError `argument` if `options` is no object, `unsupported` for an option whose name is not in `names`.
 */
export function checkOptions(
  what: string,
  options: unknown,
  names: readonly string[],
): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new GatewiseError(
      'argument',
      `${what}: expected options { ${names.join(', ')} }, got ${show(options)}`,
    );
  const unknown = Object.keys(options).find((key) => !names.includes(key));
  if (unknown !== undefined)
    throw new GatewiseError(
      'unsupported',
      `${what}: option ${show(unknown)} is unknown; expected ${names.join(', ')}`,
    );
}
