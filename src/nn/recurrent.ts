// Recurrent layers: one class over any cell, and PyTorch's nn.RNN, nn.LSTM and nn.GRU.
import type { Cell } from '../cells/cell.ts';
import { elmanRelu, elmanTanh } from '../cells/elman.ts';
import { gru } from '../cells/gru.ts';
import { lstm, lstmProjected } from '../cells/lstm.ts';
import { withRecurrentDropout, withZoneout } from '../cells/regularised.ts';
import { withWatch, type Watch } from '../cells/watched.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { refuseProxy } from '../core/refuse_proxy.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { dropout, dropoutMask } from '../ops/dropout.ts';
import { recurrentLayers, zeroWhereMasked, type LayerWeights } from '../ops/recurrent_layers.ts';
import { segmentSizes } from '../ops/segments.ts';
import { concat, reshape, slice, transpose, zeros } from '../ops/structure.ts';
import { maskOf } from './mask.ts';
import type { Context } from './context.ts';
import {
  checkStates,
  parameterOf,
  uniform,
  type Layer,
  type LayerResult,
  type Parameter,
  type State,
  type Values,
} from './layer.ts';
import { checkSequence, withoutBatch } from './unbatched.ts';
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
  /** The cell's states, each (L·D, B, hiddenSize); a projected h is (L·D, B, projSize). */
  readonly states: readonly State[];
  readonly inputDType = 'f32';
  readonly timeAxis: 0 | 1;
  readonly causal: boolean;
  readonly ignoresPadding = true;
  readonly #directions: 1 | 2;

  static {
    refuseProxy(this, 'layer', (object) => #directions in object);
  }

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
    this.parameters = Array.from({ length: numLayers * this.#directions }, (_, i) =>
      this.#parametersOf(...this.#placeOf(i)),
    ).flat();
  }

  /** Units of h. */
  get outputSize(): number {
    return this.options.projSize || this.options.hiddenSize;
  }

  /** Whether a parallel scan over time runs the cell. */
  protected get isScan(): boolean {
    return false;
  }

  /** The layer of pseudo-layer `i`, in PyTorch's order, and the suffix of its parameter names. */
  #placeOf(i: number): [layer: number, suffix: string] {
    const layer = Math.floor(i / this.#directions);
    return [layer, `_l${layer}${i % this.#directions === 1 ? '_reverse' : ''}`];
  }

  /** The distribution of initial weights, which is PyTorch's. @param _width The number of inputs of the layer. */
  protected initialOf(_width: number): Parameter['initial'] {
    return uniform(1 / Math.sqrt(this.hiddenSize));
  }

  #parametersOf(layer: number, suffix: string): Parameter[] {
    const { cell, options, outputSize } = this;
    const { inputSize, hiddenSize, bias, projSize } = options;
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
    const bound = this.initialOf(width);
    return [
      ...Object.entries(shapes).map(([name, shape]) => ({
        name: name + suffix,
        shape,
        quantizable: shape.length === 2,
        initial: bound,
      })),
      ...cell.weights.map(({ name, initial }) => ({
        name: name + suffix,
        shape: [hiddenSize],
        initial: initial === 'uniform' ? bound : () => initial,
      })),
    ];
  }

  /** The cell that runs: with zoneout, and in training with variational dropout. */
  #cell({ noise }: Context): Cell {
    const { zoneout, recurrentDropout } = this.options;
    const cell = withZoneout(this.cell, zoneout, noise !== undefined);
    return withRecurrentDropout(cell, noise !== undefined && recurrentDropout > 0);
  }

  /**
   * @param x (T, B, inputSize), or (B, T, inputSize) with `batchFirst`; (T, inputSize) is one sequence, whose output and
   *   states have no batch either.
   * @param states The cell's states by name, each of the shape in `this.states`; zeros where absent.
   * @param context Lengths or a mask of the sequences; in training the random numbers of dropout and zoneout.
   * @returns `output` (T, B, D·W), h of the last layer after each step, and the states after the last step.
   */
  forward(x: Value, parameters: Values, states: Values = {}, context: Context = {}): LayerResult {
    const { batchFirst, numLayers } = this;
    if (checkSequence(this, x) === 'alone')
      return withoutBatch(this, { input: 1 - this.timeAxis, state: 1 }, x, states, context, (one, before) =>
        this.forward(one, parameters, before, context),
      );
    const { dropout: dropProbability, recurrentDropout, recompute, wavefront } = this.options;
    const { noise, lengths } = context;
    let sequence = batchFirst ? transpose(x, [1, 0, 2]) : x;
    const [steps, batch] = sequence.shape;
    const given = this.#initial(states, batch);
    const mask = maskOf(this.name, context, steps, batch, batchFirst);
    if (mask !== undefined) sequence = zeroWhereMasked(sequence, mask);
    const seen = this.#seen(context, steps, batch);
    const cell = withWatch(this.#cell(context), seen);
    const draws = cell.program({ bias: this.options.bias, masked: mask !== undefined }).draws > 0;
    if (draws && wavefront === true)
      throw new GatewiseError(
        'unsupported',
        `${this.name}: layers with a cell that draws random numbers cannot share launches; leave out wavefront`,
      );
    // Dropout between layers, and random numbers within them, split the stack into one op per layer.
    const isApart = noise !== undefined && dropProbability > 0;
    const count = isApart || draws || cell.dropsRecurrent ? 1 : numLayers;
    const directions = this.#directions;
    const finals: (readonly Value[])[] = [];
    const histories: (readonly Value[])[] = [];
    for (let layer = 0; layer < numLayers; layer += count) {
      const [from, to] = [layer * directions, (layer + count) * directions];
      const keep =
        noise && cell.dropsRecurrent
          ? dropoutMask([directions, batch, this.outputSize], recurrentDropout, noise.seed, noise.stream())
          : undefined;
      const result = recurrentLayers(cell, {
        x: sequence,
        hidden: this.hiddenSize,
        directions,
        weights: this.#weights(parameters, layer, count),
        initial: given && this.#withWatched(given, cell, batch).map((state) => slice(state, 0, from, to)),
        mask,
        packed: lengths !== undefined,
        keep,
        noise: draws && noise ? { seed: noise.seed, streams: this.#streams(steps, noise) } : undefined,
        recompute,
        wavefront,
        scan: this.isScan && !seen.isAny,
        taps: seen.all && slice(seen.all, 1, from, to),
        history: seen.isAny,
      });
      finals.push(result.finals);
      histories.push(result.history);
      sequence = result.output;
      if (noise !== undefined && layer + count < numLayers)
        sequence = dropout(sequence, dropProbability, noise);
    }
    if (seen.isAny)
      this.#show(
        context,
        seen,
        cell.states.map((_, s) =>
          concat(
            histories.map((own) => own[s]),
            1,
          ),
        ),
      );
    const last = this.cell.states.map((name, s) => [name, concat(finals.map((final) => final[s]))] as const);
    return {
      output: batchFirst ? transpose(sequence, [1, 0, 2]) : sequence,
      states: Object.fromEntries(last),
    };
  }

  /** What a context asks to see, with the taps of all layers. */
  #seen({ capture }: Context, steps: number, batch: number): Seen {
    const names = [...this.cell.states, GATES].filter((name) => capture?.wants(name) === true);
    const isAny = names.length > 0;
    const taps = isAny && capture?.gradients === true;
    const { gates, states } = this.cell;
    const width = (gates.length + states.length) * this.hiddenSize;
    const all = taps ? zeros([steps, this.numLayers * this.#directions, batch, width]) : undefined;
    return { names, isAny, gates: names.includes(GATES), taps, all };
  }

  /** Initial states of a watched cell: zeros for the gates, which nothing reads. */
  #withWatched(given: readonly Value[], cell: Cell, batch: number): readonly Value[] {
    const more = cell.states.slice(given.length);
    return [...given, ...more.map(() => zeros([this.numLayers * this.#directions, batch, this.hiddenSize]))];
  }

  /** Adds what was asked for. @param history (T, L·D, B, W) per state of the watched cell. */
  #show({ capture }: Context, { names, all }: Seen, history: readonly Value[]): void {
    const { gates, states } = this.cell;
    const count = gates.length * this.hiddenSize;
    const [steps, layers, batch] = history[0].shape;
    const perGate = [steps, layers, batch, gates.length, this.hiddenSize];
    for (const name of names) {
      const s = states.indexOf(name);
      const value = s < 0 ? reshape(concat(history.slice(states.length), 3), perGate) : history[s];
      const from = count + s * this.hiddenSize;
      const part = (gradient: Value): Value =>
        s < 0
          ? reshape(slice(gradient, 3, 0, count), perGate)
          : slice(gradient, 3, from, from + this.hiddenSize);
      capture?.add(name, { value, ...(all && { tap: { of: all, part } }) });
    }
  }

  /** Weights of `count` layers, by parameter name without suffix. */
  #weights(parameters: Values, first: number, count: number): LayerWeights[] {
    return Array.from({ length: count * this.#directions }, (_, i) => {
      const [layer, suffix] = this.#placeOf(first * this.#directions + i);
      const own = this.#parametersOf(layer, suffix).map(({ name }) => [
        name.slice(0, -suffix.length),
        parameterOf(this, parameters, name),
      ]);
      return Object.fromEntries(own) as LayerWeights;
    });
  }

  /** A random stream for each segment that `recompute` asks for. */
  #streams(steps: number, noise: NonNullable<Context['noise']>): number[] {
    const { recompute } = this.options;
    const limits = typeof recompute === 'number' ? { most: recompute } : {};
    return segmentSizes(steps, this.#directions, 0, limits).map(() => noise.stream());
  }

  /** The initial states, zeros for those that are not given; undefined if none is given. */
  #initial(states: Values, batch: number): Value[] | undefined {
    checkStates(this.name, this, states);
    if (Object.keys(states).length === 0) return undefined;
    return this.states.map(({ name, shape }) => {
      const state = states[name];
      if (state === undefined) return zeros(shape(batch));
      expectValue(`${this.name}: state ${show(name)}`, state, 'f32', shape(batch));
      return state;
    });
  }
}

/** The name under which a layer shows its gates. */
const GATES = 'gates';

/** What a layer shows of itself. */
interface Seen extends Watch {
  readonly names: readonly string[];
  readonly isAny: boolean;
  /** (T, L·D, B, (G + S)·H): zeros, if gradients are asked for. */
  readonly all: Value | undefined;
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
