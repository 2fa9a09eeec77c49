// A sample of an op: a small graph, its inputs and their data.
import { Random } from '../../src/core/random.ts';
import type { Shape } from '../../src/core/shape.ts';
import type { Value } from '../../src/graph/value.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';

export type InputSpec =
  | { readonly dtype: 'f32'; readonly shape: Shape; readonly low: number; readonly high: number }
  | { readonly dtype: 'i32'; readonly shape: Shape; readonly limit: number };

/** Numbers drawn uniformly from low to high. */
export const f32 = (shape: Shape, low = -1, high = 1): InputSpec => ({ dtype: 'f32', shape, low, high });
/** Indices from 0 to limit - 1. */
export const i32 = (shape: Shape, limit: number): InputSpec => ({ dtype: 'i32', shape, limit });

export interface Sample {
  /** Unique among the samples of an op. It seeds the data. */
  readonly name: string;
  readonly inputs: readonly InputSpec[];
  readonly build: (...values: Value[]) => Value | readonly Value[];
  /** It rounds weights, so it is piecewise constant in them and has no finite differences. */
  readonly rounds?: boolean;
}

/** What a file in `samples/` exports: the samples of one op. */
export interface OpSamples {
  readonly samples: readonly Sample[];
  /** Samples too large or too steep for finite differences: only conformance tests run them. */
  readonly deviceSamples?: readonly Sample[];
  /** Samples for the variants that load their weights once per launch. */
  readonly persistentSamples?: readonly Sample[];
}

export const sample = (name: string, inputs: readonly InputSpec[], build: Sample['build']): Sample => ({
  name,
  inputs,
  build,
});

/** A sample that rounds weights. */
export const roundingSample = (
  name: string,
  inputs: readonly InputSpec[],
  build: Sample['build'],
): Sample => ({ name, inputs, build, rounds: true });

/** The numbers of each input, the same on every run. */
export function dataOf({ name, inputs }: Sample): (Float64Array | Int32Array)[] {
  const seed = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return inputs.map((input, i) => {
    const random = new Random(seed, i);
    const size = input.shape.reduce((a, b) => a * b, 1);
    return input.dtype === 'i32'
      ? Int32Array.from({ length: size }, () => random.integer(input.limit))
      : Float64Array.from({ length: size }, () => random.uniform(input.low, input.high));
  });
}

export function tensorsOf(runtime: Runtime, sample: Sample): Tensor[] {
  const data = dataOf(sample);
  return sample.inputs.map(({ shape }, i) => runtime.tensor(data[i], { shape }));
}

export function outputsOf({ build }: Sample, values: readonly Value[]): readonly Value[] {
  const built = build(...values);
  return Array.isArray(built) ? (built as readonly Value[]) : [built as Value];
}
