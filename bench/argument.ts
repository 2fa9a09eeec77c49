import { InvalidArgumentError } from 'commander';

/** Parses an option's value; its errors become commander's own kind, which names the option. */
export function argument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}

/** As `argument`, of an option that takes several values. */
export function eachArgument<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[]) => readonly T[] {
  return (text, before) => [...before, argument(parse)(text)];
}
