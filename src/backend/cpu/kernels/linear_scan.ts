// The reference of the linear scan and of its gradient: plain loops, column by column, with the state in float64.
import type { View } from '../../../core/view.ts';
import { evaluator } from '../../../expr/evaluate.ts';
import { inputName } from '../../../expr/expr.ts';
import {
  D_A,
  D_B,
  type LinearScanAttrs,
  linearScanBackwardOp,
  linearScanOp,
  maskView,
  scanOperands,
  slotGradients,
  slotViews,
  stateView,
} from '../../../ops/linear_scan.ts';
import { defineKernel, type Operand } from './kernel.ts';

const within = ({ data }: Operand, view: View): Operand => ({ data, view });

/** The operands of a scan by name, under the axes (T, B, H), and a visit of all columns. */
function columnsOf(attrs: LinearScanAttrs, inputs: readonly Operand[]) {
  const { sources, mask, h, dH, initial } = scanOperands(attrs, inputs);
  const [steps, batch, , hidden] = sources[0].view.shape;
  const eachColumn = (visit: (at: (view: View, step: number) => number) => void): void => {
    for (let row = 0; row < batch; row++) {
      for (let unit = 0; unit < hidden; unit++)
        visit(
          ({ offset, strides }, step) => offset + step * strides[0] + row * strides[1] + unit * strides[2],
        );
    }
  };
  return {
    steps,
    slots: sources.flatMap((source) => slotViews(source.view).map((view) => within(source, view))),
    mask: mask && within(mask, maskView(mask.view, hidden)),
    initial: initial && within(initial, stateView(initial.view, steps)),
    h,
    dH,
    eachColumn,
  };
}

export const linearScan = defineKernel(linearScanOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  run: (attrs, inputs, [out]) => {
    const { steps, slots, mask, initial, eachColumn } = columnsOf(attrs, inputs);
    const evaluate = evaluator(
      attrs.step,
      slots.map((_, slot) => inputName(slot)),
    );
    const values = new Float64Array(slots.length);
    const step = new Float64Array(2);
    eachColumn((at) => {
      const read = ({ data, view }: Operand, t: number): number => data[at(view, t)];
      let state = initial === undefined ? 0 : read(initial, 0);
      for (let i = 0; i < steps; i++) {
        const t = attrs.reverse ? steps - 1 - i : i;
        if (mask === undefined || read(mask, t) !== 0) {
          slots.forEach((slot, s) => (values[s] = read(slot, t)));
          evaluate(values, step);
          state = step[0] * state + step[1];
        }
        out.data[at(out.view, t)] = state;
      }
    });
  },
});

export const linearScanBackward = defineKernel(linearScanBackwardOp, {
  readsStrided: () => true,
  run: (attrs, inputs, [dSlots, dInitial]) => {
    const { steps, slots, mask, h, dH, initial, eachColumn } = columnsOf(attrs, inputs);
    const targets = slotViews(dSlots.view);
    const count = targets.length;
    const names = slots.map((_, slot) => inputName(slot));
    const evaluateA = evaluator([attrs.step[0]], names);
    const evaluate = evaluator(slotGradients(attrs.step, count), [...names, D_A, D_B]);
    const values = new Float64Array(count + 2);
    const a = new Float64Array(1);
    const gradients = new Float64Array(count);
    eachColumn((at) => {
      const read = (from: Operand | undefined, t: number): number =>
        from === undefined ? 0 : from.data[at(from.view, t)];
      // The gradient that the next step passes back.
      let carry = 0;
      for (let i = 0; i < steps; i++) {
        const t = attrs.reverse ? i : steps - 1 - i;
        const d = read(dH, t) + carry;
        if (mask !== undefined && read(mask, t) === 0) {
          gradients.fill(0);
          carry = d;
        } else {
          slots.forEach((slot, s) => (values[s] = read(slot, t)));
          const before = i === steps - 1 ? read(initial, 0) : read(h, attrs.reverse ? t + 1 : t - 1);
          values[count] = d * before;
          values[count + 1] = d;
          evaluateA(values, a);
          evaluate(values, gradients);
          carry = a[0] * d;
        }
        targets.forEach((view, s) => (dSlots.data[at(view, t)] = gradients[s]));
      }
      if (dInitial !== undefined) dInitial.data[at(stateView(dInitial.view, steps), 0)] = carry;
    });
  },
});
