// What a stream and a trainer see of a net.
import type { Backend } from '../backend/backend.ts';
import { GatewiseError } from '../core/errors.ts';
import type { DType, Shape } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { Layer } from '../nn/layer.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import { toHostTensor, type HostData } from './host.ts';
import type { ParameterLayout } from './parameters.ts';
import type { Argument, Program, Traced } from './program.ts';
import { Tensor } from './tensor.ts';

/** Memory of a backend. */
export interface Memory {
  readonly backend: Backend;
  allocate(shape: Shape, dtype: DType): Tensor;
}

export interface NetContext {
  readonly runtime: Memory;
  readonly model: Layer;
  readonly layout: ParameterLayout;
  /** What weight matrices are rounded to where they are multiplied by. */
  readonly precision: WeightPrecision;
  /** All parameters, flat. */
  readonly weights: Tensor;
  /**
   * The program of that key for arguments of these shapes, traced at the first use.
   * @param known arguments that are there before the others of a run.
   */
  program(
    key: string,
    args: readonly Argument[],
    trace: (args: readonly Value[]) => Traced,
    argumentNames?: readonly string[],
    known?: readonly number[],
  ): Program;
  /** Freed with the net. */
  keep<T extends Disposable>(dependent: T): T;
  /** No longer freed with the net. */
  forget(dependent: Disposable): void;
  /** What the model reads, as an argument of the right dtype. */
  input(what: string, x: Tensor | HostData): Argument;
}

/** A tensor as it is; host data as shape and numbers of the wanted dtype. */
export function toArgument(what: string, value: Tensor | HostData, dtype: DType | undefined): Argument {
  if (!(value instanceof Tensor)) return toHostTensor(what, value, undefined, dtype);
  if (dtype !== undefined && value.dtype !== dtype) {
    throw new GatewiseError('dtype', `${what}: expected ${dtype}, got a tensor of ${value.dtype}`);
  }
  return value;
}

/** What a plan depends on of its arguments, as a key. */
export function signatureKey(args: readonly { readonly dtype: DType; readonly shape: Shape }[]): string {
  return args.map(({ dtype, shape }) => `${dtype}[${shape.join()}]`).join();
}
