// Scalar expressions: values, derivatives, simplification, sharing and WGSL.
import { describe, expect, test } from 'vitest';

import { gru } from '../../src/cells/gru.ts';
import { lstm } from '../../src/cells/lstm.ts';
import { GatewiseError } from '../../src/core/errors.ts';
import { Random } from '../../src/core/random.ts';
import {
  add,
  clamp,
  div,
  exp,
  logsigmoid,
  mul,
  neg,
  sigmoid,
  sub,
  tanh,
  where,
  type Arith,
  type ScalarOpName,
} from '../../src/expr/arith.ts';
import { evaluator } from '../../src/expr/evaluate.ts';
import { constantOf, derivative, Expr, inputsOf, substitute, topological } from '../../src/expr/expr.ts';
import { scalarOps } from '../../src/expr/scalar_ops.ts';
import { literal, toWGSL } from '../../src/expr/wgsl.ts';

const [x, y, z, d] = ['x', 'y', 'z', 'd'].map(Expr.input);

function valueOf(root: Expr, values: Readonly<Record<string, number>>): number {
  const names = Object.keys(values);
  const out = new Float64Array(1);
  evaluator([root], names)(
    names.map((name) => values[name]),
    out,
  );
  return out[0];
}

describe('every scalar operation', () => {
  /** Points on both sides of kinks and poles, away from them. */
  const points: Record<ScalarOpName, readonly (readonly number[])[]> = {
    add: [[1.5, -2]],
    sub: [[1.5, -2]],
    mul: [[1.5, -2]],
    div: [
      [1.5, -2],
      [-3, 0.25],
    ],
    maximum: [
      [1, 2],
      [2, 1],
    ],
    minimum: [
      [1, 2],
      [2, 1],
    ],
    less: [
      [1, 2],
      [2, 1],
    ],
    equal: [[1, 2]],
    where: [
      [1, 3, 4],
      [-0.5, 3, 4],
    ],
    neg: [[1.5]],
    isfinite: [[1.5]],
    exp: [[-2], [1.5]],
    log: [[0.1], [7]],
    sqrt: [[0.25], [7]],
    abs: [[2], [-2]],
    sigmoid: [[-30], [-1.5], [0], [2], [30]],
    tanh: [[-5], [-1.5], [0], [1e-4], [2]],
    relu: [[2], [-2]],
    softplus: [[-30], [-1.5], [0], [2], [30]],
  };
  const names = Object.keys(scalarOps) as ScalarOpName[];

  test('has test points', () => expect(Object.keys(points).toSorted()).toEqual(names.toSorted()));

  test.each(names)('%s: the derivative equals finite differences', (op) => {
    const inputs = [x, y, z].slice(0, scalarOps[op].arity);
    const wrt = ['x', 'y', 'z'].slice(0, inputs.length);
    const root = Expr.operation(op, inputs);
    const parts = derivative([root], [d], wrt);
    for (const point of points[op]) {
      const at = Object.fromEntries(wrt.map((name, i) => [name, point[i]]));
      parts.forEach((part, i) => {
        const h = 1e-5 * Math.max(1, Math.abs(point[i]));
        const shifted = (by: number): number => valueOf(root, { ...at, [wrt[i]]: point[i] + by });
        const expected = (8 * (shifted(h) - shifted(-h)) - (shifted(2 * h) - shifted(-2 * h))) / (12 * h);
        expect(valueOf(part, { ...at, d: 1.75 })).toBeCloseTo(1.75 * expected, 8);
      });
    }
  });

  test('functions made of others', () => {
    expect(valueOf(logsigmoid(x), { x: -30 })).toBe(-30 - Math.log1p(Math.exp(-30)));
    expect(valueOf(logsigmoid(x), { x: 30 })).toBe(-Math.log1p(Math.exp(-30)));
    expect([-3, -1, 0.5, 2, 3].map((at) => valueOf(clamp(x, -1, 2), { x: at }))).toEqual([-1, -1, 0.5, 2, 2]);
    const [slope] = derivative([clamp(x, -1, 2)], [Expr.constant(1)], ['x']);
    expect([-3, -1, 0.5, 2, 3].map((at) => valueOf(slope, { x: at }))).toEqual([0, 1, 1, 1, 0]);
  });

  test('the derivative at kinks, by convention', () => {
    const at = (root: Expr, point: Record<string, number>): number[] =>
      derivative([root], [Expr.constant(1)], ['x', 'y']).map((part) => valueOf(part, { y: 0, ...point }));
    expect(at(Expr.operation('relu', [x]), { x: 0 })[0]).toBe(0);
    expect(at(Expr.operation('abs', [x]), { x: 0 })[0]).toBe(0);
    expect(at(Expr.operation('maximum', [x, y]), { x: 2, y: 2 })).toEqual([1, 0]);
    expect(at(Expr.operation('minimum', [x, y]), { x: 2, y: 2 })).toEqual([1, 0]);
    expect(at(Expr.operation('less', [x, y]), { x: 1, y: 2 })).toEqual([0, 0]);
  });
});

/** Random expressions of x, y and z, without kinks. */
function randomExpr(random: Random, depth: number): Expr {
  if (depth === 0) return [x, y, z, Expr.constant(random.uniform(-2, 2))][random.integer(4)];
  const sub2 = (): Expr => randomExpr(random, depth - 1);
  switch (random.integer(6)) {
    case 0:
      return add(sub2(), sub2());
    case 1:
      return sub(sub2(), sub2());
    case 2:
      return mul(sub2(), sub2());
    case 3:
      return tanh(add(sub2(), 0.5));
    case 4:
      return sigmoid(mul(sub2(), 1.5));
    default:
      return div(sub2(), add(exp(tanh(sub2())), 1));
  }
}

test('derivatives of random expressions with shared parts and two results', () => {
  const random = new Random(11);
  for (let n = 0; n < 50; n++) {
    const shared = randomExpr(random, 2);
    const roots = [add(mul(shared, shared), randomExpr(random, 3)), tanh(add(shared, randomExpr(random, 2)))];
    const cotangents = [0.75, -1.5];
    const parts = derivative(roots, cotangents.map(Expr.constant), ['x', 'y', 'z']);
    const point = { x: random.normal(), y: random.normal(), z: random.normal() };
    const total = (at: Record<string, number>): number =>
      roots.reduce((sum, root, i) => sum + cotangents[i] * valueOf(root, at), 0);
    (['x', 'y', 'z'] as const).forEach((name, i) => {
      const h = 1e-4;
      const at = (by: number): number => total({ ...point, [name]: point[name] + by });
      const expected = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
      const got = valueOf(parts[i], point);
      expect(Math.abs(got - expected) / Math.max(1, Math.abs(expected))).toBeLessThan(1e-7);
    });
  }
});

describe('simplification', () => {
  test('constants are folded', () => {
    expect(constantOf(add(mul(Expr.constant(3), 4), -2))).toBe(10);
    expect(constantOf(Expr.operation('sigmoid', [0]))).toBe(0.5);
    expect(constantOf(Expr.operation('where', [1, 5, 6]))).toBe(5);
  });

  test('neutral zeros and ones are removed', () => {
    expect(add(x, 0)).toBe(x);
    expect(add(0, x)).toBe(x);
    expect(sub(x, 0)).toBe(x);
    expect(sub(0, x)).toBe(neg(x));
    expect(mul(1, x)).toBe(x);
    expect(constantOf(mul(x, 0))).toBe(0);
    expect(div(x, 1)).toBe(x);
    expect(neg(neg(x))).toBe(x);
    expect(where(x, y, y)).toBe(y);
    expect(where(Expr.constant(0), x, y)).toBe(y);
  });

  test('a zero keeps its sign', () => {
    expect(Expr.constant(-0)).not.toBe(Expr.constant(0));
    expect(valueOf(div(1, Expr.constant(-0)), {})).toBe(-Infinity);
  });

  test('the derivative with respect to an unused input is 0', () => {
    const [dx, dy] = derivative([mul(x, 3)], [d], ['x', 'y']);
    expect(String(dx)).toBe('mul(d, 3)');
    expect(constantOf(dy)).toBe(0);
  });
});

describe('sharing', () => {
  test('equal expressions are one object', () => {
    expect(add(mul(x, y), 2)).toBe(add(mul(x, y), 2));
    expect(add(x, y)).not.toBe(add(y, x));
    expect(Expr.input('x')).toBe(x);
  });

  test('a shared part is computed once', () => {
    const part = tanh(mul(x, y));
    const roots = [add(part, part), mul(part, z)];
    const { statements, results } = toWGSL(roots, (name) => `in_${name}`);
    expect(statements.filter((line) => line.includes('tanh'))).toHaveLength(1);
    expect(statements).toHaveLength(topological(roots).length);
    expect(results).toHaveLength(2);
  });

  test('an expression that uses each part twice takes linear time', () => {
    let expr: Expr = x;
    for (let i = 0; i < 60; i++) expr = tanh(add(expr, expr));
    expect(topological([expr])).toHaveLength(121);
    expect(Number.isFinite(valueOf(derivative([expr], [d], ['x'])[0], { x: 0.1, d: 1 }))).toBe(true);
  });
});

test('inputs are named in the order of their first use, and replaced by name', () => {
  const root = sub(mul(y, x), y);
  expect(inputsOf([root])).toEqual(['y', 'x']);
  const [replaced] = substitute([root], new Map([['y', add(z, 1)]]));
  expect(String(replaced)).toBe('sub(mul(add(z, 1), x), add(z, 1))');
});

test('mistakes are errors that say what was given', () => {
  expect(() => Expr.operation('add', [x])).toThrow('add: expected 2 operands, got 1');
  expect(() => add(1, 2)).toThrow(
    'add: at least one operand must be an expression or a traced value, got 1, 2',
  );
  expect(() => tanh('x' as unknown as Expr)).toThrow(
    'tanh: expected numbers, expressions or traced values, got "x"',
  );
  expect(() => evaluator([x], ['y'])).toThrow('expression reads "x"; expected one of y');
  expect(() => add(undefined as unknown as Expr, x)).toThrow(GatewiseError);
});

describe('WGSL', () => {
  test('the WGSL of a cell follows its formula', () => {
    const update = <T extends Arith<T>>(i: T, f: T, c: T): T =>
      add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(c)));
    const { statements, results } = toWGSL([update(x, y, z)], (name) => `gate_${name}`);
    expect([...statements, `return ${results[0]};`].join('\n')).toMatchInlineSnapshot(`
      "let v0 = gate_y;
      let v1 = stable_sigmoid(v0);
      let v2 = gate_z;
      let v3 = (v1 * v2);
      let v4 = gate_x;
      let v5 = stable_sigmoid(v4);
      let v6 = stable_tanh(v2);
      let v7 = (v5 * v6);
      let v8 = (v3 + v7);
      return v8;"
    `);
  });

  test('the derivative of the LSTM computes nothing twice', () => {
    for (const { program } of [lstm, gru]) {
      const [{ writes }] = program({ bias: true, masked: false }).backward;
      const { statements } = toWGSL(
        writes.map(({ value }) => value),
        (name) => name,
      );
      const values = statements.map((line) => line.replace(/^let \w+ = /, ''));
      expect(new Set(values).size).toBe(values.length);
    }
  });

  test('literals are rounded to float32', () => {
    expect([0, 1, -2, 0.1, 1e-7, 2 ** 70, 3.4e38].map(literal)).toEqual([
      '0.0f',
      '1.0f',
      '-2.0f',
      '0.10000000149011612f',
      '1.0000000116860974e-7f',
      '1.1805916207174113e+21f',
      '3.3999999521443642e+38f',
    ]);
    expect(() => literal(1e39)).toThrow('WGSL has no literal for 1e+39; use a finite float32 number');
    expect(() => literal(NaN)).toThrow(GatewiseError);
  });
});
