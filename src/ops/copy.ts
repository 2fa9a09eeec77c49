// Copies of whole numbers, which the plan makes where a view does not do. Those of floats are elementwise expressions.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { walk } from '../core/view.ts';
import { bindWhole, dispatch } from '../graph/launch.ts';
import { defineOp, type Op } from '../graph/value.ts';
import { copy as kernel } from '../../shaders/gen/copy.ts';
import { four, gridFor, launchesOf, operandUniform } from './wgsl_expression.ts';

export const copyOp: Op<Record<never, never>> = /* @__PURE__ */ defineOp({
  name: 'copy',
  summary: 'whole numbers (i32) laid out another way; the plan puts it where a view does not do',
  infer: (_, [x]) => {
    if (x.dtype !== 'i32') throw new GatewiseError('dtype', `copy: expected i32, got ${x.dtype}`);
    return [x];
  },
  readsStrided: () => true,
  writesStrided: true,
  cpu: (_, [source], [out]) =>
    walk([source.view, out.view], ([from, to]) => {
      out.data[to] = source.data[from];
    }),
  gpu: ({ inputs: [source], outputs: [out] }) => {
    const launches = launchesOf([source.view, out.view]);
    const { shape } = launches[0][0];
    const size = sizeOf(shape);
    return [
      dispatch(kernel, {
        bindings: { source: bindWhole(source), out: bindWhole(out) },
        uniforms: launches.map(([from, to]) => ({
          dims: four(shape, 1),
          size,
          source: operandUniform(from),
          out: operandUniform(to),
        })),
        workgroups: gridFor(size, 64),
      }),
    ];
  },
  // None flows through whole numbers.
  grad: () => [undefined],
  tolerance: { absolute: 0, relative: 0 },
});
