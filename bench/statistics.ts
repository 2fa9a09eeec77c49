// Medians and what lies around them.

export interface Summary {
  readonly median: number;
  /** The quartiles: half of the samples lie between them. */
  readonly q1: number;
  readonly q3: number;
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
    q1: quantile(sorted, 0.25),
    q3: quantile(sorted, 0.75),
    samples: samples.length,
  };
}
