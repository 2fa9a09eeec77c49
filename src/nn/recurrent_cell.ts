// PyTorch's nn.RNNCell, nn.LSTMCell and nn.GRUCell: one step of a cell, for loops over time of the caller's own, or all steps by `scan`.
import type { Cell } from '../cells/cell.ts';
import { elmanRelu, elmanTanh } from '../cells/elman.ts';
import { gru } from '../cells/gru.ts';
import { lstm } from '../cells/lstm.ts';
import { refuseProxy } from '../core/refuse_proxy.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { Shape } from '../core/shape.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { reshape } from '../ops/structure.ts';
import type { Context } from './context.ts';
import { type Layer, type LayerResult, type Parameter, type State, type Values } from './layer.ts';
import { Recurrent } from './recurrent.ts';
import { checkNonlinearity } from './recurrent_options.ts';
import { withAxis, withoutBatch } from './unbatched.ts';

export interface RecurrentCellOptions {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** Whether there are `bias_ih` and `bias_hh`; true unless given. */
  readonly bias?: boolean;
  /** For cells that project: the size of h. */
  readonly projSize?: number;
}

/** One step of a cell: x (B, inputSize) and states (B, hiddenSize) give new states; B may be absent. Names have no `_l0`. */
export class RecurrentCell implements Layer {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly states: readonly State[];
  readonly inputDType = 'f32';
  readonly timeAxis = undefined;
  readonly #layer: Recurrent;

  static {
    refuseProxy(this, 'layer', (object) => #layer in object);
  }

  constructor(name: string, cell: Cell, options: RecurrentCellOptions, ownOptions: readonly string[] = []) {
    checkOptions(name, options, ['inputSize', 'hiddenSize', 'bias', 'projSize', ...ownOptions]);
    this.name = name;
    this.#layer = new Recurrent(name, cell, options, ownOptions);
    this.parameters = this.#layer.parameters.map((parameter) => ({
      ...parameter,
      name: parameter.name.replace(/_l0$/, ''),
    }));
    this.states = this.#layer.states.map((state) => ({
      ...state,
      shape: (batch) => state.shape(batch).slice(1),
    }));
  }

  /**
   * Lengths and masks do not apply to a single step.
   * @param x (B, inputSize), or (inputSize) for one row; its states then have no batch axis either.
   * @param states By name, each (B, hiddenSize), or (B, projSize) for a projected h; zeros where absent.
   * @returns The new h as `output`, and all new states.
   */
  forward(x: Value, parameters: Values, states: Values = {}): LayerResult {
    expectValue(`${this.name}: input`, x, 'f32');
    const { inputSize } = this.#layer;
    const rank = x.shape.length;
    if ((rank !== 2 && rank !== 1) || x.shape[rank - 1] !== inputSize)
      throw new GatewiseError(
        'shape',
        `${this.name}: expected input (B, ${inputSize}), or (${inputSize}) without a batch, got ${show(x.shape)}`,
      );
    const axes = { input: 0, state: 0 };
    if (rank === 1)
      return withoutBatch(this, axes, x, states, {}, (row, before) => this.forward(row, parameters, before));
    const forward = (sequence: Value, before: Values): LayerResult =>
      this.#layer.forward(sequence, ofLayer(parameters), before);
    const after = withAxis(this.#layer, x, states, forward, { axes, batch: x.shape[0] }).states;
    return { output: after['h'], states: after };
  }

  /**
   * All steps of a sequence, as `forward` called for each in turn, but planned once and run as a layer's loop.
   * @param xs (T, B, inputSize).
   * @param states As for `forward`, before the first step.
   * @param context Lengths or a mask of the sequences.
   * @returns `output` (T, B, hiddenSize), h after each step, and the states after the last step.
   */
  scan(xs: Value, parameters: Values, states: Values = {}, context: Context = {}): LayerResult {
    expectValue(`${this.name}: input`, xs, 'f32');
    const { inputSize } = this.#layer;
    if (xs.shape.length !== 3 || xs.shape[2] !== inputSize)
      throw new GatewiseError(
        'shape',
        `${this.name}: scan expected input (T, B, ${inputSize}), got ${show(xs.shape)}; a single step is forward()`,
      );
    const reshaped = (values: Values, shapeOf: (shape: Shape) => Shape): Values =>
      Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, reshape(value, shapeOf(value.shape))]),
      );
    const before = reshaped(states, (shape) => [1, ...shape]);
    const { output, states: after } = this.#layer.forward(xs, ofLayer(parameters), before, context);
    return { output, states: reshaped(after, (shape) => shape.slice(1)) };
  }
}

/** Parameters under the names that a layer has for them. */
const ofLayer = (parameters: Values): Values =>
  Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`${name}_l0`, value]));

export interface RNNCellOptions extends Omit<RecurrentCellOptions, 'projSize'> {
  /** `tanh` unless given. */
  readonly nonlinearity?: 'tanh' | 'relu';
}

/** h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu. */
export class RNNCell extends RecurrentCell {
  constructor(options: RNNCellOptions) {
    const nonlinearity = checkNonlinearity('RNNCell', options?.nonlinearity);
    super('RNNCell', nonlinearity === 'tanh' ? elmanTanh : elmanRelu, options, ['nonlinearity']);
  }
}

/** States h and c; gates in the order i, f, g, o. */
export class LSTMCell extends RecurrentCell {
  constructor(options: Omit<RecurrentCellOptions, 'projSize'>) {
    super('LSTMCell', lstm, options);
  }
}

/** Gates in the order r, z, n, the reset applied after the recurrent product. */
export class GRUCell extends RecurrentCell {
  constructor(options: Omit<RecurrentCellOptions, 'projSize'>) {
    super('GRUCell', gru, options);
  }
}
