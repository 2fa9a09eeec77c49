// The recurrent sequence: T steps of any cell over the input products, and its backward pass.
// The structure is that of Appleyard et al., "Optimizing performance of recurrent neural networks on GPUs" (2016):
// the input product of all steps is one matmul before the loop, the weights' gradients are one matmul each after it.
import { GatewiseError, show } from '../core/errors.ts';
import { mul } from '../expr/arith.ts';
import type { Phase } from '../cells/phases.ts';
import type { MatrixName } from '../cells/program.ts';
import { defineOp, Node, type Inside, type Op, type Signature, type Value } from '../graph/value.ts';
import { applyAll } from './apply.ts';
import { matmul } from './matmul.ts';
import { weightProduct } from './fake_quantize.ts';
import {
  backwardRoles,
  flopOf,
  forwardRoles,
  RecurrentLayout,
  type RecurrentAttrs,
  type Roles,
} from './recurrent_layout.ts';
import { packedSize, packWeights } from './recurrent_pack.ts';
import { concat, empty, isZero, reshape, slice, sum, transpose, zeros } from './structure.ts';

function costOf(
  layout: RecurrentLayout,
  phases: readonly Phase[],
  [, steps, batch]: readonly number[],
): number {
  const edges = layout.stacked ? 1 : 0;
  const perRow = (layout.chains - edges) * flopOf(layout, phases) + edges * flopOf(layout, phases, true);
  return steps * batch * perRow;
}

/** Of the matrices themselves a device reads nothing: it has them packed. @param roles the inputs' positions by role. */
function readsOf({ matrices }: Roles<number>, inputs: readonly Signature[]): number[] {
  return inputs.map((_, i) => (matrices.includes(i) ? 0 : Infinity));
}

/** Throws unless the inputs fit each other. */
function checkInputs(attrs: RecurrentAttrs, inputs: readonly Signature[]): void {
  const layout = new RecurrentLayout(attrs);
  const { stash, initial, matrices, packed, largest, vectors, rows, seed } = forwardRoles(attrs, inputs);
  const expect = (what: string, got: Signature | undefined, shape: readonly number[]): void => {
    if (got !== undefined && show(got.shape) !== show(shape))
      throw new GatewiseError(
        'shape',
        `recurrent (${attrs.cell.name}): ${what} must be ${show(shape)}, got ${show(got.shape)}`,
      );
  };
  const [, steps, batch] = stash.shape;
  const { chains } = layout;
  expect('stash', stash, [chains, steps, batch, layout.row]);
  expect('initial', initial, [chains * batch * layout.stateUnits]);
  for (let chain = 0; chain < chains; chain++)
    layout.matrices.forEach(({ name, shape }, m) =>
      expect(`weight_${name}`, matrices[layout.matrixAt(chain, m)], shape),
    );
  expect('packed weights', packed, [packedSize(layout, false)]);
  expect('largest magnitudes', largest, [chains * layout.matrixRows.all]);
  expect('vectors', vectors, [chains * layout.vectors]);
  expect('rows', rows, [layout.rowsSize(steps, batch)]);
  expect('seed', seed, [2]);
}

export const recurrentOp: Op<RecurrentAttrs> = /* @__PURE__ */ defineOp({
  name: 'recurrent',
  summary:
    'T steps of a cell in one or several chains: stash (D, T, B, row) that starts with the input products, initial states, weights as they are and packed, vectors, masks',
  // Outputs: the stash filled, all states, the output (h of every step), the final states.
  infer: (attrs, inputs) => {
    checkInputs(attrs, inputs);
    const [stash] = inputs;
    const layout = new RecurrentLayout(attrs);
    const [chains, steps, batch] = stash.shape;
    const all = chains * layout.stateTimes(steps) * batch * layout.stateUnits;
    return [
      stash,
      { shape: [all], dtype: 'f32' },
      { shape: [steps, batch, layout.outputs, layout.stateWidth(0)], dtype: 'f32' },
      ...attrs.cell.states.map((_, s): Signature => ({
        shape: [chains, batch, layout.stateWidth(s)],
        dtype: 'f32',
      })),
    ];
  },
  inside: (attrs, [stash]): readonly (Inside | undefined)[] => {
    const layout = new RecurrentLayout(attrs);
    const [chains, steps, batch] = stash.shape;
    const row = (s: number): number => batch * layout.stateWidth(s);
    const times = layout.stateTimes(steps);
    if (attrs.lean)
      return [
        undefined,
        undefined,
        undefined,
        ...attrs.cell.states.map((_, s): Inside => ({
          output: 1,
          view: ({ offset }) => ({
            shape: [chains, batch, layout.stateWidth(s)],
            strides: [times * row(s), layout.stateWidth(s), 1],
            offset: offset + layout.stateOffset[s] * chains * times * batch + (steps % times) * row(s),
          }),
        })),
      ];
    return [
      undefined,
      undefined,
      {
        output: 1,
        // Direction 0 at times 1 to T, direction 1 at times 0 to T - 1 of its own part; the last layer at 1 to T.
        view: ({ offset }) => ({
          shape: [steps, batch, layout.outputs, layout.stateWidth(0)],
          strides: [row(0), layout.stateWidth(0), steps * row(0), 1],
          offset: offset + row(0) + (chains - layout.outputs) * times * row(0),
        }),
      },
      // Direction 0 ends at time T, direction 1 at time 0, which lie side by side; all layers end at time T.
      ...attrs.cell.states.map((_, s): Inside => ({
        output: 1,
        view: ({ offset }) => ({
          shape: [chains, batch, layout.stateWidth(s)],
          strides: [layout.stacked ? times * row(s) : row(s), layout.stateWidth(s), 1],
          offset: offset + layout.stateOffset[s] * chains * times * batch + steps * row(s),
        }),
      })),
    ];
  },
  lean: {
    without: [0, 1],
    make: ({ op, attrs, inputs }) => {
      const [stash, initial, ...rest] = inputs;
      const fromZero = isZero(initial);
      const lean = { ...attrs, lean: true, fromZero };
      const kept = fromZero ? [stash, ...rest] : inputs;
      return new Node(op, lean, kept, op.infer(lean, kept));
    },
  },
  inPlace: () => [{ input: 0, output: 0, must: true }],
  reads: (attrs, inputs) => readsOf(forwardRoles(attrs, [...inputs.keys()]), inputs),
  cost: (attrs, [stash]) => {
    const layout = new RecurrentLayout(attrs);
    return costOf(layout, layout.forward, stash.shape);
  },
  grad: (node, [, , dOutput, ...dFinals]) => {
    const { attrs, inputs, outputs } = node;
    if (attrs.precision === 'int8')
      throw new GatewiseError(
        'unsupported',
        `grad: recurrent (${attrs.cell.name}): weights with precision 'int8' are for inference and have no gradient; train with 'f16' or 'float32'`,
      );
    const [stash, states] = outputs;
    const finals = outputs.slice(3).map((final, s) => reshape(dFinals[s] ?? zeros(final.shape), [-1]));
    const { matrices, vectors, rows, seed } = forwardRoles(attrs, inputs);
    const { keepsSlots } = new RecurrentLayout(attrs).program;
    const carry = dFinals.every((d) => d === undefined) ? zeros(inputs[1].shape) : concat(finals);
    const [dStash, dInitial] = applyAll(recurrentBackwardOp, attrs, [
      keepsSlots ? stash : empty(stash.shape),
      states,
      carry,
      ...matrices,
      ...packWeights(attrs, matrices, true),
      ...[vectors, rows, seed, dOutput].filter((value) => value !== undefined),
    ]);
    return weightGradients(attrs, inputs, dStash, states, dInitial);
  },
  tolerance: { absolute: 2e-5, relative: 1e-4 },
});

export const recurrentBackwardOp: Op<RecurrentAttrs> = /* @__PURE__ */ defineOp({
  name: 'recurrent_backward',
  summary:
    'the reverse loop: from the stash, all states, weights, d final states and d output to the gradients of the gates, in the stash, and of the initial states',
  infer: (_, [stash, , carry]) => [stash, carry],
  inPlace: () => [
    { input: 0, output: 0, must: true },
    { input: 2, output: 1, must: true },
  ],
  reads: (attrs, inputs) => readsOf(backwardRoles(attrs, [...inputs.keys()]), inputs),
  cost: (attrs, [stash]) => {
    const layout = new RecurrentLayout(attrs);
    return costOf(layout, layout.program.backward, stash.shape);
  },
  tolerance: { absolute: 2e-5, relative: 1e-4 },
});

/** The gradients of all inputs of the forward op, from the gates' gradients that the reverse loop left in the stash. */
function weightGradients(
  attrs: RecurrentAttrs,
  inputs: readonly Value[],
  dStash: Value,
  states: Value,
  dInitial: Value,
): (Value | undefined)[] {
  const layout = new RecurrentLayout(attrs);
  const { program } = layout;
  const { cell, hidden, bias } = attrs;
  const [chains, steps, batch] = dStash.shape;
  const { vectors, rows, seed, matrices, packed } = forwardRoles(attrs, inputs);
  const count = steps * batch;

  /** Neighbouring slots of one chain, (T·B, units). */
  const slots = (chain: number, first: number, size: number): Value => {
    const offset = layout.slotOffset[first];
    const own = slice(slice(dStash, 0, chain, chain + 1), 3, offset, offset + size);
    return reshape(own, [count, size]);
  };
  /** A state before each step, or with `after` behind it, (T·B, W). */
  const before = (chain: number, s: number, after = 0): Value => {
    const width = layout.stateWidth(s);
    const row = batch * width;
    const first = (layout.stateOffset[s] * chains + chain * width) * (steps + 1) * batch;
    const start = first + (chain === 0 || layout.stacked ? after : 1 - after) * row;
    return reshape(slice(states, 0, start, start + steps * row), [count, width]);
  };
  /** What a product was taken with, (T·B, depth). */
  const sourceOf = (chain: number, v: number): Value => {
    const { source, matrix } = program.products[v];
    if ('slot' in source) return slots(chain, source.slot, matrix === 'hr' ? hidden : layout.stateWidth(0));
    if ('below' in source) return before(chain - 1, 0, 1);
    const h = before(chain, source.state);
    if (!source.kept || rows === undefined) return h;
    const width = layout.stateWidth(0);
    const keep = slice(rows, 0, chain * batch * width, (chain + 1) * batch * width);
    return reshape(mul(reshape(h, [steps, batch, width]), reshape(keep, [batch, width])), [count, width]);
  };
  const sameSource = (a: number, b: number): boolean =>
    show(Object.entries(program.products[a].source).flat()) ===
    show(Object.entries(program.products[b].source).flat());

  /** Parts of a matrix; those with one source and neighbouring slots share a product. */
  const matrixGradient = (chain: number, name: MatrixName, shape: readonly number[]): Value => {
    const height = name === 'hr' ? shape[0] : hidden;
    const pieces: Value[] = [];
    for (let part = 0; part < shape[0] / height; part++) {
      const found = program.products.flatMap((p, v) => (p.matrix === name && p.part === part ? [v] : []));
      if (found.length === 0) {
        pieces.push(zeros([height, shape[1]]));
        continue;
      }
      let run = 1;
      if (found.length === 1) {
        const [first] = found;
        const { gradient } = program.products[first];
        const next = (n: number): number =>
          program.products.findIndex((p) => p.matrix === name && p.part === part + n);
        const joins = (n: number): boolean => {
          const v = next(n);
          const isAlone =
            program.products.filter((p) => p.matrix === name && p.part === part + n).length === 1;
          return isAlone && program.products[v].gradient === gradient + n && sameSource(first, v);
        };
        while (part + run < shape[0] / height && joins(run)) run++;
        const d = slots(chain, gradient, run * height);
        pieces.push(matmul(transpose(d), sourceOf(chain, first)));
      } else {
        const all = found.map((v) =>
          matmul(transpose(slots(chain, program.products[v].gradient, height)), sourceOf(chain, v)),
        );
        pieces.push(all.reduce((a, b) => a.apply('add', [a, b])));
      }
      part += run - 1;
    }
    return concat(pieces);
  };

  /** Sums over all rows and steps; slots that lie side by side are one sum. */
  const columnSums = (chain: number, list: readonly (number | undefined)[]): Value[] => {
    const runs: { slot: number | undefined; size: number }[] = [];
    for (const slot of list) {
      const last = runs.at(-1);
      if (last?.slot !== undefined && slot === last.slot + last.size) last.size++;
      else runs.push({ slot, size: 1 });
    }
    return runs.map(({ slot, size }) =>
      slot === undefined ? zeros([size * hidden]) : sum(slots(chain, slot, size * hidden), 0),
    );
  };
  /** Of variational dropout's factors: where a product took h in with them, h times the gradient of what it took in. */
  const keepGradient = (chain: number): Value => {
    const shape = [steps, batch, layout.stateWidth(0)];
    const through = program.products.flatMap(({ source, part, gradient }) => {
      if (!('kept' in source) || !source.kept) return [];
      const weight = slice(matrices[layout.matrixAt(chain, 0)], 0, part * hidden, (part + 1) * hidden);
      return [weightProduct(slots(chain, gradient, hidden), weight, attrs.precision, 'rows')];
    });
    if (through.length === 0) return zeros([batch * shape[2]]);
    const total = reshape(
      through.reduce((a, b) => a.apply('add', [a, b])),
      shape,
    );
    return reshape(sum(mul(total, reshape(before(chain, 0), shape)), 0), [-1]);
  };

  const biasSlots = bias
    ? cell.recurrentGates.map(
        (_, part) => program.products.find((p) => p.matrix === 'hh' && p.part === part)?.gradient,
      )
    : [];
  const perChain = Array.from({ length: chains }, (_, chain) => chain);
  const dVectors =
    vectors && concat(perChain.flatMap((d) => columnSums(d, [...biasSlots, ...program.weightGradients])));
  const maskSize = layout.rowsSize(steps, batch) - layout.keepSize(batch);
  const dRows = cell.dropsRecurrent
    ? concat([...perChain.map(keepGradient), ...(maskSize > 0 ? [zeros([maskSize])] : [])])
    : undefined;
  return [
    inputGradient(layout, dStash),
    dInitial,
    ...perChain.flatMap((chain) =>
      layout.matrices
        .slice(0, layout.matricesOf(chain))
        .map(({ name, shape }) => matrixGradient(chain, name, shape)),
    ),
    ...(packed === undefined ? [] : [undefined]),
    ...(vectors === undefined ? [] : [dVectors]),
    ...(rows === undefined ? [] : [dRows]),
    ...(seed === undefined ? [] : [undefined]),
  ];
}

/** The stash's gradient: that of the input products, in their slots; nothing reads the rest. */
function inputGradient({ program, slotOffset, row }: RecurrentLayout, dStash: Value): Value {
  if (program.inputGradients.every((slot, gate) => slot === gate)) return dStash;
  const pieces = program.inputGradients.map((slot) =>
    slice(dStash, 3, slotOffset[slot], slotOffset[slot + 1] ?? row),
  );
  const used = slotOffset[pieces.length] ?? row;
  const rest = used < row ? [slice(dStash, 3, used, row)] : [];
  return concat([...pieces, ...rest], 3);
}
