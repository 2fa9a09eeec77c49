// The fusion limits of CPU kernels that evaluate expressions.
import type { ExpressionLimits } from '../../../plan/target.ts';

/** The interpreter evaluates any expression over any number of strided tensors. */
export const ANY_EXPRESSION: ExpressionLimits = {
  inputs: Infinity,
  outputs: Infinity,
  buffers: Infinity,
  canAddress: () => true,
};
