// The packed weights of a recurrent loop.
import { packWeights } from '../src/backend/webgpu/kernels/recurrent/packing.ts';
import { abs } from '../src/expr/arith.ts';
import type { Value } from '../src/graph/value.ts';
import { RecurrentLayout, type LoopAttrs } from '../src/ops/recurrent_schedule.ts';
import { concat, max } from '../src/ops/structure.ts';
import type { WeightPrecision } from '../src/ops/weight_precision.ts';
import { projectionOf, type RunSize } from './recurrent_run.ts';

/** The loop of a run. */
export const loopOf = (size: RunSize, inference = false): LoopAttrs => ({
  cell: size.cell,
  hidden: size.hidden,
  projection: projectionOf(size),
  pseudoLayers: size.pseudoLayers,
  bias: size.bias,
  masked: size.masked,
  wavefront: size.wavefront === true,
  inference,
});

/** The packed matrices, and with int8 the largest magnitudes of their rows. */
export function packed(
  loop: LoopAttrs,
  matrices: readonly Value[],
  backward: boolean,
  precision: WeightPrecision = 'float32',
): Value[] {
  const scales = precision === 'int8' ? [concat(matrices.map((matrix) => max(abs(matrix), 1)))] : [];
  return [packWeights(new RecurrentLayout(loop), backward, precision, matrices, scales), ...scales];
}
