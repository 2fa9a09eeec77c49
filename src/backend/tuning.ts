// Tuned choices of variants: the rule that makes a choice from measured times, and their JSON. Steps of one kind (op, size class,
// layout of the operands) share a choice.

/** The chosen variant of each kind of step, by `op:kind`. */
export type Choices = Readonly<Record<string, string>>;

/** The choices for each adapter, as plain data that JSON preserves. */
export type Tuning = Readonly<Record<string, Choices>>;

/** The result of tuning one kind of step. */
export interface TunedKind {
  /** The op, the size class and the layout of the operands, such as `matmul:512x256x1024:kn`. */
  readonly kind: string;
  /** The chosen variant. */
  readonly variant: string;
  /** The time of a step in each variant. A variant that is far slower than another is measured once, roughly. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Another variant replaces the default only if it takes less than this share of its time; smaller gains may be noise. */
const MAX_TIME_RATIO = 0.95;

/** The variant to choose. @param names The variants, the default first. */
export function fastestOf(
  names: readonly [string, ...string[]],
  seconds: Readonly<Record<string, number>>,
): string {
  const best = names.reduce((a, b) => (seconds[b] < seconds[a] ? b : a));
  return seconds[best] < MAX_TIME_RATIO * seconds[names[0]] ? best : names[0];
}

/** Reads a tuning from JSON. Anything else in the text is ignored, since a measurement can be repeated. */
export function parseTuning(text: string | null): Tuning {
  const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  let data: unknown;
  try {
    data = JSON.parse(text ?? '{}');
  } catch {
    return {};
  }
  if (!isRecord(data)) return {};
  return Object.fromEntries(
    Object.entries(data).flatMap(([adapter, choices]) => {
      if (!isRecord(choices)) return [];
      const valid = Object.entries(choices).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      );
      return [[adapter, Object.fromEntries(valid)]];
    }),
  );
}
