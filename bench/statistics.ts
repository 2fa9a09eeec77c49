// Medians and what lies around them.

export interface Summary {
  /** Of several passes, the median of theirs. */
  readonly median: number;
  /** The least and the greatest sample, of all passes. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

/** The middle one, or the mean of the middle two. */
function middle(sorted: readonly number[]): number {
  const last = sorted.length - 1;
  return (sorted[Math.floor(last / 2)] + sorted[Math.ceil(last / 2)]) / 2;
}

export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new Error('summarize: no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    median: middle(sorted),
    low: sorted[0],
    high: sorted[sorted.length - 1],
    samples: samples.length,
  };
}

export function medianOf(values: readonly number[]): number {
  return summarize(values).median;
}

/** What passes say together: their spread is that within them and that between them. */
export function together(passes: readonly Summary[]): Summary {
  return {
    median: medianOf(passes.map(({ median }) => median)),
    low: Math.min(...passes.map(({ low }) => low)),
    high: Math.max(...passes.map(({ high }) => high)),
    samples: passes.reduce((sum, { samples }) => sum + samples, 0),
  };
}

/** Whether their spreads meet, or one is a single sample, which has none: then nothing says which of them is less. */
export const isTied = (one: Summary, other: Summary): boolean =>
  (one.low <= other.high && other.low <= one.high) || one.samples < 2 || other.samples < 2;
