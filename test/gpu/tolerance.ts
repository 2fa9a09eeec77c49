// The tolerance of results against the reference.
import type { NumberArray } from '../../src/core/shape.ts';
import { nodesOf, Value, type Tolerance } from '../../src/graph/value.ts';
import { outputsOf, type Sample } from './sample.ts';

/** The largest error relative to the tolerance: at most 1 passes. */
export function worst(got: NumberArray, expected: NumberArray, { absolute, relative }: Tolerance): number {
  let scale = 1;
  for (const x of expected) scale = Math.max(scale, Math.abs(x));
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(got[i] - expected[i]);
    if (error === 0) continue;
    const share = error / (absolute * scale + relative * Math.abs(expected[i]));
    if (!(share <= most)) most = Number.isNaN(share) ? Infinity : share;
  }
  return most;
}

/** The widest tolerance of the sample's ops, since errors pass from op to op. */
export function toleranceOf(sample: Sample): Tolerance {
  const values = sample.inputs.map((input) => new Value(input));
  const used = nodesOf(outputsOf(sample, values)).map(({ op }) => op.tolerance);
  return {
    absolute: Math.max(0, ...used.map(({ absolute }) => absolute)),
    relative: Math.max(0, ...used.map(({ relative }) => relative)),
  };
}
