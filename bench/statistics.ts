// Medians and spreads of samples.

export interface Summary {
  /** Of several passes, the median of their medians. */
  readonly median: number;
  /** The smallest and the largest sample of all passes. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new Error('summarize: no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  const last = sorted.length - 1;
  const median = (sorted[Math.floor(last / 2)] + sorted[Math.ceil(last / 2)]) / 2;
  return { median, low: sorted[0], high: sorted[last], samples: samples.length };
}

export const medianOf = (values: readonly number[]): number => summarize(values).median;

/** Several passes as one summary, whose spread covers all of them. */
export const together = (passes: readonly Summary[]): Summary => ({
  median: medianOf(passes.map(({ median }) => median)),
  low: Math.min(...passes.map(({ low }) => low)),
  high: Math.max(...passes.map(({ high }) => high)),
  samples: passes.reduce((sum, { samples }) => sum + samples, 0),
});

/** Whether the spreads overlap, or one is a single sample: then neither is known to be less. */
export const isTied = (one: Summary, other: Summary): boolean =>
  (one.low <= other.high && other.low <= one.high) || one.samples < 2 || other.samples < 2;
