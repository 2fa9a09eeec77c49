// Chooses the fastest variant per kind of step on an adapter: stores measurements, and derives choices from them.

/** The chosen variant per kind of step, keyed by `op:kind`. */
export type Choices = Readonly<Record<string, string>>;

/** The fastest variants, by adapter and kind of step: plain data that can be stored as JSON. */
export type Tuning = Readonly<Record<string, Choices>>;

/** A kind of step that was tuned. */
export interface TunedKind {
  /** The op, rough sizes and other properties, such as `matmul:512x256x1024:kn`. */
  readonly kind: string;
  /** The variant that later plans use. */
  readonly variant: string;
  /** Seconds per step in each variant; a variant that was clearly slower is measured by one run. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Another variant replaces the default only if it takes less than this share of its time; smaller gains may be noise. */
const CLEARLY = 0.95;

/** The variant to use. @param names Variants, the default first. */
export function fastestOf(
  names: readonly [string, ...string[]],
  seconds: Readonly<Record<string, number>>,
): string {
  const best = names.reduce((a, b) => (seconds[b] < seconds[a] ? b : a));
  return seconds[best] < CLEARLY * seconds[names[0]] ? best : names[0];
}

/** Parses a stored tuning; empty if the text is invalid, since measurements can be repeated. */
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
