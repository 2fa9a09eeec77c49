// Arithmetic functions for scalar expressions (Expr) and traced tensors (Value). Each calls the `apply` method of its first
// operand that is not a number.
import { GatewiseError, show } from '../core/errors.ts';

/** The scalar operations of one operand, of two, and all; scalar_ops.ts defines them. */
type UnaryOpName =
  | 'neg'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'abs'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'softplus'
  | 'isfinite';
type BinaryOpName = 'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'minimum' | 'less' | 'equal';
export type ScalarOpName = UnaryOpName | BinaryOpName | 'where';

/** An operand of the arithmetic functions. */
export interface Arith<Self> {
  /** Applies a scalar operation element by element. */
  apply(op: ScalarOpName, args: readonly (Self | number)[]): Self;
}

type Operand<T> = T | number;

/** Whether a value is an expression or a traced value. Functions, which have a method `apply` too, are not. */
export const isArith = (value: unknown): boolean =>
  typeof value === 'object' && typeof (value as { apply?: unknown } | null)?.apply === 'function';

function call<T extends Arith<T>>(op: ScalarOpName, args: readonly Operand<T>[]): T {
  for (const arg of args) {
    if (typeof arg !== 'number' && !isArith(arg))
      throw new GatewiseError(
        'argument',
        `${op}: expected numbers, expressions or traced values, got ${show(arg)}`,
      );
  }
  const owner = args.find((arg): arg is T => typeof arg !== 'number');
  if (owner === undefined)
    throw new GatewiseError(
      'argument',
      `${op}: at least one operand must be an expression or a traced value, got ${args.join(', ')}`,
    );
  return owner.apply(op, args);
}

type Unary = <T extends Arith<T>>(x: T) => T;
type Binary = <T extends Arith<T>>(a: Operand<T>, b: Operand<T>) => T;

const unary =
  (op: UnaryOpName): Unary =>
  (x) =>
    call(op, [x]);
const binary =
  (op: BinaryOpName): Binary =>
  (a, b) =>
    call(op, [a, b]);

export const add: Binary = binary('add');
export const sub: Binary = binary('sub');
export const mul: Binary = binary('mul');
export const div: Binary = binary('div');
/** The larger operand; if they are equal, the gradient flows to the first. */
export const maximum: Binary = binary('maximum');
/** The smaller operand; if they are equal, the gradient flows to the first. */
export const minimum: Binary = binary('minimum');
/** 1 if a < b, else 0. Its gradient is 0. */
export const less: Binary = binary('less');
/** 1 if a = b, else 0. Its gradient is 0. */
export const equal: Binary = binary('equal');

export const neg: Unary = unary('neg');
export const exp: Unary = unary('exp');
/** Natural logarithm, of a positive number. */
export const log: Unary = unary('log');
export const sqrt: Unary = unary('sqrt');
export const abs: Unary = unary('abs');
/** 1 / (1 + e^-x), finite for every finite x. */
export const sigmoid: Unary = unary('sigmoid');
/** Hyperbolic tangent, finite for every finite x (WGSL's own is not). */
export const tanh: Unary = unary('tanh');
/** max(x, 0); its gradient at 0 is 0, as in PyTorch. */
export const relu: Unary = unary('relu');
/** log(1 + e^x), finite for every finite x, without cancellation for negative x. */
export const softplus: Unary = unary('softplus');
/** 1 where x is neither infinite nor NaN, else 0. Its gradient is 0. */
export const isfinite: Unary = unary('isfinite');
/** log(sigmoid(x)) = -softplus(-x), finite for every finite x. */
export const logsigmoid: Unary = (x) => neg(softplus(neg(x)));
/** x·x. */
export const square: Unary = (x) => mul(x, x);
/** `x` limited to [low, high]; on a bound the gradient flows to `x`, as in PyTorch. */
export const clamp = <T extends Arith<T>>(x: T, low: Operand<T>, high: Operand<T>): T =>
  minimum(maximum(x, low), high);
/** `a` if the condition is not 0, else `b`. No gradient flows to the condition. */
export const where = <T extends Arith<T>>(condition: T, a: Operand<T>, b: Operand<T>): T =>
  call('where', [condition, a, b]);
