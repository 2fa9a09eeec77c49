// The parts of a net that its streams and trainers use.
import type { Layer } from '../nn/layer.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import type { ParameterLayout } from './parameters.ts';
import type { Memory, ProgramCache } from './program.ts';
import type { Tensor } from './tensor.ts';

export interface NetContext {
  readonly runtime: Memory;
  readonly model: Layer;
  readonly layout: ParameterLayout;
  /** The precision to which weight matrices are rounded in products. */
  readonly precision: WeightPrecision;
  /** All parameters, flat. */
  readonly weights: Tensor;
  readonly programs: ProgramCache;
  /** Streams and trainers that are disposed of with the net. */
  readonly dependents: Set<Disposable>;
}
