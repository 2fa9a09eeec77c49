// Which variant of a step is fastest on an adapter: what is known of it, what to measure, and what to conclude.

/** Which variant to take for which kind of step, by `op:kind`. */
export type Choices = Readonly<Record<string, string>>;

/** What was found fastest, by adapter and by kind of step: plain data, which JSON keeps. */
export type Tuning = Readonly<Record<string, Choices>>;

/** A kind of step that was tuned. */
export interface TunedKind {
  /** The op, rough sizes, and what else counts, such as `matmul:512x256x1024:kn`. */
  readonly kind: string;
  /** The variant that is taken from now on. */
  readonly variant: string;
  /** What a step of that kind takes in each variant; of one that was soon seen to be far slower, from one run. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** A default is left only for what takes less than this share of its time: less may be noise. */
const CLEARLY = 0.95;

/** The variant to take. @param names the default first. */
export function fastestOf(
  names: readonly [string, ...string[]],
  seconds: Readonly<Record<string, number>>,
): string {
  const best = names.reduce((a, b) => (seconds[b] < seconds[a] ? b : a));
  return seconds[best] < CLEARLY * seconds[names[0]] ? best : names[0];
}

/** What text holds of a tuning: nothing where it is something else, since a measurement can be made again. */
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
      const named = Object.entries(choices).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      );
      return [[adapter, Object.fromEntries(named)]];
    }),
  );
}
