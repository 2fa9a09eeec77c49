// The interface of layers: named parameters with PyTorch's shapes and initial distributions, states, and a pure function
// `forward` over traced values.
import { GatewiseError, show } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { sizeOf, type DType, type Shape } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { Context } from './context.ts';

export interface Parameter {
  /** As in PyTorch's `state_dict`. */
  readonly name: string;
  readonly shape: Shape;
  /** Whether it is a matrix (N, K) that multiplies inputs, so that a net may store it in fewer bits. */
  readonly quantizable?: boolean;
  /** Draws one element of the initial value. */
  readonly initial: (random: Random) => number;
}

/** A recurrent state: an input and an output of `forward`. */
export interface State {
  readonly name: string;
  readonly shape: (batch: number) => Shape;
}

export type Values = Readonly<Record<string, Value>>;

export interface Layer {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly states: readonly State[];
  /** f32 for features, i32 for indices; undefined if the layer accepts both. */
  readonly inputDType: DType | undefined;
  /** The axis of time in input and output; undefined for layers without one, such as Linear. */
  readonly timeAxis: 0 | 1 | undefined;
  /** Whether the output at a step depends on no later step, which streams require; true where absent. */
  readonly causal?: boolean;
  /**
   * Whether the output has a row for each step of the input. Where absent, shapes tell, and a trainer with lengths or a mask asks
   * for it if they do not.
   */
  readonly perStep?: boolean | undefined;
  /**
   * Whether steps that are padding in every row can be cut off the input: no other output depends on them or on their number,
   * and the output is the same at each of them. False where absent.
   */
  readonly ignoresPadding?: boolean;
  /**
   * @param parameters By name, as in `parameters`.
   * @param states By name, before the first step; zeros where absent.
   * @param context Lengths, mask and random numbers.
   */
  forward(x: Value, parameters: Values, states?: Values, context?: Context): LayerResult;
}

/** Whether the output has a row for each step; undefined if a layer of one's own does not say. Layers of the library have one. */
export const perStepOf = ({ perStep, ignoresPadding }: Layer): boolean | undefined =>
  perStep ?? (ignoresPadding === true ? true : undefined);

export interface LayerResult {
  readonly output: Value;
  /** After the last step, by name. */
  readonly states: Values;
}

/** A parameter by name. @throws GatewiseError `argument` if it is missing. */
export function parameterOf(layer: Layer, parameters: Values, name: string): Value {
  const value = parameters[name];
  if (value === undefined) {
    throw new GatewiseError(
      'argument',
      `${layer.name}: no parameter ${show(name)}; expected ${show(layer.parameters.map((p) => p.name))}`,
    );
  }
  return value;
}

/** Throws unless the layer has all of these states. @param what The caller, for errors. */
export function checkStates(what: string, layer: Layer, states: object): void {
  const names = layer.states.map(({ name }) => name);
  const unknown = Object.keys(states).find((state) => !names.includes(state));
  if (unknown !== undefined)
    throw new GatewiseError('argument', `${what}: no state ${show(unknown)}; expected ${show(names)}`);
}

/** Draws all elements of a parameter, in row-major order. */
export function initialize({ shape, initial }: Parameter, random: Random): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  // A loop, since Float32Array.from with a function takes several times as long.
  for (let i = 0; i < values.length; i++) values[i] = initial(random);
  return values;
}

/** Uniform in [-bound, bound). */
export const uniform =
  (bound: number) =>
  (random: Random): number =>
    random.uniform(-bound, bound);

/** Throws unless `layer` is a layer, made with `new`. */
export function checkLayer(what: string, layer: unknown): asserts layer is Layer {
  const found = layer as Partial<Layer> | undefined | null;
  if (typeof found?.forward !== 'function' || !Array.isArray(found.parameters)) {
    throw new GatewiseError(
      'argument',
      `${what}: expected a layer, such as new LSTM({ … }) or new Sequential([ … ]), got ${show(layer)}`,
    );
  }
}
