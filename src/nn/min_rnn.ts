// Minimal recurrent layers, whose gates do not look at the state: Feng et al., "Were RNNs All We Needed?" (2024).
// All products are one matmul and the recurrence is linear, so nothing waits for the step before but a scan.
import { flag, probability, readOptions, size } from '../core/options.ts';
import { add, logsigmoid, mul, neg, sigmoid, sub, where } from '../expr/arith.ts';
import { Expr } from '../expr/expr.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { linearScanOf } from '../ops/linear_scan.ts';
import { weightProduct } from '../ops/fake_quantize.ts';
import { dropout } from '../ops/dropout.ts';
import { concat, reshape, slice, transpose } from '../ops/structure.ts';
import type { Context } from './context.ts';
import { maskOf } from './mask.ts';
import { checkSequence, withoutBatch } from './unbatched.ts';
import {
  checkStates,
  parameterOf,
  uniform,
  type Layer,
  type Parameter,
  type State,
  type Values,
} from './layer.ts';

/** Sizes and options, with the names and defaults of PyTorch's recurrent layers. */
export interface MinRNNOptions {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** Layers stacked on each other; 1 unless given. */
  readonly numLayers?: number;
  /** Whether the layers have `bias_ih`; true unless given. */
  readonly bias?: boolean;
  /** Input and output are (B, T, …) instead of (T, B, …); false unless given. States never change their shape. */
  readonly batchFirst?: boolean;
  /** Whether a second scan goes from the last step to the first, its h behind the other's; false unless given. */
  readonly bidirectional?: boolean;
  /** The share of each layer's output, but the last's, that is dropped while training; 0 unless given. */
  readonly dropout?: number;
}

const OPTIONS = {
  inputSize: size(),
  hiddenSize: size(),
  numLayers: size(1),
  bias: flag(true),
  batchFirst: flag(false),
  bidirectional: flag(false),
  dropout: probability(0),
};

/** The a and b of h' = a · h + b, from the products of the gates in their order. */
type Step = (...products: readonly Expr[]) => readonly [a: Expr, b: Expr];

/** A stack of minimal recurrent layers. */
export class MinRNN implements Layer {
  readonly name: string;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly bidirectional: boolean;
  readonly dropout: number;
  readonly parameters: readonly Parameter[];
  /** `h` (numLayers, B, hiddenSize); with `bidirectional` twice as many, each layer's second behind its first. */
  readonly states: readonly State[];
  readonly inputDType = 'f32';
  readonly timeAxis: 0 | 1;
  readonly causal: boolean;
  readonly ignoresPadding = true;
  /** Of each direction, what its weights' names end in. */
  readonly #directions: readonly string[];
  readonly #gates: number;
  readonly #step: readonly [a: Expr, b: Expr];

  constructor(name: string, gates: readonly string[], step: Step, options: MinRNNOptions) {
    const {
      inputSize,
      hiddenSize,
      numLayers,
      bias,
      batchFirst,
      bidirectional,
      dropout: p,
    } = readOptions(name, OPTIONS, options);
    this.name = name;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.bias = bias;
    this.batchFirst = batchFirst;
    this.bidirectional = bidirectional;
    this.dropout = p;
    this.timeAxis = batchFirst ? 1 : 0;
    this.causal = !bidirectional;
    this.#directions = bidirectional ? ['', '_reverse'] : [''];
    this.#gates = gates.length;
    this.#step = step(...gates.map((_, slot) => Expr.input(`in${slot}`)));
    const directions = this.#directions.length;
    this.states = [{ name: 'h', shape: (batch) => [numLayers * directions, batch, hiddenSize] }];
    const rows = gates.length * hiddenSize;
    this.parameters = Array.from({ length: numLayers }, (_, layer) => {
      const width = layer === 0 ? inputSize : directions * hiddenSize;
      // As a Linear's: there is no recurrent product to go by.
      const initial = uniform(1 / Math.sqrt(width));
      return this.#directions.flatMap((direction): Parameter[] => {
        const weight = { name: `weight_ih_l${layer}${direction}`, shape: [rows, width], initial };
        const biases = { name: `bias_ih_l${layer}${direction}`, shape: [rows], initial };
        return bias ? [weight, biases] : [weight];
      });
    }).flat();
  }

  /**
   * @param x (T, B, inputSize), or (B, T, inputSize) with `batchFirst`; (T, inputSize) is one sequence, whose output and
   * state have no batch either.
   * @param states `h`, before the first step and, of the reverse direction, after the last; zeros where absent.
   * @param context steps that `lengths` or `mask` leave out carry the state, whatever the input holds there; past a
   * length the output is 0.
   * @returns `output` (T, B, hiddenSize), h of the last layer after each step, or (T, B, 2·hiddenSize) with
   * `bidirectional`, and `h` where each direction ends.
   */
  forward(
    x: Value,
    parameters: Values,
    states: Values = {},
    context: Context = {},
  ): { output: Value; states: Values } {
    if (checkSequence(this, x) === 'alone')
      return withoutBatch(this, { input: 1 - this.timeAxis, state: 1 }, x, states, context, (one, before) =>
        this.forward(one, parameters, before, context),
      );
    const timeFirst = (value: Value): Value =>
      this.batchFirst ? transpose(value, [1, 0, ...(value.shape.length === 3 ? [2] : [])]) : value;
    let sequence = timeFirst(x);
    const [steps, batch] = sequence.shape;
    const given = this.#initial(states, batch);
    const counts = maskOf(this.name, context, steps, batch, this.batchFirst);
    const within = context.lengths && counts;
    const only = (kept: Value, value: Value): Value => where(reshape(kept, [steps, batch, 1]), value, 0);
    // Padding may hold anything, and 0 · NaN in the weights' gradient would be NaN.
    if (counts !== undefined) sequence = only(counts, sequence);
    const finals: Value[] = [];
    for (let layer = 0; layer < this.numLayers; layer++) {
      const flat = reshape(sequence, [steps * batch, -1]);
      const outputs = this.#directions.map((direction, d) => {
        const parameter = (kind: string): Value =>
          parameterOf(this, parameters, `${kind}_l${layer}${direction}`);
        const product = weightProduct(flat, parameter('weight_ih'), context.precision);
        const gates = this.bias ? add(product, parameter('bias_ih')) : product;
        const state = layer * this.#directions.length + d;
        const h = linearScanOf(this.#step, [reshape(gates, [steps, batch, this.#gates, this.hiddenSize])], {
          reverse: d === 1,
          ...(counts && { mask: counts }),
          ...(given && { initial: reshape(slice(given, 0, state, state + 1), [batch, this.hiddenSize]) }),
        });
        finals.push(d === 1 ? slice(h, 0, 0, 1) : slice(h, 0, steps - 1, steps));
        return h;
      });
      sequence = concat(outputs, 2);
      const { noise } = context;
      if (noise !== undefined && layer + 1 < this.numLayers)
        sequence = dropout(sequence, this.dropout, noise);
    }
    const output = within === undefined ? sequence : only(within, sequence);
    return { output: timeFirst(output), states: { h: concat(finals) } };
  }

  #initial(states: Values, batch: number): Value | undefined {
    checkStates(this, states);
    if (states['h'] !== undefined)
      expectValue(`${this.name}: state "h"`, states['h'], 'f32', this.states[0].shape(batch));
    return states['h'];
  }
}

/** h' = (1 - z) · h + z · h̃, where z = σ(W_z x + b_z) and h̃ = W_h x + b_h; gates in the order z, h̃. */
export class MinGRU extends MinRNN {
  constructor(options: MinRNNOptions) {
    const step: Step = (z, candidate) => {
      const update = sigmoid(z);
      return [sub(1, update), mul(update, candidate)];
    };
    super('MinGRU', ['z', 'h'], step, options);
  }
}

/**
 * h' = f / (f + i) · h + i / (f + i) · h̃, where f = σ(W_f x + b_f), i = σ(W_i x + b_i) and h̃ = W_h x + b_h; gates in the
 * order f, i, h̃.
 */
export class MinLSTM extends MinRNN {
  constructor(options: MinRNNOptions) {
    const step: Step = (f, i, candidate) => {
      // f / (f + i) = σ(log f - log i), which stands where both are too small to divide.
      const ratio = sub(logsigmoid(f), logsigmoid(i));
      return [sigmoid(ratio), mul(sigmoid(neg(ratio)), candidate)];
    };
    super('MinLSTM', ['f', 'i', 'h'], step, options);
  }
}
