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
import { matmul } from '../ops/matmul.ts';
import { recurrentSequence, type RecurrentWeights } from '../ops/recurrent_layer.ts';
import { broadcast, concat, reshape, slice, transpose, zeros } from '../ops/structure.ts';
import { maskOf } from './mask.ts';
import type { Context } from './context.ts';
import { parameterOf, uniform, type Layer, type Parameter, type State, type Values } from './layer.ts';
import {
  checkNonlinearity,
  completeOptions,
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
    return noise !== undefined && recurrentDropout > 0 ? withRecurrentDropout(cell) : cell;
  }

  /**
   * @param x (T, B, inputSize), or (B, T, inputSize) with `batchFirst`.
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
    const { batchFirst, inputSize, numLayers } = this;
    expectValue(`${this.name}: input`, x, 'f32');
    if (x.shape.length !== 3 || x.shape[2] !== inputSize) {
      throw new GatewiseError(
        'shape',
        `${this.name}: expected input (${batchFirst ? 'B, T' : 'T, B'}, ${inputSize}), got ${show(x.shape)}`,
      );
    }
    let sequence = batchFirst ? transpose(x, [1, 0, 2]) : x;
    const [steps, batch] = sequence.shape;
    const given = this.#initial(states, batch);
    const mask = maskOf(this.name, context, steps, batch, batchFirst);
    // What lies in a masked step, NaN too, must reach nothing.
    if (mask !== undefined) sequence = zeroWhereMasked(sequence, mask);
    const finals: (readonly Value[])[] = [];
    for (let layer = 0; layer < numLayers; layer++) {
      const initial = given?.map((state) =>
        slice(state, 0, layer * this.#directions, (layer + 1) * this.#directions),
      );
      const result = this.#layer(layer, sequence, parameters, initial, mask, context);
      finals.push(result.finals);
      sequence = result.output;
      if (context.lengths !== undefined && mask !== undefined) sequence = zeroWhereMasked(sequence, mask);
      const { noise } = context;
      if (noise !== undefined && layer + 1 < numLayers)
        sequence = dropout(sequence, this.options.dropout, noise);
    }
    const last = this.cell.states.map((name, s) => [name, concat(finals.map((final) => final[s]))] as const);
    return {
      output: batchFirst ? transpose(sequence, [1, 0, 2]) : sequence,
      states: Object.fromEntries(last),
    };
  }

  /** One layer in its directions: h of each step (T, B, directions · H), and the final states. */
  #layer(
    layer: number,
    sequence: Value,
    parameters: Values,
    initial: readonly Value[] | undefined,
    mask: Value | undefined,
    context: Context,
  ): { output: Value; finals: readonly Value[] } {
    const { bias, recurrentDropout } = this.options;
    const cell = this.#cell(context);
    const { noise } = context;
    const [steps, batch] = sequence.shape;
    const directions = Array.from({ length: this.#directions }, (_, direction) => direction);
    const parameter = (name: string, direction: number): Value =>
      parameterOf(this, parameters, name + this.#suffix(layer, direction));
    const flat = reshape(sequence, [steps * batch, -1]);
    const products = directions.map((direction) => {
      const product = matmul(flat, parameter('weight_ih', direction), { transposeB: true });
      return reshape(bias ? add(product, parameter('bias_ih', direction)) : product, [steps, batch, -1]);
    });
    const hasRecurrent = cell.recurrentGates.length > 0;
    const weights = directions.map((d): RecurrentWeights => ({
      ...(hasRecurrent ? { hh: parameter('weight_hh', d) } : {}),
      ...(hasRecurrent && bias ? { bias: parameter('bias_hh', d) } : {}),
      ...(cell.projects ? { hr: parameter('weight_hr', d) } : {}),
      units: Object.fromEntries(cell.weights.map(({ name }) => [name, parameter(name, d)])),
    }));
    const keep = (): Value | undefined =>
      noise && cell.dropsRecurrent
        ? dropoutMask(
            [this.#directions, batch, this.outputSize],
            recurrentDropout,
            noise.seed,
            noise.stream(),
          )
        : undefined;
    const optional = {
      initial,
      mask: mask && directions.map(() => mask),
      keep: keep(),
      noise: noise && { seed: noise.seed, stream: noise.stream() },
    };
    const { output, finals } = recurrentSequence(cell, {
      products,
      weights,
      ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    });
    return { output: reshape(output, [steps, batch, -1]), finals };
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
