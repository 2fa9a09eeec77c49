// Medians and what lies around them.

export interface Summary {
  /** Of several passes, the median of theirs. */
  readonly median: number;
  /** The quartiles: half of the samples lie between them. Of several passes, the least and the greatest of theirs. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

/** The value below which a part of the samples lies, between neighbours in proportion. */
function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = Math.floor(at);
  const above = Math.ceil(at);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new Error('summarize: no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
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
