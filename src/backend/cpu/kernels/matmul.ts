// The matrix product by plain loops, with float64 accumulation.
import { transposeView, walk } from '../../../core/view.ts';
import { evaluator } from '../../../expr/evaluate.ts';
import { inputName } from '../../../expr/expr.ts';
import { matmulOp, matmulOperands, PRODUCT, type MatmulAttrs } from '../../../ops/matmul.ts';
import { roundedMatrix } from './fake_quantize.ts';
import { defineKernel, type Operand } from './kernel.ts';

export const matmul = defineKernel(matmulOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  epilogueInputs: () => Infinity,
  run: (attrs, inputs, [out]) => {
    const { a, b: weights, extras } = matmulOperands(attrs, inputs);
    const b = attrs.packed === undefined ? weights : unpacked(attrs.packed, weights);
    const [m, k] = a.view.shape;
    const n = b.view.shape[1];
    const [aRow, aColumn] = a.view.strides;
    const [bRow, bColumn] = b.view.strides;
    const product = new Float64Array(m * n);
    const row = new Float64Array(n);
    for (let i = 0; i < m; i++) {
      row.fill(0);
      for (let l = 0; l < k; l++) {
        const factor = a.data[a.view.offset + i * aRow + l * aColumn];
        let at = b.view.offset + l * bRow;
        for (let j = 0; j < n; j++, at += bColumn) row[j] += factor * b.data[at];
      }
      product.set(row, i * n);
    }
    const evaluate = evaluator(
      [attrs.epilogue],
      [PRODUCT, ...extras.map((_, i) => inputName(inputs.length - extras.length + i))],
    );
    const values = new Float64Array(1 + extras.length);
    const result = new Float64Array(1);
    let next = 0;
    walk([out.view, ...extras.map(({ view }) => view)], (at) => {
      values[0] = product[next++];
      extras.forEach(({ data }, i) => (values[i + 1] = data[at[i + 1]]));
      evaluate(values, result);
      out.data[at[0]] = result[0];
    });
  },
});

/** b for a product with packed weights. It is rounded from the original weights, so that check mode tests the packing. */
function unpacked({ precision, transposed }: NonNullable<MatmulAttrs['packed']>, weights: Operand): Operand {
  const { data, view } = roundedMatrix(precision, weights);
  return { data, view: transposed ? transposeView(view, [1, 0]) : view };
}
