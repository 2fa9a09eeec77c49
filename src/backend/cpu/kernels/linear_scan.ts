// The linear scan's reference: plain loops, column by column, with the state in float64.
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

export const linearScan = defineKernel(linearScanOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  run: linearScanCPU,
});

export const linearScanBackward = defineKernel(linearScanBackwardOp, {
  readsStrided: () => true,
  run: linearScanBackwardCPU,
});

const within = ({ data }: Operand, view: View): Operand => ({ data, view });

function columns(attrs: LinearScanAttrs, inputs: readonly Operand[], shape: readonly number[]) {
  const { sources, mask, h, dH, initial } = scanOperands(attrs, inputs);
  return {
    slots: sources.flatMap((source) => slotViews(source.view).map((view) => within(source, view))),
    mask: mask && within(mask, maskView(mask.view, shape[2])),
    initial: initial && within(initial, stateView(initial.view, shape[0])),
    h,
    dH,
  };
}

const indexOf = ({ offset, strides }: View, step: number, row: number, unit: number): number =>
  offset + step * strides[0] + row * strides[1] + unit * strides[2];

function linearScanCPU(attrs: LinearScanAttrs, inputs: readonly Operand[], [out]: readonly Operand[]): void {
  const [steps, batch, hidden] = out.view.shape;
  const { slots, mask, initial } = columns(attrs, inputs, out.view.shape);
  const evaluate = evaluator(
    attrs.step,
    slots.map((_, slot) => inputName(slot)),
  );
  const values = new Float64Array(slots.length);
  const step = new Float64Array(2);
  for (let row = 0; row < batch; row++) {
    for (let unit = 0; unit < hidden; unit++) {
      const read = ({ data, view }: Operand, t: number): number => data[indexOf(view, t, row, unit)];
      let state = initial === undefined ? 0 : read(initial, 0);
      for (let i = 0; i < steps; i++) {
        const t = attrs.reverse ? steps - 1 - i : i;
        if (mask === undefined || read(mask, t) !== 0) {
          slots.forEach((slot, s) => (values[s] = read(slot, t)));
          evaluate(values, step);
          state = step[0] * state + step[1];
        }
        out.data[indexOf(out.view, t, row, unit)] = state;
      }
    }
  }
}

function linearScanBackwardCPU(
  attrs: LinearScanAttrs,
  inputs: readonly Operand[],
  [dSlots, dInitial]: readonly Operand[],
): void {
  const [steps, batch, count, hidden] = dSlots.view.shape;
  const { slots, mask, h, dH, initial } = columns(attrs, inputs, [steps, batch, hidden]);
  const targets = slotViews(dSlots.view);
  const names = slots.map((_, slot) => inputName(slot));
  const evaluateA = evaluator([attrs.step[0]], names);
  const evaluate = evaluator(slotGradients(attrs.step, count), [...names, D_A, D_B]);
  const values = new Float64Array(count + 2);
  const a = new Float64Array(1);
  const gradients = new Float64Array(count);
  for (let row = 0; row < batch; row++) {
    for (let unit = 0; unit < hidden; unit++) {
      const read = (from: Operand | undefined, t: number): number =>
        from === undefined ? 0 : from.data[indexOf(from.view, t, row, unit)];
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
        targets.forEach((view, s) => (dSlots.data[indexOf(view, t, row, unit)] = gradients[s]));
      }
      if (dInitial !== undefined) dInitial.data[dInitial.view.offset + row * hidden + unit] = carry;
    }
  }
}
