// The table of scalar operations: value in float64, WGSL and derivative of each.
// To add one: a row here and a function in arith.ts; if WGSL has no such operation, a function in shaders/lib/nonlinear.wgsl.
import {
  abs,
  div,
  equal,
  less,
  mul,
  neg,
  sigmoid,
  sub,
  where,
  type Arith,
  type ScalarOpName,
} from './arith.ts';

export interface ScalarOp {
  /** The number of operands. */
  readonly arity: 1 | 2 | 3;
  /** The value in float64. */
  readonly cpu: (a: number, b: number, c: number) => number;
  readonly wgsl: (a: string, b: string, c: string) => string;
  /** The cotangents of the arguments. @param d The cotangent of the result. @param y The result. */
  readonly grad: <T extends Arith<T>>(d: T, args: readonly T[], y: T) => readonly (T | 0)[];
}

export const scalarOps: Record<ScalarOpName, ScalarOp> = {
  add: { arity: 2, cpu: (a, b) => a + b, wgsl: (a, b) => `(${a} + ${b})`, grad: (d) => [d, d] },
  sub: { arity: 2, cpu: (a, b) => a - b, wgsl: (a, b) => `(${a} - ${b})`, grad: (d) => [d, neg(d)] },
  mul: {
    arity: 2,
    cpu: (a, b) => a * b,
    wgsl: (a, b) => `(${a} * ${b})`,
    grad: (d, [a, b]) => [mul(d, b), mul(d, a)],
  },
  div: {
    arity: 2,
    cpu: (a, b) => a / b,
    wgsl: (a, b) => `(${a} / ${b})`,
    grad: (d, [, b], y) => [div(d, b), neg(div(mul(d, y), b))],
  },
  maximum: {
    arity: 2,
    cpu: (a, b) => Math.max(a, b),
    wgsl: (a, b) => `nan_max(${a}, ${b})`,
    grad: (d, [a, b]) => [where(less(a, b), 0, d), where(less(a, b), d, 0)],
  },
  minimum: {
    arity: 2,
    cpu: (a, b) => Math.min(a, b),
    wgsl: (a, b) => `nan_min(${a}, ${b})`,
    grad: (d, [a, b]) => [where(less(b, a), 0, d), where(less(b, a), d, 0)],
  },
  less: {
    arity: 2,
    cpu: (a, b) => (a < b ? 1 : 0),
    wgsl: (a, b) => `select(0.0, 1.0, ${a} < ${b})`,
    grad: () => [0, 0],
  },
  equal: {
    arity: 2,
    cpu: (a, b) => (a === b ? 1 : 0),
    wgsl: (a, b) => `select(0.0, 1.0, ${a} == ${b})`,
    grad: () => [0, 0],
  },
  where: {
    arity: 3,
    cpu: (a, b, c) => (a !== 0 ? b : c),
    wgsl: (a, b, c) => `select(${c}, ${b}, ${a} != 0.0)`,
    grad: (d, [a]) => [0, where(a, d, 0), where(a, 0, d)],
  },
  neg: { arity: 1, cpu: (a) => -a, wgsl: (a) => `(-${a})`, grad: (d) => [neg(d)] },
  exp: { arity: 1, cpu: Math.exp, wgsl: (a) => `exp(${a})`, grad: (d, _, y) => [mul(d, y)] },
  log: { arity: 1, cpu: Math.log, wgsl: (a) => `log(${a})`, grad: (d, [a]) => [div(d, a)] },
  sqrt: { arity: 1, cpu: Math.sqrt, wgsl: (a) => `sqrt(${a})`, grad: (d, _, y) => [div(mul(d, 0.5), y)] },
  abs: {
    arity: 1,
    cpu: Math.abs,
    wgsl: (a) => `abs(${a})`,
    grad: (d, [a]) => [mul(d, where(equal(a, 0), 0, div(a, abs(a))))],
  },
  sigmoid: {
    arity: 1,
    cpu: (a) => 1 / (1 + Math.exp(-a)),
    wgsl: (a) => `stable_sigmoid(${a})`,
    grad: (d, _, y) => [mul(d, mul(y, sub(1, y)))],
  },
  tanh: {
    arity: 1,
    cpu: Math.tanh,
    wgsl: (a) => `stable_tanh(${a})`,
    grad: (d, _, y) => [mul(d, sub(1, mul(y, y)))],
  },
  relu: {
    arity: 1,
    cpu: (a) => Math.max(a, 0),
    wgsl: (a) => `nan_max(${a}, 0.0)`,
    // In terms of the result, as in PyTorch, so that the argument need not be saved.
    grad: (d, _, y) => [where(less(0, y), d, 0)],
  },
  softplus: {
    arity: 1,
    cpu: (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))),
    wgsl: (a) => `softplus(${a})`,
    grad: (d, [a]) => [mul(d, sigmoid(a))],
  },
  isfinite: {
    arity: 1,
    cpu: (a) => (Number.isFinite(a) ? 1 : 0),
    wgsl: (a) => `select(0.0, 1.0, is_finite(${a}))`,
    grad: () => [0],
  },
};
