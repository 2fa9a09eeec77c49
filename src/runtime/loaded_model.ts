// A model whose parameters are on a backend.
import type { Layer } from '../nn/layer.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import type { ParameterLayout } from './parameters.ts';
import type { Memory } from './specialization.ts';

export interface LoadedModel {
  readonly runtime: Memory;
  readonly model: Layer;
  readonly layout: ParameterLayout;
  /** The precision to which weight matrices are rounded in products. */
  readonly precision: WeightPrecision;
}
