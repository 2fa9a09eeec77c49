// What is said of options that are none: each function that takes some names the caller, the option and what came.
import { GatewiseError, show } from './errors.ts';

/** Throws where an option is not one of `known`: a misspelt option must not be ignored. */
export function checkOptions(
  layer: string,
  options: unknown,
  known: readonly string[],
): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new GatewiseError(
      'argument',
      `${layer}: expected options { ${known.join(', ')} }, got ${show(options)}`,
    );
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new GatewiseError(
      'unsupported',
      `${layer}: option ${show(unknown)} is unknown; expected ${known.join(', ')}`,
    );
}

/** Throws unless an option is true or false. */
export function checkFlag(what: string, option: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean')
    throw new GatewiseError('argument', `${what}: ${option} must be true or false, got ${show(value)}`);
}
