import {
  abs,
  add,
  div,
  equal,
  exp,
  less,
  maximum,
  minimum,
  mul,
  relu,
  sigmoid,
  square,
  sub,
  tanh,
  where,
  type ScalarOpName,
} from '../../../src/expr/arith.ts';
import { Expr, inputName } from '../../../src/expr/expr.ts';
import { scalarOps } from '../../../src/expr/scalar_ops.ts';
import { elementwise } from '../../../src/ops/elementwise.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { concat, reshape, slice, sum, transpose } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

/** Ranges in which a scalar operation has a derivative. */
const domains: Partial<Record<string, readonly [number, number]>> = { log: [0.1, 3], sqrt: [0.1, 3] };
const secondDomains: Partial<Record<string, readonly [number, number]>> = { div: [0.5, 2] };

const scalarSamples = Object.entries(scalarOps).map(([op, { arity }]) => {
  const [low, high] = domains[op] ?? [-3, 3];
  const [low2, high2] = secondDomains[op] ?? [low, high];
  const shape = [7, 5];
  const inputs = [f32(shape, low, high), f32(shape, low2, high2), f32(shape)].slice(0, arity);
  return sample(`scalar ${op}`, inputs, (...x) => x[0].apply(op as ScalarOpName, x));
});

export const samples: readonly Sample[] = [
  ...scalarSamples,
  ...[1, 2, 63, 64, 65, 1021].map((n) =>
    sample(`size ${n}`, [f32([n]), f32([n])], (a, b) => add(mul(a, 3), b)),
  ),
  sample('a scalar', [f32([])], (x) => tanh(x)),
  sample('rank 4', [f32([2, 3, 1, 5]), f32([3, 4, 1])], (a, b) => mul(a, b)),
  sample('rank 5 that collapses', [f32([2, 1, 3, 2, 5]), f32([5])], (a, b) => sub(a, b)),
  sample('row and column', [f32([3, 1]), f32([1, 5])], (a, b) => add(a, b)),
  sample('row over matrices', [f32([7]), f32([2, 3, 7])], (a, b) => div(b, add(square(a), 1))),
  sample('scalar over a matrix', [f32([]), f32([17, 3])], (a, b) => mul(a, b)),
  sample('numbers on either side', [f32([11])], (x) => sub(1, div(2, add(x, 3)))),
  sample('transposed', [f32([7, 13]), f32([13, 7])], (a, b) => add(transpose(a), b)),
  sample('three axes in another order', [f32([3, 5, 7]), f32([7, 3, 5])], (a, b) =>
    mul(transpose(a, [2, 0, 1]), b),
  ),
  sample('slices of one tensor', [f32([9, 10])], (x) => mul(slice(x, 1, 0, 5), sigmoid(slice(x, 1, 5)))),
  sample('a tensor and its transpose', [f32([5, 5])], (x) => sub(x, transpose(x))),
  sample('one tensor twice', [f32([13])], (x) => add(x, square(x))),
  sample(
    'seven inputs',
    Array.from({ length: 7 }, () => f32([3, 5])),
    (...x) => x.reduce((a, b) => add(mul(a, 0.5), b)),
  ),
  sample(
    'more inputs than one kernel reads',
    Array.from({ length: 12 }, () => f32([3, 5])),
    (...x) => x.reduce((a, b) => add(mul(a, 0.5), b)),
  ),
  sample('three outputs of one kernel', [f32([3, 7]), f32([7])], (a, b) => {
    const [x, y] = [Expr.input(inputName(0)), Expr.input(inputName(1))];
    return elementwise([add(x, y), mul(x, tanh(y)), maximum(x, y)], [a, b]);
  }),
  sample('four outputs of one kernel', [f32([5, 3]), f32([3])], (a, b) => {
    const [x, y] = [Expr.input(inputName(0)), Expr.input(inputName(1))];
    return elementwise([sub(x, y), mul(x, y), minimum(x, y), tanh(x)], [a, b]);
  }),
  sample('relu, minimum, maximum, where', [f32([31], -2, 2), f32([31], -2, 2)], (a, b) =>
    where(less(a, b), relu(a), minimum(abs(a), maximum(b, 0.1))),
  ),
  sample('equal', [f32([4, 4])], (x) => where(equal(x, transpose(x)), x, 0)),
  sample('five axes in another order', [f32([2, 3, 4, 3, 2])], (x) => tanh(transpose(x, [4, 3, 2, 1, 0]))),
  sample('six axes in another order, from an offset', [f32([2, 3, 2, 3, 2, 3]), f32([3, 1, 3, 1])], (a, b) =>
    mul(slice(transpose(a, [5, 2, 3, 4, 1, 0]), 0, 1), b),
  ),
  sample(
    'fused views of more axes than one launch walks',
    [f32([2, 3, 2, 3, 2]), f32([2, 1, 1]), f32([2])],
    (x, b, c) => add(transpose(mul(x, b), [4, 1, 2, 3, 0]), c),
  ),
  sample(
    'of five axes, written into a concat',
    [f32([2, 3, 2, 3, 2]), f32([3, 1, 3, 1]), f32([2, 3, 2, 3, 1])],
    (x, b, c) => concat([add(transpose(x, [0, 3, 2, 1, 4]), b), c], 4),
  ),
  sample('a chain in place', [f32([5, 7]), f32([7, 5])], (a, b) => {
    const product = exp(matmul(a, b));
    const share = div(product, reshape(sum(product, 1), [5, 1]));
    return tanh(mul(share, add(share, 1)));
  }),
  sample('a value read again after its reader', [f32([5, 7]), f32([7, 5])], (a, b) => {
    const product = matmul(a, b);
    const bent = tanh(product);
    return [bent, add(product, sum(bent))];
  }),
];

/** Grids past 65535 workgroups in x are folded over y. */
export const deviceSamples: readonly Sample[] = [
  sample('a grid folded over y', [f32([1459, 1]), f32([1, 1451])], (a, b) => sub(a, b)),
];
