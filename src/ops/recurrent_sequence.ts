// Recurrent sequences as functions of traced values: the fused op, and a reference composed of the graph's other ops.
import type { Cell } from '../cells/cell.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { applyNamed } from '../graph/operands.ts';
import { expectValue, Value } from '../graph/value.ts';
import { matmul } from './matmul.ts';
import { recurrentOp } from './recurrent.ts';
import { loopOperands, RecurrentLayout, stridesOf, type LoopAttrs } from './recurrent_schedule.ts';
import { broadcast, concat, empty, mean, reshape, slice, zeros } from './structure.ts';

/** Weights of one pseudo-layer: a direction, or a layer of a wavefront. */
export interface RecurrentWeights {
  /** `weight_ih` (G·H, W of h) of a wavefront layer, which multiplies h of the layer below; undefined for the lowest layer. */
  readonly ih?: Value;
  /** `weight_hh` (G·H, W of h); undefined for cells whose gates read only the input. */
  readonly hh?: Value;
  /** `bias_hh` (G·H). */
  readonly bias?: Value;
  /** `weight_hr` (W of h, H), for cells with a projection. */
  readonly hr?: Value;
  /** Weights of one number per unit (H), under the cell's names. */
  readonly units?: Readonly<Record<string, Value>>;
}

export interface SequenceArguments {
  /**
   * (T, B, G·H) per pseudo-layer: the input part of each gate's pre-activation, bias included, in time order. For wavefront
   * layers above the lowest it excludes the product with `ih`.
   */
  readonly products: readonly Value[];
  /**
   * Whether the pseudo-layers are stacked layers, lowest first, instead of directions. They share each launch, each one step
   * behind the layer below. The cell may then use neither random numbers nor variational dropout.
   */
  readonly wavefront?: boolean;
  readonly weights: readonly RecurrentWeights[];
  /**
   * Initial states: (P, B, W) per state, in the cell's order, or one flat value with all of them. Absent means zeros.
   */
  readonly initial?: readonly Value[] | Value;
  /** (T, B) per pseudo-layer: 1 for a valid step; a step with 0 copies the states. */
  readonly mask?: readonly Value[];
  /** (P, B, W of h): factors of variational dropout, for cells that drop h in the recurrent product. */
  readonly keep?: Value;
  /** The source of the cell's random numbers: key i32 (2) and stream number. */
  readonly noise?: { readonly seed: Value; readonly stream: number };
}

export interface SequenceResult {
  /** (T, B, D, W of h): h after each step, in time order. In a wavefront D = 1, the last layer's h. */
  readonly output: Value;
  /** (P, B, W) per state, after the last step of its direction. */
  readonly finals: readonly Value[];
  /** Makes (T, P, B, W) per state, after each step, in time order. Detached: no gradient flows from it. */
  readonly history: () => Value[];
}

/** Runs a cell over a sequence: one direction, two, or stacked layers of one direction as a wavefront. */
export function recurrentSequence(cell: Cell, args: SequenceArguments): SequenceResult {
  const { products, weights, initial, mask, keep, noise } = args;
  const wavefront = args.wavefront === true && products.length > 1;
  const what = `recurrent (${cell.name})`;
  for (const product of products) expectValue(`${what}: products`, product, 'f32');
  if (products.length > 2 && !wavefront)
    throw new GatewiseError(
      'argument',
      `${what}: expected products of one direction or both, got ${products.length}; stacked layers are wavefront: true`,
    );
  const unread = weights.findIndex(({ ih }, p) => ih !== undefined && !(wavefront && p > 0));
  if (unread >= 0)
    throw new GatewiseError(
      'argument',
      `${what}: weights ${unread} have an ih, which only layers of a wavefront above the lowest multiply by`,
    );
  const gates = cell.gates.length;
  const [first] = products;
  if (first.shape.length !== 3 || first.shape[2] % gates !== 0)
    throw new GatewiseError(
      'shape',
      `${what}: products must be (T, B, ${gates}·H), got ${show(first.shape)}`,
    );
  const [steps, batch, width] = first.shape;
  const attrs: LoopAttrs = {
    cell,
    hidden: width / gates,
    projection: weights[0].hr?.shape[0] ?? 0,
    pseudoLayers: products.length,
    bias: weights[0].bias !== undefined,
    masked: mask !== undefined,
    wavefront,
    inference: false,
  };
  const layout = new RecurrentLayout(attrs);
  // The loop saves more activations after the input products in each row.
  const rest = layout.row === width ? [] : [empty([steps, batch, layout.row - width])];
  const reserve = concat(
    products.map((product) => reshape(concat([product, ...rest], 2), [1, steps, batch, layout.row])),
  );
  const need = (value: Value | undefined, name: string, shape: readonly number[]): Value => {
    expectValue(`${what}: ${name}`, value, 'f32', shape);
    return value;
  };
  const matrices = weights.flatMap((given, p) =>
    layout.matrices
      .slice(0, layout.matricesOf(p))
      .map(({ name, shape }) => need(given[name], `weight_${name}`, shape)),
  );
  const vectors = weights.flatMap(({ bias, units }): Value[] => {
    const own = cell.weights.map(({ name }) => need(units?.[name], `weight ${show(name)}`, [attrs.hidden]));
    return bias === undefined ? own : [need(bias, 'bias_hh', [layout.weightOffset])].concat(own);
  });
  const { pseudoLayers } = layout;
  const flat = (values: readonly Value[]): Value => concat(values.map((value) => reshape(value, [-1])));
  const stateShape = (s: number): readonly number[] => [pseudoLayers, batch, layout.stateWidth(s)];
  const start = (): Value => {
    const size = pseudoLayers * batch * layout.stateUnits;
    if (initial === undefined) return zeros([size]);
    if (initial instanceof Value) return need(initial, 'initial', [size]);
    return flat(cell.states.map((name, s) => need(initial[s], `state ${show(name)}`, stateShape(s))));
  };
  const rows = [
    ...(cell.dropsRecurrent ? [need(keep, 'keep', [pseudoLayers, batch, layout.stateWidth(0)])] : []),
    ...(mask ?? []).map((one) => need(one, 'mask', [steps, batch])),
  ];
  if (wavefront && (layout.program.draws > 0 || cell.dropsRecurrent))
    throw new GatewiseError(
      'unsupported',
      `${what}: layers of a wavefront can neither draw random numbers nor drop units of h; run them one after the other`,
    );
  if (layout.program.draws > 0 && noise === undefined)
    throw new GatewiseError('argument', `${what}: the cell draws random numbers; give it noise`);
  const operands = loopOperands({
    reserve: [reserve],
    initial: [start()],
    weights: matrices,
    vectors: vectors.length > 0 ? [concat(vectors)] : [],
    rows: rows.length > 0 ? [flat(rows)] : [],
    seed: layout.program.draws > 0 && noise !== undefined ? [noise.seed] : [],
  });
  const [, states, output, ...finals] = applyNamed(
    recurrentOp,
    { ...attrs, stream: noise?.stream ?? 0 },
    operands,
  );
  const history = (): Value[] => cell.states.map((_, s) => historyOf(layout, states, s, steps, batch));
  return { output, finals, history };
}

/** The states `s` after each step, (T, P, B, W), from the states of all times. */
function historyOf(layout: RecurrentLayout, states: Value, s: number, steps: number, batch: number): Value {
  const { pseudoLayers } = layout;
  const width = layout.stateWidth(s);
  const times = layout.stateTimes(steps);
  const { base, layer } = stridesOf(layout.addressOf({ kind: 'state', index: s }), { steps, batch, times });
  const each = Array.from({ length: pseudoLayers }, (_, p) => {
    const own = slice(states, 0, base + p * layer, base + p * layer + times * batch * width);
    // The first time in memory is the initial state, or the last one for a direction that runs backwards.
    const first = layout.isReverse(p) ? 0 : 1;
    return slice(reshape(own, [times, 1, batch, width]), 0, first, first + steps);
  });
  return concat(each, 1);
}

/**
 * Runs a cell over a sequence in one direction.
 * @param products (T, B, G·H): the input part of every gate's pre-activation, its bias included.
 * @param weight W_hh (G·H, H), rows in the order of the cell's gates.
 * @param initial (S, B, H): the cell's S states before the first step, in the cell's order.
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
  expectValue(`${what}: initial`, initial, 'f32');
  const [steps, batch, width] = products.shape;
  const hidden = width / cell.gates.length;
  expectValue(`${what}: initial`, initial, 'f32', [cell.states.length, batch, hidden]);
  const { output, finals } = recurrentSequence(cell, {
    products: [products],
    weights: [{ hh: weight, ...(bias === undefined ? {} : { bias }) }],
    initial: reshape(initial, [-1]),
  });
  return { output: reshape(output, [steps, batch, hidden]), final: concat(finals) };
}

/** One step of a cell, composed of the graph's ops: the new states, each (B, W). */
export function stepNaive(
  cell: Cell,
  input: Value,
  states: readonly Value[],
  weights: RecurrentWeights,
  draw: { readonly keep?: Value; readonly random?: () => Value } = {},
): Value[] {
  const [batch, width] = input.shape;
  const hidden = width / cell.gates.length;
  const missing = (name: string): never => {
    throw new GatewiseError(
      'argument',
      `recurrent (${cell.name}): the cell reads ${name}, which was not given`,
    );
  };
  const part = (value: Value, axis: number, g: number): Value =>
    slice(value, axis, g * hidden, (g + 1) * hidden);
  return cell.apply<Value>({
    input: (gate) => part(input, 1, gate),
    product: (g, x) => {
      const product = matmul(x, part(weights.hh ?? missing('weight_hh'), 0, g), { transposeB: true });
      return weights.bias === undefined ? product : product.apply('add', [product, part(weights.bias, 0, g)]);
    },
    state: (s) => states[s],
    weight: (w) =>
      broadcast(weights.units?.[cell.weights[w].name] ?? missing(cell.weights[w].name), [batch, hidden]),
    keep: () => draw.keep ?? missing('keep'),
    mean: (x) => broadcast(reshape(mean(x, 1), [batch, 1]), x.shape),
    project: (x) => matmul(x, weights.hr ?? missing('weight_hr'), { transposeB: true }),
    random: () => (draw.random ?? (() => missing('random numbers')))(),
  });
}
