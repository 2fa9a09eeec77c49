// A cell over a sequence with every input that it can have: as the fused op, and as a naive graph of ops.
import type { Cell } from '../src/cells/cell.ts';
import type { Shape } from '../src/core/shape.ts';
import { add, where } from '../src/expr/arith.ts';
import type { Value } from '../src/graph/value.ts';
import {
  recurrentSequence,
  stepNaive,
  type RecurrentWeights,
  type SequenceResult,
} from '../src/ops/recurrent_sequence.ts';
import { fakeQuantize } from '../src/ops/fake_quantize.ts';
import { matmul } from '../src/ops/matmul.ts';
import type { WeightPrecision } from '../src/ops/weight_precision.ts';
import { broadcast, concat, reshape, slice } from '../src/ops/structure.ts';

type SequenceOutputs = Omit<SequenceResult, 'history'>;

export interface RunSize {
  readonly cell: Cell;
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  readonly bias: boolean;
  readonly pseudoLayers: number;
  /** Whether pseudo-layers are stacked layers and not directions. */
  readonly wavefront?: boolean;
  /** Whether there is a mask of any pattern, the same for all pseudo-layers. */
  readonly masked: boolean;
  /** The precision of the matrices, `float32` by default. */
  readonly precision?: WeightPrecision;
}

export interface RunInput {
  readonly name: string;
  readonly shape: Shape;
}

export const projectionOf = ({ cell, hidden }: RunSize): number =>
  cell.projects ? Math.max(1, Math.floor((2 * hidden) / 3)) : 0;

/** The width of a state. */
const widthOf = (size: RunSize, state: number): number =>
  size.cell.projects && state === 0 ? projectionOf(size) : size.hidden;

/** The inputs in order: products, initial states, weights, dropout factors of h, mask. */
export function runInputs(size: RunSize): RunInput[] {
  const { cell, steps, batch, hidden, bias, pseudoLayers, wavefront = false, masked } = size;
  const recurrentRows = cell.recurrentGates.length * hidden;
  const each = Array.from({ length: pseudoLayers }, (_, d) => d);
  const list: RunInput[] = [];
  const give = (name: string, ...shape: number[]): void => void list.push({ name, shape });
  for (const d of each) give(`products ${d}`, steps, batch, cell.gates.length * hidden);
  cell.states.forEach((name, s) => give(`initial ${name}`, pseudoLayers, batch, widthOf(size, s)));
  for (const d of each) {
    if (recurrentRows > 0) give(`weight_hh ${d}`, recurrentRows, widthOf(size, 0));
    if (recurrentRows > 0 && bias) give(`bias_hh ${d}`, recurrentRows);
    if (cell.projects) give(`weight_hr ${d}`, projectionOf(size), hidden);
    if (wavefront && d > 0) give(`weight_ih ${d}`, cell.gates.length * hidden, widthOf(size, 0));
    for (const { name } of cell.weights) give(`unit ${name} ${d}`, hidden);
  }
  if (cell.dropsRecurrent) give('keep', pseudoLayers, batch, widthOf(size, 0));
  if (masked) give('mask', steps, batch);
  return list;
}

interface Named {
  readonly products: readonly Value[];
  readonly initial: readonly Value[];
  readonly weights: readonly RecurrentWeights[];
  readonly keep: Value | undefined;
  readonly mask: Value | undefined;
}

function named(size: RunSize, values: readonly Value[]): Named {
  const byName = new Map(runInputs(size).map(({ name }, i) => [name, values[i]]));
  const get = (name: string): Value => byName.get(name) as Value;
  const { cell, pseudoLayers } = size;
  const each = Array.from({ length: pseudoLayers }, (_, d) => d);
  return {
    products: each.map((d) => get(`products ${d}`)),
    initial: cell.states.map((name) => get(`initial ${name}`)),
    weights: each.map((d): RecurrentWeights => {
      const stored = (name: string): Value =>
        name.startsWith('weight') ? fakeQuantize(get(name), size.precision ?? 'float32') : get(name);
      const units = Object.fromEntries(cell.weights.map(({ name }) => [name, get(`unit ${name} ${d}`)]));
      const own = { ih: `weight_ih ${d}`, hh: `weight_hh ${d}`, bias: `bias_hh ${d}`, hr: `weight_hr ${d}` };
      const found = Object.entries(own).filter(([, name]) => byName.has(name));
      return Object.assign({ units }, Object.fromEntries(found.map(([key, name]) => [key, stored(name)])));
    }),
    keep: byName.get('keep'),
    mask: byName.get('mask'),
  };
}

export function runFused(size: RunSize, values: readonly Value[]): SequenceOutputs {
  const { products, initial, weights, keep, mask } = named(size, values);
  return recurrentSequence(size.cell, {
    products,
    wavefront: size.wavefront ?? false,
    initial,
    weights,
    ...(keep === undefined ? {} : { keep }),
    ...(mask === undefined ? {} : { mask: products.map(() => mask) }),
  });
}

/** The same as a naive graph of ops. */
export function runNaive(size: RunSize, values: readonly Value[]): SequenceOutputs {
  const { products, initial, weights, keep, mask } = named(size, values);
  const { cell, steps, batch, wavefront = false } = size;
  const width = widthOf(size, 0);
  const row = (x: Value, index: number): Value => reshape(slice(x, 0, index, index + 1), x.shape.slice(1));
  const outputs: Value[] = [];
  const finals: Value[][] = [];
  let below: Value[] = [];
  products.forEach((product, d) => {
    let states = initial.map((state) => row(state, d));
    const own: Value[] = [];
    for (let n = 0; n < steps; n++) {
      const t = d === 0 || wavefront ? n : steps - 1 - n;
      const { ih } = weights[d];
      const input = row(product, t);
      const next = stepNaive(
        cell,
        ih === undefined ? input : add(input, matmul(below[t], ih, { transposeB: true })),
        states,
        weights[d],
        keep === undefined ? {} : { keep: row(keep, d) },
      );
      states = next.map((state, s) => {
        if (mask === undefined) return state;
        return where(broadcast(reshape(row(mask, t), [batch, 1]), state.shape), state, states[s]);
      });
      own[t] = reshape(states[0], [1, batch, 1, width]);
    }
    below = own.map((h) => reshape(h, [batch, width]));
    if (wavefront) outputs.length = 0;
    outputs.push(concat(own));
    finals.push(states);
  });
  return {
    output: concat(outputs, 2),
    finals: cell.states.map((_, s) =>
      concat(finals.map((own) => reshape(own[s], [1, batch, widthOf(size, s)]))),
    ),
  };
}
