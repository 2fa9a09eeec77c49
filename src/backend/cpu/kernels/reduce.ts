// Reductions with float64 accumulation.
import { walk } from '../../../core/view.ts';
import { evaluator } from '../../../expr/evaluate.ts';
import { inputName } from '../../../expr/expr.ts';
import { reduceOp, splitAxes } from '../../../ops/structure.ts';
import { ANY_EXPRESSION, defineKernel } from './kernel.ts';

export const reduce = defineKernel(reduceOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  expression: ANY_EXPRESSION,
  run: ({ kind, axes, prologue }, inputs, [out]) => {
    const evaluate = evaluator(
      [prologue],
      inputs.map((_, i) => inputName(i)),
    );
    const values = new Float64Array(inputs.length);
    const result = new Float64Array(1);
    const views = inputs.map(({ view }) => splitAxes(view, axes));
    walk([out.view, ...views.map(({ kept }) => kept)], ([target, ...bases]) => {
      let total = kind === 'max' ? -Infinity : 0;
      walk(
        views.map(({ reduced }) => reduced),
        (offsets) => {
          inputs.forEach(({ data }, i) => (values[i] = data[bases[i] + offsets[i]]));
          evaluate(values, result);
          total = kind === 'max' ? Math.max(total, result[0]) : total + result[0];
        },
      );
      out.data[target] = total;
    });
  },
});
