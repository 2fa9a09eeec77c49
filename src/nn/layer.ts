// What a layer is: named parameters with PyTorch's shapes and initial distributions, states, and a pure forward
// function over traced values.
import { GatewiseError, show } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { sizeOf, type DType, type Shape } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { Context } from './context.ts';

export interface Parameter {
  /** As in PyTorch's `state_dict`. */
  readonly name: string;
  readonly shape: Shape;
  /** Draws one element of the initial value. */
  readonly initial: (random: Random) => number;
}

/** A recurrent state, kept from call to call by a stream. */
export interface State {
  readonly name: string;
  readonly shape: (batch: number) => Shape;
}

export type Values = Readonly<Record<string, Value>>;

export interface Layer {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly states: readonly State[];
  /** What the layer reads: features (f32) or indices (i32); undefined: whatever it is given. */
  readonly inputDType: DType | undefined;
  /** The axis of time in the layer's input and output; undefined for layers that do not know of time. */
  readonly timeAxis: 0 | 1 | undefined;
  /** Whether the output at a step depends on no later step, as a stream needs it; true where absent. */
  readonly causal?: boolean;
  /** Whether there is an output for each step of the input; true unless given. */
  readonly perStep?: boolean;
  /**
   * Whether steps past the ends of all sequences can be left out of the input: the output at a step then depends neither
   * on them nor on how many there are, and past the ends it is the same at every step. False where absent.
   */
  readonly ignoresPadding?: boolean;
  /**
   * @param parameters by name. @param states by name, from before the first step; zeros where absent.
   * @param context lengths, masks and noise.
   * @returns the output, and the states after the last step, by name.
   */
  forward(
    x: Value,
    parameters: Values,
    states?: Values,
    context?: Context,
  ): { output: Value; states: Values };
}

/** The parameter of that name. */
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

/** Initial values of a parameter. */
export function initialize({ shape, initial }: Parameter, random: Random): Float32Array {
  return Float32Array.from({ length: sizeOf(shape) }, () => initial(random));
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

/** Throws unless a size option is a whole number of at least 1. */
export function checkSize(layer: string, option: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new GatewiseError(
      'argument',
      `${layer}: ${option} must be a whole number of at least 1, got ${show(value)}`,
    );
  }
}
