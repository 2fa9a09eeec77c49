// The FLOP that ops state, against those that the CPU's kernels really do on all samples.
import { afterAll, beforeAll, expect, test } from 'vitest';

import { runStep } from '../../src/backend/cpu/cpu_backend.ts';
import { referenceKernels, referenceTarget } from '../../src/backend/cpu/kernels/index.ts';
import { sizeOf, type NumberArray } from '../../src/core/shape.ts';
import { scalarOps } from '../../src/expr/scalar_ops.ts';
import { operandsOf } from '../../src/graph/operands.ts';
import { Value } from '../../src/graph/value.ts';
import { makePlan, type Step } from '../../src/plan/plan.ts';
import type { FakeQuantizeAttrs } from '../../src/ops/fake_quantize.ts';
import { allOps } from '../../src/ops/index.ts';
import type { LinearScanAttrs } from '../../src/ops/linear_scan.ts';
import type { PackAttrs } from '../../src/ops/pack.ts';
import type { RecurrentAttrs } from '../../src/ops/recurrent_schedule.ts';
import { dataOf, outputsOf, type Sample } from '../gpu/sample.ts';
import { samples } from '../gpu/samples/index.ts';

type Scalar = (typeof scalarOps)[keyof typeof scalarOps];
type Counted = { -readonly [Key in keyof Scalar]: Scalar[Key] };

let done = 0;
const originals = Object.values(scalarOps).map((op) => [op as Counted, op.cpu] as const);
beforeAll(() => {
  for (const [op, cpu] of originals) {
    op.cpu = (a, b, c) => {
      done++;
      return cpu(a, b, c);
    };
  }
});
afterAll(() => {
  for (const [op, cpu] of originals) op.cpu = cpu;
});

const size = ({ view }: Step['inputs'][number]): number => sizeOf(view.shape);

/** Of |x|, · 127, / largest, + 0.5, floor, two limits, and a sum, a product and a comparison to correct the quotient. */
const INT8 = 10;

/** Each weight counts once per step and row, as a multiplication and an addition. */
function products({ attrs, inputs }: Step): number {
  const { reserve, weights } = operandsOf((attrs as RecurrentAttrs).operands, inputs);
  const [, steps, batch] = reserve[0].view.shape;
  return 2 * steps * batch * weights.reduce((total, weight) => total + size(weight), 0);
}

/** FLOP of the kernels of all ops outside expressions, from their loops and the sizes of the operands. */
const loops: Readonly<Record<string, (step: Step) => number>> = {
  elementwise: () => 0,
  copy: () => 0,
  gather: () => 0,
  sequence_mask: () => 0,
  matmul: ({ inputs: [a], outputs: [out] }) => 2 * size(a) * out.view.shape[1],
  reduce: ({ inputs: [x] }) => size(x),
  scatter: ({ inputs: [source] }) => size(source),
  // A multiplication; random numbers are integers.
  dropout: ({ inputs: [x] }) => size(x),
  // Rounding to f16 computes with integers; int8 has two operations more on the way back.
  fake_quantize: ({ attrs, inputs: [x] }) =>
    (attrs as FakeQuantizeAttrs).precision === 'int8' ? (INT8 + 2) * size(x) : 0,
  pack: ({ attrs, inputs }) => {
    const { precision, matrices } = attrs as PackAttrs;
    const weights = inputs.slice(0, matrices).reduce((total, weight) => total + size(weight), 0);
    return precision === 'int8' ? INT8 * weights : 0;
  },
  // Of each logit the maximum, a difference, an exponential and a sum.
  softmax_cross_entropy: ({ inputs: [logits] }) => 4 * size(logits),
  // Of each logit two differences, an exponential and a product.
  softmax_cross_entropy_backward: ({ inputs: [logits] }) => 4 * size(logits),
  // a · state + b.
  linear_scan: ({ outputs: [h] }) => 2 * size(h),
  // d = d h + carry, d · h and a · d.
  linear_scan_backward: ({ outputs: [{ view }] }) => (3 * sizeOf(view.shape)) / view.shape[2],
  recurrent: products,
  recurrent_backward: products,
};

/** The steps of an op in a sample, each with the FLOP that were done in it. */
function run(sample: Sample, name: string): { step: Step; flop: number }[] {
  const args = sample.inputs.map((input) => new Value(input));
  const { buffers, steps } = makePlan(args, outputsOf(sample, args), { target: referenceTarget });
  const data = dataOf(sample);
  const memory = buffers.map(({ kind, index = 0, size: elements, dtype }): NumberArray => {
    if (kind === 'argument') return data[index].slice();
    return dtype === 'i32' ? new Int32Array(elements) : new Float64Array(elements);
  });
  return steps.flatMap((step) => {
    done = 0;
    runStep(step, referenceTarget, (buffer) => memory[buffer]);
    return step.op.name === name ? [{ step, flop: done + loops[name](step) }] : [];
  });
}

/** A step counts as right whose stated FLOP are within this factor of those that were done. */
const FACTOR = 1.25;

const names = allOps.map(({ name }) => name).filter((name) => name in loops);

test('every op with a kernel is counted', () => {
  expect(names.toSorted()).toEqual(referenceKernels.map(({ op }) => op.name).toSorted());
});

test.each(names)('%s states the FLOP that it does', (name) => {
  const off = samples[name].flatMap((sample) =>
    run(sample, name).flatMap(({ step: { attrs, cost }, flop }) => {
      // A scan skips masked steps, which only the data tell.
      const skips = ((attrs as Partial<LinearScanAttrs>).operands?.mask ?? 0) > 0;
      const isRight = flop <= FACTOR * cost.flop && (skips || cost.flop <= FACTOR * flop);
      return isRight ? [] : [`${sample.name}: stated ${cost.flop}, done ${flop}`];
    }),
  );
  expect(off).toEqual([]);
});
