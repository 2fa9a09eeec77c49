// ONNX's activations by name, with its default alpha and beta (operator set 22, "LSTM").
import { GatewiseError, show } from '../core/errors.ts';
import { checkOptions, isFloat32 } from '../core/options.ts';
import * as word from '../expr/arith.ts';
import type { Arith } from '../expr/arith.ts';

export type ActivationName =
  | 'Affine'
  | 'Elu'
  | 'HardSigmoid'
  | 'LeakyRelu'
  | 'Relu'
  | 'ScaledTanh'
  | 'Sigmoid'
  | 'Softplus'
  | 'Softsign'
  | 'Tanh'
  | 'ThresholdedRelu';

export interface Activation {
  readonly name: ActivationName;
  readonly alpha?: number;
  readonly beta?: number;
}

interface Row {
  readonly alpha?: number;
  readonly beta?: number;
  readonly apply: <T extends Arith<T>>(x: T, alpha: number, beta: number) => T;
}

const { add, mul, div, abs, sub, exp, less, where, minimum, clamp, relu, tanh, sigmoid, softplus } = word;

const table: Record<ActivationName, Row> = {
  Affine: { alpha: 1, beta: 0, apply: (x, a, b) => add(mul(x, a), b) },
  // The exponential of min(x, 0): e^x of a large x would overflow in the branch that is not selected.
  Elu: { alpha: 1, apply: (x, a) => where(less(x, 0), mul(sub(exp(minimum(x, 0)), 1), a), x) },
  HardSigmoid: { alpha: 0.2, beta: 0.5, apply: (x, a, b) => clamp(add(mul(x, a), b), 0, 1) },
  LeakyRelu: { alpha: 0.01, apply: (x, a) => where(less(x, 0), mul(x, a), x) },
  Relu: { apply: (x) => relu(x) },
  ScaledTanh: { alpha: 1, beta: 1, apply: (x, a, b) => mul(tanh(mul(x, b)), a) },
  Sigmoid: { apply: (x) => sigmoid(x) },
  Softplus: { apply: (x) => softplus(x) },
  Softsign: { apply: (x) => div(x, add(abs(x), 1)) },
  Tanh: { apply: (x) => tanh(x) },
  ThresholdedRelu: { alpha: 1, apply: (x, a) => where(less(x, a), 0, x) },
};

/** ONNX compares the names without regard to case. */
const names = new Map(Object.keys(table).map((name) => [name.toLowerCase(), name as ActivationName]));

/** An activation as a function of an expression. @throws GatewiseError `unsupported` for a name that ONNX does not define. */
export function activation(what: string, given: Activation | string): <T extends Arith<T>>(x: T) => T {
  const one = typeof given === 'string' ? { name: given } : given;
  checkOptions(`${what}: an activation`, one, ['name', 'alpha', 'beta']);
  const { name, alpha, beta }: Omit<Activation, 'name'> & { readonly name: string } = one;
  const known = names.get(String(name).toLowerCase());
  if (known === undefined)
    throw new GatewiseError(
      'unsupported',
      `${what}: unknown activation ${show(name)}; expected one of ${Object.keys(table).join(', ')}`,
    );
  const row = table[known];
  for (const [option, value] of [
    ['alpha', alpha],
    ['beta', beta],
  ] as const) {
    if (value === undefined) continue;
    if (row[option] === undefined || !isFloat32(value))
      throw new GatewiseError('argument', `${what}: ${known} has no ${option} of ${show(value)}`);
  }
  return (x) => row.apply(x, alpha ?? row.alpha ?? 0, beta ?? row.beta ?? 0);
}
