// The kernels of the float32 backend: a matrix product and elementwise expressions in single precision.
import { walk } from '../../src/core/view.ts';
import { evaluator } from '../../src/expr/evaluate.ts';
import { inputName } from '../../src/expr/expr.ts';
import { defineKernel } from '../../src/backend/cpu/kernels/kernel.ts';
import { elementwiseOp } from '../../src/ops/elementwise.ts';
import { matmulOp } from '../../src/ops/matmul.ts';

/** a (M, K) · b (K, N), summed in float32. It takes no epilogue, so the planner makes a step of one. */
export const matmul = defineKernel(matmulOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  run: (_, [a, b], [out]) => {
    const [m, k] = a.view.shape;
    const [, n] = b.view.shape;
    const at = ({ view: { offset, strides } }: typeof a, row: number, column: number): number =>
      offset + row * strides[0] + column * strides[1];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) sum = Math.fround(sum + a.data[at(a, i, l)] * b.data[at(b, l, j)]);
        out.data[at(out, i, j)] = sum;
      }
    }
  },
});

/** One expression of up to three inputs; the planner does not fuse larger ones. */
export const elementwise = defineKernel(elementwiseOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  expression: { inputs: 3, outputs: 1, buffers: 4, canAddress: () => true },
  run: ({ exprs }, inputs, outputs) => {
    const evaluate = evaluator(
      exprs,
      inputs.map((_, i) => inputName(i)),
    );
    const values = new Float32Array(inputs.length);
    const results = new Float64Array(exprs.length);
    walk(
      [...outputs, ...inputs].map(({ view }) => view),
      (at) => {
        inputs.forEach(({ data }, i) => (values[i] = data[at[outputs.length + i]]));
        evaluate(values, results);
        outputs.forEach(({ data }, i) => (data[at[i]] = results[i]));
      },
    );
  },
});
