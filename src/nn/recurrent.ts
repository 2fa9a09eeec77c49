// Recurrent layers: one class over any cell, and PyTorch's nn.RNN, nn.LSTM and nn.GRU.
import type { Cell } from '../cells/cell.ts';
import { elmanRelu, elmanTanh } from '../cells/elman.ts';
import { gru } from '../cells/gru.ts';
import { lstm } from '../cells/lstm.ts';
import { lstmProjected } from '../cells/lstm_projected.ts';
import { withRecurrentDropout, withZoneout } from '../cells/regularised.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { add, where } from '../expr/arith.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { dropout, dropoutMask } from '../ops/dropout.ts';
import { weightProduct } from '../ops/fake_quantize.ts';
import { checkpoint, enter } from '../ops/checkpoint.ts';
import {
  recurrentSequence,
  type RecurrentWeights,
  type SequenceArguments,
  type SequenceResult,
} from '../ops/recurrent_layer.ts';
import { stackedStep } from '../ops/recurrent_stack.ts';
import { stepOfParts } from '../ops/recurrent_parts.ts';
import { broadcast, concat, reshape, slice, split, transpose, zeros } from '../ops/structure.ts';
import { maskOf } from './mask.ts';
import type { Context } from './context.ts';
import { parameterOf, uniform, type Layer, type Parameter, type State, type Values } from './layer.ts';
import { segmentSizes } from './segments.ts';
import { checkSequence, withoutBatch } from './unbatched.ts';
import {
  checkNonlinearity,
  completeOptions,
  wavefrontHindrance,
  type FullOptions,
  type RecurrentOptions,
} from './recurrent_options.ts';

/** A stack of recurrent layers of one cell. */
export class Recurrent implements Layer {
  readonly name: string;
  readonly cell: Cell;
  readonly options: FullOptions;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly batchFirst: boolean;
  readonly bidirectional: boolean;
  readonly parameters: readonly Parameter[];
  /** The cell's states, each (numLayers · directions, B, hiddenSize), h of a cell that projects (…, projSize). */
  readonly states: readonly State[];
  readonly inputDType = 'f32';
  readonly timeAxis: 0 | 1;
  readonly causal: boolean;
  readonly ignoresPadding = true;
  readonly #directions: 1 | 2;

  constructor(name: string, cell: Cell, options: RecurrentOptions, ownOptions: readonly string[] = []) {
    const full = completeOptions(name, cell, options, ownOptions);
    const { inputSize, hiddenSize, numLayers, batchFirst, bidirectional } = full;
    this.name = name;
    this.cell = cell;
    this.options = full;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.batchFirst = batchFirst;
    this.bidirectional = bidirectional;
    this.timeAxis = batchFirst ? 1 : 0;
    this.causal = !bidirectional;
    this.#directions = bidirectional ? 2 : 1;
    this.states = cell.states.map((state, s) => ({
      name: state,
      shape: (batch) => [numLayers * this.#directions, batch, s === 0 ? this.outputSize : hiddenSize],
    }));
    this.parameters = this.#each((layer, direction) => this.#parametersOf(layer, direction)).flat();
  }

  /** Units of h. */
  get outputSize(): number {
    return this.options.projSize || this.options.hiddenSize;
  }

  /** Something for every layer and direction, in PyTorch's order. */
  #each<T>(make: (layer: number, direction: number) => T): T[] {
    return Array.from({ length: this.options.numLayers * this.#directions }, (_, i) =>
      make(Math.floor(i / this.#directions), i % this.#directions),
    );
  }

  #suffix(layer: number, direction: number): string {
    return `_l${layer}${direction === 1 ? '_reverse' : ''}`;
  }

  #parametersOf(layer: number, direction: number): Parameter[] {
    const { cell, options, outputSize } = this;
    const { inputSize, hiddenSize, bias, projSize } = options;
    const bound = uniform(1 / Math.sqrt(hiddenSize));
    const rows = cell.gates.length * hiddenSize;
    const recurrentRows = cell.recurrentGates.length * hiddenSize;
    const width = layer === 0 ? inputSize : outputSize * this.#directions;
    const shapes: Record<string, readonly number[]> = {
      weight_ih: [rows, width],
      ...(recurrentRows > 0 ? { weight_hh: [recurrentRows, outputSize] } : {}),
      ...(bias ? { bias_ih: [rows] } : {}),
      ...(bias && recurrentRows > 0 ? { bias_hh: [recurrentRows] } : {}),
      ...(projSize > 0 ? { weight_hr: [projSize, hiddenSize] } : {}),
    };
    const suffix = this.#suffix(layer, direction);
    return [
      ...Object.entries(shapes).map(([name, shape]) => ({ name: name + suffix, shape, initial: bound })),
      ...cell.weights.map(({ name, initial }) => ({
        name: name + suffix,
        shape: [hiddenSize],
        initial: initial === 'uniform' ? bound : () => initial,
      })),
    ];
  }

  /** The cell that runs: with its noise while training. */
  #cell({ noise }: Context): Cell {
    const { zoneout, recurrentDropout } = this.options;
    const cell = withZoneout(this.cell, zoneout, noise !== undefined);
    return withRecurrentDropout(cell, noise !== undefined && recurrentDropout > 0);
  }

  /**
   * @param x (T, B, inputSize), or (B, T, inputSize) with `batchFirst`; (T, inputSize) is one sequence, whose output and
   *   states have no batch either.
   * @param states the cell's states by name, each of the shape that `states` says; zeros where absent.
   * @param context lengths or a mask of the sequences; noise for dropout and zoneout while training.
   * @returns `output` (T, B, directions · H), h of the last layer after each step, and the states after the last step.
   */
  forward(
    x: Value,
    parameters: Values,
    states: Values = {},
    context: Context = {},
  ): { output: Value; states: Values } {
    const { batchFirst, numLayers } = this;
    if (checkSequence(this, x) === 'alone')
      return withoutBatch(this, { input: 1 - this.timeAxis, state: 1 }, x, states, context, (one, before) =>
        this.forward(one, parameters, before, context),
      );
    let sequence = batchFirst ? transpose(x, [1, 0, 2]) : x;
    const [steps, batch] = sequence.shape;
    const given = this.#initial(states, batch);
    const mask = maskOf(this.name, context, steps, batch, batchFirst);
    // What lies in a masked step, NaN too, must reach nothing.
    if (mask !== undefined) sequence = zeroWhereMasked(sequence, mask);
    const finals: (readonly Value[])[] = [];
    const count = this.#isWavefront(steps, batch, mask !== undefined, context) ? numLayers : 1;
    for (let layer = 0; layer < numLayers; layer += count) {
      const initial = given?.map((state) =>
        slice(state, 0, layer * this.#directions, (layer + count) * this.#directions),
      );
      const result = this.#layers(layer, count, sequence, parameters, initial, mask, context);
      finals.push(result.finals);
      sequence = result.output;
      if (context.lengths !== undefined && mask !== undefined) sequence = zeroWhereMasked(sequence, mask);
      const { noise } = context;
      if (noise !== undefined && layer + count < numLayers)
        sequence = dropout(sequence, this.options.dropout, noise);
    }
    const last = this.cell.states.map((name, s) => [name, concat(finals.map((final) => final[s]))] as const);
    return {
      output: batchFirst ? transpose(sequence, [1, 0, 2]) : sequence,
      states: Object.fromEntries(last),
    };
  }

  /** Whether all layers share each launch. A single step has nothing to overlap. */
  #isWavefront(steps: number, batch: number, masked: boolean, context: Context): boolean {
    const { wavefront, bias, hiddenSize, projSize, numLayers, recompute } = this.options;
    const { noise, precision, sharesLaunches } = context;
    if (numLayers === 1 || steps === 1 || wavefront === false) return false;
    const draws = this.#cell(context).program({ bias, masked }).draws > 0;
    const cannot = draws ? 'a cell that draws random numbers' : precision === 'int8' ? 'int8 weights' : '';
    if (wavefront === true) {
      if (cannot === '') return true;
      throw new GatewiseError(
        'unsupported',
        `${this.name}: layers with ${cannot} cannot share launches; leave out wavefront`,
      );
    }
    const hinders = noise !== undefined && wavefrontHindrance(this.options) !== undefined;
    // To compute again saves what layers hold of a sequence, one at a time; here all hold it at once.
    if (this.bidirectional || hinders || cannot !== '' || recompute !== false) return false;
    const own = {
      cell: this.cell,
      hidden: hiddenSize,
      projection: projSize,
      chains: numLayers,
      bias,
      masked,
    };
    const step = stackedStep({ ...own, ...(precision === undefined ? {} : { precision }) }, batch);
    return sharesLaunches?.(step) ?? false;
  }

  /**
   * One layer in its directions, or several layers of one direction that share each launch: h of each step
   * (T, B, directions · H), and the final states (layers · directions, B, W).
   */
  #layers(
    first: number,
    count: number,
    sequence: Value,
    parameters: Values,
    initial: readonly Value[] | undefined,
    mask: Value | undefined,
    context: Context,
  ): { output: Value; finals: readonly Value[] } {
    const { recurrentDropout, recompute, bias } = this.options;
    const { noise, precision, statesFirst } = context;
    const cell = this.#cell(context);
    const [steps, batch] = sequence.shape;
    const names = this.#parametersOf(first, 0).map(({ name }) => name.replace(/_l\d+$/, ''));
    const stacked = count > 1;
    const chains = stacked ? count : this.#directions;
    const weights = Array.from({ length: chains }, (_, chain) => {
      const suffix = stacked ? this.#suffix(first + chain, 0) : this.#suffix(first, chain);
      return names.map((name) => parameterOf(this, parameters, name + suffix));
    });
    const keep =
      noise && cell.dropsRecurrent
        ? dropoutMask(
            [this.#directions, batch, this.outputSize],
            recurrentDropout,
            noise.seed,
            noise.stream(),
          )
        : undefined;
    const { slots, draws } = cell.program({ bias, masked: mask !== undefined });
    const bytesPerStep = 4 * chains * batch * this.hiddenSize * slots.length;
    const most = typeof recompute === 'number' ? recompute : steps;
    const sizes = segmentSizes(steps, this.#directions, bytesPerStep, most);
    // With `recompute` and without, what the directions pass back is summed before what others do.
    const pieces = sizes.length === 1 ? [enter(sequence)] : split(sequence, sizes);
    const masks = mask && split(mask, sizes);
    let states = initial;
    const outputs: Value[][] = this.#eachDirection(() => []);
    sizes.forEach((_, i) => {
      // One direction works on its way from the front, the other from the back.
      const at = this.#eachDirection((direction) => (direction === 0 ? i : sizes.length - 1 - i));
      const stream = draws > 0 && noise !== undefined ? noise.stream() : 0;
      const groups: Group[] = [
        at.map((n) => pieces[n]),
        states ?? [],
        masks ? weights.map((_, chain) => masks[stacked ? i : at[chain]]) : [],
        keep ? [keep] : [],
        noise ? [noise.seed] : [],
        ...weights,
      ];
      const run = (values: readonly Value[]): readonly Value[] => {
        const [xs, before, own, kept, seed, ...matrices] = regroup(groups, values);
        const { output, finals } = this.#segment(cell, xs, {
          stacked,
          weights: matrices.map((list) => Object.fromEntries(names.map((name, n) => [name, list[n]]))),
          ...(precision === undefined ? {} : { precision }),
          ...(statesFirst === undefined ? {} : { statesFirst }),
          ...(before.length > 0 ? { initial: before } : {}),
          ...(own.length > 0 ? { mask: own } : {}),
          ...(kept.length > 0 ? { keep: kept[0] } : {}),
          ...(seed.length > 0 ? { noise: { seed: seed[0], stream } } : {}),
        });
        return [output, ...finals];
      };
      const inputs = groups.flat();
      const [output, ...finals] =
        recompute !== false || sizes.length > 1 ? checkpoint(run, inputs, recompute !== false) : run(inputs);
      // (T, B, D, H)
      const ofDirection = sizes.length === 1 ? [output] : split(output, 1, 2);
      ofDirection.forEach((part, direction) => (outputs[direction][at[direction]] = part));
      states = finals;
    });
    const output = concat(
      outputs.filter((own) => own.length > 0).map((own) => concat(own)),
      2,
    );
    return { output: reshape(output, [steps, batch, -1]), finals: states ?? [] };
  }

  /** A segment of time: the products of all its steps, then the loop. @param xs (T, B, I), for each direction its own. */
  #segment(
    cell: Cell,
    xs: readonly Value[],
    {
      weights,
      statesFirst = false,
      ...rest
    }: Omit<SequenceArguments, 'products' | 'weights' | 'initial'> & {
      readonly weights: readonly Values[];
      readonly initial?: readonly Value[];
      readonly statesFirst?: boolean;
    },
  ): SequenceResult {
    const [steps, batch, width] = xs[0].shape;
    const products = weights.map(({ weight_ih, bias_ih }, chain) => {
      const shape = [steps, batch, weight_ih.shape[0]];
      // A layer on top of another multiplies by its weights as its input comes to be.
      if (chain >= xs.length) return bias_ih === undefined ? zeros(shape) : broadcast(bias_ih, shape);
      const product = weightProduct(reshape(xs[chain], [steps * batch, width]), weight_ih, rest.precision);
      return reshape(bias_ih === undefined ? product : add(product, bias_ih), shape);
    });
    const own = weights.map(
      ({ weight_ih, weight_hh, bias_hh, weight_hr, ...units }, chain): RecurrentWeights => ({
        units,
        ...(chain < xs.length ? {} : { ih: weight_ih }),
        ...(weight_hh === undefined ? {} : { hh: weight_hh }),
        ...(bias_hh === undefined ? {} : { bias: bias_hh }),
        ...(weight_hr === undefined ? {} : { hr: weight_hr }),
      }),
    );
    const { initial, mask, keep, noise } = rest;
    const isPlain = [mask, keep, noise].every((one) => one === undefined);
    const isStep = products.length === 1 && steps === 1;
    const parts =
      statesFirst && isPlain && isStep && initial !== undefined
        ? stepOfParts(cell, products[0], own[0], initial, rest.precision)
        : undefined;
    return parts ?? recurrentSequence(cell, { products, weights: own, ...rest });
  }

  #eachDirection<T>(make: (direction: number) => T): T[] {
    return Array.from({ length: this.#directions }, (_, direction) => make(direction));
  }

  /** All states of the cell, or undefined where none is given. */
  #initial(states: Values, batch: number): Value[] | undefined {
    const unknown = Object.keys(states).find((name) => !this.cell.states.includes(name));
    if (unknown !== undefined)
      throw new GatewiseError(
        'argument',
        `${this.name}: no state ${show(unknown)}; expected ${show(this.cell.states)}`,
      );
    if (Object.keys(states).length === 0) return undefined;
    return this.states.map(({ name, shape }) => {
      const state = states[name];
      if (state === undefined) return zeros(shape(batch));
      expectValue(`${this.name}: state ${show(name)}`, state, 'f32', shape(batch));
      return state;
    });
  }
}

type Group = readonly Value[];

/** A flat list in groups as long as those given. */
function regroup(groups: readonly Group[], flat: readonly Value[]): Group[] {
  let next = 0;
  return groups.map(({ length }) => flat.slice(next, (next += length)));
}

/** x (T, B, …), 0 where the mask (T, B) is. */
function zeroWhereMasked(x: Value, mask: Value): Value {
  return where(broadcast(reshape(mask, [...mask.shape, 1]), x.shape), x, 0);
}

export interface RNNOptions extends Omit<RecurrentOptions, 'projSize'> {
  /** `tanh` unless given. */
  readonly nonlinearity?: 'tanh' | 'relu';
}

/** Elman's recurrent layer: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu. */
export class RNN extends Recurrent {
  constructor(options: RNNOptions) {
    const nonlinearity = checkNonlinearity('RNN', options?.nonlinearity);
    super('RNN', nonlinearity === 'tanh' ? elmanTanh : elmanRelu, options, ['nonlinearity']);
  }
}

/** Long short-term memory; gates in the order i, f, g, o. With `projSize`, h is projected to that size. */
export class LSTM extends Recurrent {
  constructor(options: RecurrentOptions) {
    const projects = options?.projSize !== undefined && options.projSize !== 0;
    super('LSTM', projects ? lstmProjected : lstm, options);
  }
}

/** Gated recurrent unit, the reset applied after the recurrent product; gates in the order r, z, n. */
export class GRU extends Recurrent {
  constructor(options: Omit<RecurrentOptions, 'projSize'>) {
    super('GRU', gru, options);
  }
}
