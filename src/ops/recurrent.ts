// The recurrent sequence: T steps of any cell over the input products, and its backward pass.
// The structure is that of Appleyard et al., "Optimizing performance of recurrent neural networks on GPUs" (2016):
// the input product of all steps is one matmul before the loop, the weights' gradients are one matmul each after it.
import type { Cell } from '../cells/cell.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { reshapeView, sliceView, type View } from '../core/view.ts';
import type { Expr } from '../expr/expr.ts';
import { defineOp, expectValue, type Inside, type Op, type Signature, type Value } from '../graph/value.ts';
import { applyAll } from './apply.ts';
import { matmul } from './matmul.ts';
import { recurrentBackwardCPU, recurrentCPU } from './recurrent_cpu.ts';
import { packedSize, recurrentBackwardGPU, recurrentGPU, type RecurrentAttrs } from './recurrent_kernel.ts';
import { concat, empty, reshape, slice, sum, transpose, zeros } from './structure.ts';
import { countOperations } from './wgsl_expression.ts';

/** The part of a view that begins at `start`, under another shape. */
function within(
  whole: View,
  start: readonly number[],
  block: readonly number[],
  shape: readonly number[],
): View {
  const view = reshapeView(sliceView(whole, start, block), shape);
  if (view === undefined)
    throw new GatewiseError('internal', `recurrent: no view of ${show(block)} as ${show(shape)}`);
  return view;
}

/** Of each row and step the recurrent product, and of each of its units the cell's update or derivative. */
function costOf(update: readonly Expr[], { shape: stash }: Signature, { shape: weight }: Signature): number {
  const [steps, batch, , hidden] = stash;
  return steps * batch * (2 * sizeOf(weight) + countOperations(update) * hidden);
}

export const recurrentOp: Op<RecurrentAttrs> = defineOp({
  name: 'recurrent',
  summary:
    'T steps of a cell: products (T, B, slots, H), W_hh (G·H, H), initial states (S, B, H), optionally b_hh (G·H)',
  // Outputs: pre-activations, states at times 0 to T, the output (h at 1 to T), the final states.
  infer: ({ cell }, [stash, weight, initial, bias]) => {
    const [steps, batch, slots, hidden] = stash.shape;
    const gates = cell.gates.length;
    const expected = {
      products: [steps, batch, cell.slots, hidden],
      weight: [gates * hidden, hidden],
      initial: [cell.states.length, batch, hidden],
      bias: [gates * hidden],
    };
    const got = {
      products: stash.shape,
      weight: weight.shape,
      initial: initial.shape,
      bias: bias?.shape ?? expected.bias,
    };
    for (const key of ['products', 'weight', 'initial', 'bias'] as const) {
      if (show(expected[key]) !== show(got[key]) || slots !== cell.slots) {
        throw new GatewiseError(
          'shape',
          `recurrent (${cell.name}): ${key} must be ${show(expected[key])}, got ${show(got[key])}`,
        );
      }
    }
    return [
      stash,
      { shape: [cell.states.length, steps + 1, batch, hidden], dtype: 'f32' },
      { shape: [steps, batch, hidden], dtype: 'f32' },
      { shape: initial.shape, dtype: 'f32' },
    ];
  },
  inside: ({ cell }, [stash]): readonly (Inside | undefined)[] => {
    const [steps, batch, , hidden] = stash.shape;
    const count = cell.states.length;
    return [
      undefined,
      undefined,
      {
        output: 1,
        view: (whole) => within(whole, [0, 1, 0, 0], [1, steps, batch, hidden], [steps, batch, hidden]),
      },
      {
        output: 1,
        view: (whole) => within(whole, [0, steps, 0, 0], [count, 1, batch, hidden], [count, batch, hidden]),
      },
    ];
  },
  inPlace: () => [{ input: 0, output: 0, must: true }],
  scratch: ({ cell }, [stash]) => [packedSize(cell.gates.length, stash.shape[3])],
  cpu: recurrentCPU,
  gpu: recurrentGPU,
  cost: ({ cell }, [stash, weight]) => costOf(cell.program.states, stash, weight),
  grad: (node, [, , dOutput, dFinal]) => {
    const { cell } = node.attrs;
    const [, weight, initial] = node.inputs;
    const [stash, states] = node.outputs;
    const inputs = [
      stash,
      states,
      weight,
      dFinal ?? zeros(initial.shape),
      ...(dOutput === undefined ? [] : [dOutput]),
    ];
    const [dStash, dInitial] = applyAll(recurrentBackwardOp, { cell }, inputs);
    const [steps, batch, , hidden] = stash.shape;
    const before = reshape(slice(reshape(slice(states, 0, 0, 1), states.shape.slice(1)), 0, 0, steps), [
      steps * batch,
      hidden,
    ]);
    // Gates whose recurrent parts lie side by side share a product.
    const runs = recurrentRuns(cell).map(({ slot, gates }) =>
      reshape(slice(dStash, 2, slot, slot + gates), [steps * batch, gates * hidden]),
    );
    const dWeight = concat(runs.map((d) => matmul(transpose(d), before)));
    const dBias = concat(runs.map((d) => sum(d, 0)));
    return [dStash, dWeight, dInitial, dBias];
  },
  tolerance: { absolute: 2e-5, relative: 1e-4 },
});

export const recurrentBackwardOp: Op<RecurrentAttrs> = defineOp({
  name: 'recurrent_backward',
  summary:
    'the reverse loop: from pre-activations, states, W_hh, d final states and d output to d pre-activations and d initial states',
  infer: (_, [stash, , , carry]) => [stash, carry],
  inPlace: () => [
    { input: 0, output: 0, must: true },
    { input: 3, output: 1, must: true },
  ],
  scratch: ({ cell }, [stash]) => [packedSize(cell.gates.length, stash.shape[3])],
  cpu: recurrentBackwardCPU,
  gpu: recurrentBackwardGPU,
  cost: ({ cell }, [stash, , weight]) => costOf(cell.program.gradients, stash, weight),
  tolerance: { absolute: 2e-5, relative: 1e-4 },
});

/** Runs of gates whose recurrent slots are neighbours, in the gates' order. */
function recurrentRuns(cell: Cell): { slot: number; gates: number }[] {
  const runs: { slot: number; gates: number }[] = [];
  for (const slot of cell.recurrentSlot) {
    const last = runs.at(-1);
    if (last !== undefined && slot === last.slot + last.gates) last.gates++;
    else runs.push({ slot, gates: 1 });
  }
  return runs;
}

/**
 * Runs a cell over a sequence.
 * @param products (T, B, G·H): the input part of every gate's pre-activation, its bias included.
 * @param weight W_hh (G·H, H), rows in the order of the cell's gates.
 * @param initial (S, B, H): the states before the first step, in the cell's order.
 * @param bias b_hh (G·H), added to the recurrent part.
 * @returns `output` (T, B, H), h after each step, and `final` (S, B, H), the states after the last.
 */
export function recurrent(
  cell: Cell,
  products: Value,
  weight: Value,
  initial: Value,
  bias?: Value,
): { output: Value; final: Value } {
  const what = `recurrent (${cell.name})`;
  expectValue(`${what}: products`, products, 'f32');
  expectValue(`${what}: weight`, weight, 'f32');
  expectValue(`${what}: initial`, initial, 'f32');
  const gates = cell.gates.length;
  if (products.shape.length !== 3 || products.shape[2] % gates !== 0) {
    throw new GatewiseError(
      'shape',
      `${what}: products must be (T, B, ${gates}·H), got ${show(products.shape)}`,
    );
  }
  const [steps, batch, width] = products.shape;
  const parts = reshape(products, [steps, batch, gates, width / gates]);
  // Room for the recurrent parts that are kept apart; the step kernel fills it.
  const apartSlots = cell.slots - gates;
  const stash =
    apartSlots === 0 ? parts : concat([parts, empty([steps, batch, apartSlots, width / gates])], 2);
  const outputs = applyAll(recurrentOp, { cell }, [
    stash,
    weight,
    initial,
    ...(bias === undefined ? [] : [bias]),
  ]);
  return { output: outputs[2], final: outputs[3] };
}

/** All steps of a cell from the graph's own ops: what the fused kernel is compared with. */
export function recurrentNaive(
  cell: Cell,
  products: Value,
  weight: Value,
  initial: Value,
  bias?: Value,
): { output: Value; final: Value } {
  const gates = cell.gates.length;
  let states =
    initial.shape[0] === 1
      ? [reshape(initial, initial.shape.slice(1))]
      : cell.states.map((_, s) => reshape(slice(initial, 0, s, s + 1), initial.shape.slice(1)));
  const outputs: Value[] = [];
  const [steps, batch, width] = products.shape;
  const hidden = width / gates;
  for (let t = 0; t < steps; t++) {
    const input = reshape(slice(products, 0, t, t + 1), [batch, width]);
    const product = matmul(states[0], weight, { transposeB: true });
    const recurrentPart = bias === undefined ? product : product.apply('add', [product, bias]);
    const slots: Value[] = [];
    cell.recurrentSlot.forEach((slot, g) => {
      const x = slice(input, 1, g * hidden, (g + 1) * hidden);
      const r = slice(recurrentPart, 1, g * hidden, (g + 1) * hidden);
      slots[g] = slot === g ? x.apply('add', [x, r]) : x;
      slots[slot] = slot === g ? slots[g] : r;
    });
    states = cell.apply(slots, states);
    outputs.push(reshape(states[0], [1, batch, hidden]));
  }
  return {
    output: concat(outputs),
    final: concat(states.map((state) => reshape(state, [1, batch, hidden]))),
  };
}
