// PyTorch's nn.RNN, nn.LSTM and nn.GRU: one class over any cell, and a name for each.
import type { Cell } from '../cells/cell.ts';
import { elmanRelu, elmanTanh } from '../cells/elman.ts';
import { gru } from '../cells/gru.ts';
import { lstm } from '../cells/lstm.ts';
import { GatewiseError, show } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import { add } from '../expr/arith.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { matmul } from '../ops/matmul.ts';
import { recurrent } from '../ops/recurrent.ts';
import { concat, reshape, slice, transpose, zeros } from '../ops/structure.ts';
import {
  checkOptions,
  checkSize,
  parameterOf,
  uniform,
  type Layer,
  type Parameter,
  type State,
  type Values,
} from './layer.ts';

/** Sizes and options, with PyTorch's names and defaults. */
export interface RecurrentOptions {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** Layers stacked on each other; 1 unless given. */
  readonly numLayers?: number;
  /** Whether the layers have `bias_ih` and `bias_hh`; true unless given. */
  readonly bias?: boolean;
  /** Input and output are (B, T, …) instead of (T, B, …); false unless given. States never change their shape. */
  readonly batchFirst?: boolean;
}

const OPTIONS = ['inputSize', 'hiddenSize', 'numLayers', 'bias', 'batchFirst'] as const;

/** A stack of recurrent layers of one cell. */
export class Recurrent implements Layer {
  readonly name: string;
  readonly cell: Cell;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly parameters: readonly Parameter[];
  /** The cell's states, each (numLayers, B, hiddenSize). */
  readonly states: readonly State[];
  readonly inputDType = 'f32';
  readonly timeAxis: 0 | 1;

  constructor(name: string, cell: Cell, options: RecurrentOptions, ownOptions: readonly string[] = []) {
    checkOptions(name, options, [...OPTIONS, ...ownOptions]);
    const { inputSize, hiddenSize, numLayers = 1, bias = true, batchFirst = false } = options;
    checkSize(name, 'inputSize', inputSize);
    checkSize(name, 'hiddenSize', hiddenSize);
    checkSize(name, 'numLayers', numLayers);
    this.name = name;
    this.cell = cell;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.bias = bias;
    this.batchFirst = batchFirst;
    this.timeAxis = batchFirst ? 1 : 0;
    this.states = cell.states.map((state) => ({
      name: state,
      shape: (batch) => [numLayers, batch, hiddenSize],
    }));
    const rows = cell.gates.length * hiddenSize;
    const initial = uniform(1 / Math.sqrt(hiddenSize));
    this.parameters = Array.from({ length: numLayers }, (_, layer): Parameter[] => {
      const weights: Parameter[] = [
        { name: `weight_ih_l${layer}`, shape: [rows, layer === 0 ? inputSize : hiddenSize], initial },
        { name: `weight_hh_l${layer}`, shape: [rows, hiddenSize], initial },
      ];
      const biases: Parameter[] = [
        { name: `bias_ih_l${layer}`, shape: [rows], initial },
        { name: `bias_hh_l${layer}`, shape: [rows], initial },
      ];
      return bias ? [...weights, ...biases] : weights;
    }).flat();
  }

  /**
   * @param x (T, B, inputSize), or (B, T, inputSize) with `batchFirst`.
   * @param states the cell's states by name, each (numLayers, B, hiddenSize); zeros where absent.
   * @returns `output` (T, B, hiddenSize), h of the last layer after each step, and the states after the last step.
   */
  forward(x: Value, parameters: Values, states: Values = {}): { output: Value; states: Values } {
    expectValue(`${this.name}: input`, x, 'f32');
    if (x.shape.length !== 3 || x.shape[2] !== this.inputSize) {
      throw new GatewiseError(
        'shape',
        `${this.name}: expected input (${this.batchFirst ? 'B, T' : 'T, B'}, ${this.inputSize}), got ${show(x.shape)}`,
      );
    }
    let sequence = this.batchFirst ? transpose(x, [1, 0, 2]) : x;
    const [steps, batch] = sequence.shape;
    const given = this.#initial(states, batch);
    const finals: Value[] = [];
    for (let layer = 0; layer < this.numLayers; layer++) {
      const weight = (kind: string): Value => parameterOf(this, parameters, `${kind}_l${layer}`);
      const flat = reshape(sequence, [steps * batch, -1]);
      const product = matmul(flat, weight('weight_ih'), { transposeB: true });
      const products = reshape(this.bias ? add(product, weight('bias_ih')) : product, [steps, batch, -1]);
      const initial =
        given === undefined
          ? zeros([this.cell.states.length, batch, this.hiddenSize])
          : concat(given.map((state) => slice(state, 0, layer, layer + 1)));
      const { output, final } = recurrent(
        this.cell,
        products,
        weight('weight_hh'),
        initial,
        this.bias ? weight('bias_hh') : undefined,
      );
      finals.push(final);
      sequence = output;
    }
    const last = this.cell.states.map(
      (name, s) => [name, concat(finals.map((final) => slice(final, 0, s, s + 1)))] as const,
    );
    return {
      output: this.batchFirst ? transpose(sequence, [1, 0, 2]) : sequence,
      states: Object.fromEntries(last),
    };
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
    const shape: Shape = [this.numLayers, batch, this.hiddenSize];
    return this.cell.states.map((name) => {
      const state = states[name];
      if (state === undefined) return zeros(shape);
      expectValue(`${this.name}: state ${show(name)}`, state, 'f32', shape);
      return state;
    });
  }
}

export interface RNNOptions extends RecurrentOptions {
  /** `tanh` unless given. */
  readonly nonlinearity?: 'tanh' | 'relu';
}

/** Elman's recurrent layer: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu. */
export class RNN extends Recurrent {
  constructor(options: RNNOptions) {
    const { nonlinearity = 'tanh' } = options;
    if (nonlinearity !== 'tanh' && nonlinearity !== 'relu') {
      throw new GatewiseError(
        'argument',
        `RNN: nonlinearity must be 'tanh' or 'relu', got ${show(nonlinearity)}`,
      );
    }
    super('RNN', nonlinearity === 'tanh' ? elmanTanh : elmanRelu, options, ['nonlinearity']);
  }
}

/** Long short-term memory; gates in the order i, f, g, o. */
export class LSTM extends Recurrent {
  constructor(options: RecurrentOptions) {
    super('LSTM', lstm, options);
  }
}

/** Gated recurrent unit, the reset applied after the recurrent product; gates in the order r, z, n. */
export class GRU extends Recurrent {
  constructor(options: RecurrentOptions) {
    super('GRU', gru, options);
  }
}
