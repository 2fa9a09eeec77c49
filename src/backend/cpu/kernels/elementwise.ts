// Elementwise expressions, interpreted in float64.
import { walk } from '../../../core/view.ts';
import { evaluator } from '../../../expr/evaluate.ts';
import { inputName } from '../../../expr/expr.ts';
import { elementwiseOp } from '../../../ops/elementwise.ts';
import { ANY_EXPRESSION, defineKernel } from './kernel.ts';

export const elementwise = defineKernel(elementwiseOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  expression: ANY_EXPRESSION,
  run: ({ exprs }, inputs, outputs) => {
    const evaluate = evaluator(
      exprs,
      inputs.map((_, i) => inputName(i)),
    );
    const values = new Float64Array(inputs.length);
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
