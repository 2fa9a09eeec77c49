// The recurrent sequence: T steps of any cell over the input products, and its backward pass. As in Appleyard et al., "Optimizing
// performance of recurrent neural networks on GPUs" (2016), the input products of all steps are one matmul before the loop, and
// the weights' gradients are one matmul each after it.
import { GatewiseError, show } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import type { Phase } from '../cells/phases.ts';
import { applyNamed, listOperands, operandsOf } from '../graph/operands.ts';
import { defineOp, type Inside, type Node, type Op, type Signature, type Value } from '../graph/value.ts';
import { recurrentGradients } from './recurrent_gradients.ts';
import {
  flopOf,
  loopOperands,
  RecurrentLayout,
  stridesOf,
  type RecurrentAttrs,
} from './recurrent_schedule.ts';
import { stepInParts } from './recurrent_step.ts';
import { concat, empty, isZero, reshape, zeros } from './structure.ts';

function costOf(
  layout: RecurrentLayout,
  phases: readonly Phase[],
  [, steps, batch]: readonly number[],
): number {
  const edges = layout.isWavefront ? 1 : 0;
  const perRow =
    (layout.pseudoLayers - edges) * flopOf(layout, phases) + edges * flopOf(layout, phases, true);
  return steps * batch * perRow;
}

/** With packed weights a kernel reads only the packed input. */
function readsOf({ operands, packed }: RecurrentAttrs, inputs: readonly Signature[]): number[] {
  const { weights } = operandsOf(operands, [...inputs.keys()]);
  return inputs.map((_, i) => (packed !== undefined && weights.includes(i) ? 0 : Infinity));
}

/** @throws GatewiseError `shape` unless the operands' shapes agree. */
function checkOperands(attrs: RecurrentAttrs, inputs: readonly Signature[]): void {
  const layout = new RecurrentLayout(attrs);
  const operands = operandsOf(attrs.operands, inputs);
  const expect = (what: string, got: Signature | undefined, shape: readonly number[]): void => {
    if (got !== undefined && show(got.shape) !== show(shape))
      throw new GatewiseError(
        'shape',
        `recurrent (${attrs.cell.name}): ${what} must be ${show(shape)}, got ${show(got.shape)}`,
      );
  };
  const [reserve] = operands.reserve;
  const [, steps, batch] = reserve.shape;
  const { pseudoLayers } = layout;
  expect('reserve', reserve, [pseudoLayers, steps, batch, layout.row]);
  expect('initial', operands.initial.at(0), [pseudoLayers * batch * layout.stateUnits]);
  for (let p = 0; p < pseudoLayers; p++)
    layout.matrices
      .slice(0, layout.matricesOf(p))
      .forEach(({ name, shape }, m) =>
        expect(`weight_${name}`, operands.weights[layout.matrixAt(p, m)], shape),
      );
  expect('vectors', operands.vectors.at(0), [pseudoLayers * layout.vectors]);
  expect('rows', operands.rows.at(0), [layout.rowsSize(steps, batch)]);
  expect('seed', operands.seed.at(0), [2]);
}

export const recurrentOp: Op<RecurrentAttrs> = /* @__PURE__ */ defineOp({
  name: 'recurrent',
  summary:
    'T steps of a cell in P pseudo-layers: reserve (P, T, B, row) that starts with the input products, initial states, weights, vectors, masks',
  // Outputs: the reserve with the saved activations, all states, the output (h of every step), the final states.
  infer: (attrs, inputs) => {
    checkOperands(attrs, inputs);
    const [reserve] = inputs;
    const layout = new RecurrentLayout(attrs);
    const [pseudoLayers, steps, batch] = reserve.shape;
    const all = pseudoLayers * layout.stateTimes(steps) * batch * layout.stateUnits;
    return [
      reserve,
      { shape: [all], dtype: 'f32' },
      { shape: [steps, batch, layout.outputs, layout.stateWidth(0)], dtype: 'f32' },
      ...attrs.cell.states.map((_, s): Signature => ({
        shape: [pseudoLayers, batch, layout.stateWidth(s)],
        dtype: 'f32',
      })),
    ];
  },
  inside: (attrs, [reserve]): readonly (Inside | undefined)[] => {
    const layout = new RecurrentLayout(attrs);
    const [pseudoLayers, steps, batch] = reserve.shape;
    const sizes = { steps, batch, times: layout.stateTimes(steps) };
    const strides = (s: number) => stridesOf(layout.addressOf({ kind: 'state', index: s }), sizes);
    /** The offset of state `s` of pseudo-layer `p` after a number of its steps. */
    const at = (s: number, p: number, done: number): number => {
      const { base, layer, time } = strides(s);
      return base + layer * p + time * layout.stateTime(p, done, steps);
    };
    /** The stride from one pseudo-layer to the next; 0 for the last. */
    const next = (s: number, p: number, done: (p: number) => number): number =>
      p + 1 < pseudoLayers ? at(s, p + 1, done(p + 1)) - at(s, p, done(p)) : 0;
    const inStates = (first: number, shape: Shape, own: readonly number[]): Inside => ({
      output: 1,
      view: ({ offset }) => ({ shape, strides: own, offset: offset + first }),
    });
    const finals = attrs.cell.states.map((_, s) =>
      inStates(
        at(s, 0, steps),
        [pseudoLayers, batch, layout.stateWidth(s)],
        [next(s, 0, () => steps), strides(s).row, 1],
      ),
    );
    if (layout.isInference) return [undefined, undefined, undefined, ...finals];
    // Time 0 is the first step of one direction and the last of the other.
    const doneAtFirst = (p: number): number => (layout.isReverse(p) ? steps : 1);
    const first = pseudoLayers - layout.outputs;
    const output = inStates(
      at(0, first, doneAtFirst(first)),
      [steps, batch, layout.outputs, layout.stateWidth(0)],
      [strides(0).time, strides(0).row, next(0, first, doneAtFirst), 1],
    );
    return [undefined, undefined, output, ...finals];
  },
  inPlace: () => [{ input: 0, output: 0, must: true }],
  reads: readsOf,
  cost: (attrs, [reserve]) => {
    const layout = new RecurrentLayout(attrs);
    return costOf(layout, layout.phases(false), reserve.shape);
  },
  grad: (node, [, , dOutput, ...dFinals]) => {
    const { attrs, inputs, outputs } = node;
    const [reserve, states] = outputs;
    const operands = operandsOf(attrs.operands, inputs);
    const finals = outputs.slice(3).map((final, s) => reshape(dFinals[s] ?? zeros(final.shape), [-1]));
    const { savesActivations } = new RecurrentLayout(attrs).program;
    const carry = dFinals.every((d) => d === undefined) ? zeros(operands.initial[0].shape) : concat(finals);
    const { weights, vectors, rows, seed } = operands;
    const backward = loopOperands({
      reserve: [savesActivations ? reserve : empty(reserve.shape)],
      states: [states],
      carry: [carry],
      weights,
      vectors,
      rows,
      seed,
      dOutput: dOutput === undefined ? [] : [dOutput],
    });
    const [dReserve, dInitial] = applyNamed(recurrentBackwardOp, attrs, backward);
    return listOperands(recurrentGradients(attrs, operands, { dReserve, states, dInitial }));
  },
  split: (node, { isKnown, reads, limits }) => {
    // The second input, after the reserve, contains the initial states.
    const isAhead = node.attrs.operands.initial > 0 && isKnown(1) && !isKnown(0);
    const isUnread = TRAINING_OUTPUTS.every((output) => !reads(output));
    return isAhead && isUnread ? stepInParts(node, limits) : undefined;
  },
  tolerance: { absolute: 2e-5, relative: 1e-4 },
});

export const recurrentBackwardOp: Op<RecurrentAttrs> = /* @__PURE__ */ defineOp({
  name: 'recurrent_backward',
  summary:
    'the loop in reverse: from saved activations, all states, weights, d final states and d output to the gradients of the gates, in the reserve, and of the initial states',
  infer: ({ operands }, inputs) => {
    const { reserve, carry } = operandsOf(operands, inputs);
    return [...reserve, ...carry];
  },
  inPlace: () => [
    { input: 0, output: 0, must: true },
    { input: 2, output: 1, must: true },
  ],
  reads: readsOf,
  cost: (attrs, [reserve]) => {
    const layout = new RecurrentLayout(attrs);
    return costOf(layout, layout.phases(true), reserve.shape);
  },
  tolerance: { absolute: 2e-5, relative: 1e-4 },
});

/** Outputs of `recurrent` that inference does not read: the reserve space and the states of all times. */
export const TRAINING_OUTPUTS = [0, 1] as const;

/** The inference form of a loop: it keeps the states of two times and omits initial states that are known to be zero. */
export function inferenceForm({ attrs, inputs }: Node<RecurrentAttrs>): readonly Value[] {
  const operands = operandsOf(attrs.operands, inputs);
  const initial = operands.initial.every(isZero) ? [] : operands.initial;
  return applyNamed(recurrentOp, { ...attrs, inference: true }, { ...operands, initial });
}
