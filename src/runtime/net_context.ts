// What a stream and a trainer see of a net.
import type { Layer } from '../nn/layer.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import type { ParameterLayout } from './parameters.ts';
import type { Memory, ProgramCache } from './program.ts';
import type { Tensor } from './tensor.ts';

export interface NetContext {
  readonly runtime: Memory;
  readonly model: Layer;
  readonly layout: ParameterLayout;
  /** What weight matrices are rounded to where they are multiplied by. */
  readonly precision: WeightPrecision;
  /** All parameters, flat. */
  readonly weights: Tensor;
  readonly programs: ProgramCache;
  /** Streams and trainers that are disposed of with the net. */
  readonly dependents: Set<Disposable>;
}
