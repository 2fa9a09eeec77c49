// Declaring a cell: what it becomes, what is said of every mistake, and that the fused loop is the declared update.
import { describe, expect, test } from 'vitest';

import { defineCell, type Cell } from '../../src/cells/cell.ts';
import { apart } from '../../src/cells/declaration.ts';
import { GatewiseError } from '../../src/core/errors.ts';
import { add, mul, sigmoid, sub, tanh } from '../../src/expr/arith.ts';
import { createRuntime, sum, valueAndGrad, type Value } from '../../src/index.ts';
import { allCells, dataOf, f32 } from '../gpu/op_samples.ts';
import { runFused, runInputs, runNaive, type RunSize } from '../recurrent_run.ts';

describe('a mistake in a declaration is named', () => {
  // Declarations that the types refuse too; an application in JavaScript has no types.
  const loose = defineCell as unknown as (declaration: object) => Cell;
  const mistakes: Record<string, [declaration: object, message: string]> = {
    'a gate that is not declared': [
      { gates: ['i'], states: ['h'], update: ({ f }: Record<string, never>) => ({ h: tanh(f) }) },
      'cell "odd": update reads a gate "f" that is not declared; expected one of ["i"]',
    ],
    'a state that is not declared': [
      {
        gates: ['i'],
        states: ['h'],
        update: ({ i }: Record<string, never>, { c }: Record<string, never>) => ({ h: add(i, c) }),
      },
      'cell "odd": update reads a state "c" that is not declared; expected one of ["h"]',
    ],
    'a state that is not returned': [
      { gates: ['i'], states: ['h', 'c'], update: ({ i }: Record<string, never>) => ({ h: tanh(i) }) },
      'cell "odd": update does not return the state "c"; return all of ["h", "c"]',
    ],
    'nothing returned': [
      { gates: ['i'], states: ['h', 'c'], update: () => undefined },
      'cell "odd": update returns nothing; return an object with all of ["h", "c"]',
    ],
    'a number for a state': [
      { gates: ['i'], states: ['h', 'c'], update: ({ i }: Record<string, never>) => ({ h: tanh(i), c: 0 }) },
      'cell "odd": update returns 0 as the state "c"; expected an expression of its gates and states',
    ],
    'a state too many': [
      { gates: ['i'], states: ['h'], update: ({ i }: Record<string, never>) => ({ h: tanh(i), c: i }) },
      'cell "odd": update returns a state "c" that is not declared; expected ["h"]',
    ],
    'a gate twice': [
      { gates: ['i', 'i'], states: ['h'], update: ({ i }: Record<string, never>) => ({ h: tanh(i) }) },
      'cell "odd": gate "i" is declared twice',
    ],
    'a gate twice, once apart': [
      { gates: ['i', apart('i')], states: ['h'], update: ({ i }: Record<string, never>) => ({ h: tanh(i) }) },
      'cell "odd": gate "i" is declared twice',
    ],
    'a state twice': [
      { gates: ['i'], states: ['h', 'c', 'c'], update: ({ i }: Record<string, never>) => ({ h: i, c: i }) },
      'cell "odd": state "c" is declared twice',
    ],
    'no gates': [
      { gates: [], states: ['h'], update: (_: object, { h }: Record<string, never>) => ({ h: tanh(h) }) },
      'cell "odd": expected at least one gate, got none',
    ],
    'a first state that is not h': [
      { gates: ['i'], states: ['c', 'h'], update: ({ i }: Record<string, never>) => ({ h: i, c: i }) },
      `cell "odd": the first state must be 'h', which feeds the recurrent product; got ["c", "h"]`,
    ],
    'a gate that is never read': [
      { gates: ['i', 'f'], states: ['h'], update: ({ i }: Record<string, never>) => ({ h: tanh(i) }) },
      'cell "odd": update never reads the gate "f"; use it or leave it out of gates',
    ],
    'a gate kept apart that is never read': [
      { gates: ['i', apart('n')], states: ['h'], update: ({ i }: Record<string, never>) => ({ h: tanh(i) }) },
      'cell "odd": update never reads the gate "n"; use it or leave it out of gates',
    ],
    'a gate kept apart that is read as a sum': [
      { gates: [apart('n')], states: ['h'], update: ({ n }: Record<string, never>) => ({ h: tanh(n) }) },
      'tanh: expected numbers, expressions or traced values, got Object',
    ],
  };

  test.each(Object.entries(mistakes))('%s', (_, [declaration, message]) => {
    const declare = (): Cell => loose({ name: 'odd', ...declaration });
    expect(declare).toThrow(GatewiseError);
    expect(declare).toThrow(expect.objectContaining({ code: 'argument', message }) as Error);
  });
});

test('the update may read only one part of a gate kept apart', () => {
  const half = defineCell({
    name: 'half',
    gates: [apart('n')],
    states: ['h'],
    update: ({ n }, { h }) => ({ h: add(tanh(n.recurrent), mul(0.5, h)) }),
  });
  expect(half.program({ bias: true, masked: false }).slots).toHaveLength(2);
});

describe('the fused loop is the declared update, forward and backward', () => {
  const own = defineCell({
    name: 'three_states',
    gates: ['a', apart('b')],
    states: ['h', 'p', 'q'],
    update: ({ a, b }, { h, p, q }) => {
      const next = add(mul(sigmoid(a), p), tanh(sub(b.input, mul(b.recurrent, q))));
      return { q: sub(mul(0.5, q), h), p: next, h: mul(tanh(next), sigmoid(q)) };
    },
  });

  test.each(
    [...allCells, own].flatMap((cell) => [true, false].map((bias) => [cell.name, bias, cell] as const)),
  )('%s, bias %s', async (_, bias, cell) => {
    const size: RunSize = {
      ...{ cell, bias, steps: 4, batch: 3, hidden: 5 },
      ...{ directions: bias ? 2 : 1, masked: !bias },
    };
    const inputs = runInputs(size).map(({ shape }) => f32(shape));
    const runtime = await createRuntime({ backend: 'cpu', precision: 'float64' });
    const data = dataOf({ name: cell.name, inputs, build: () => [] });
    // A mask is 1 or 0.
    if (size.masked) data.push((data.pop() ?? []).map((x) => Number(x > 0)) as Float64Array);
    const tensors = data.map((numbers, i) => runtime.tensor(numbers, { shape: inputs[i].shape }));
    const results = [runFused, runNaive].map((run) =>
      runtime.compile(
        valueAndGrad((values: Value[]) => {
          const { output, finals } = run(size, values);
          return finals.reduce(
            (total, final) => add(total, sum(mul(final, final))),
            sum(mul(output, sigmoid(output))),
          );
        }),
      )(tensors),
    );
    const [fused, naive] = await Promise.all(
      results.map(async ([loss, gradients]) =>
        Promise.all([loss, ...gradients].map((tensor) => tensor.read())),
      ),
    );
    expect(fused).toHaveLength(1 + inputs.length);
    fused.forEach((numbers, i) => {
      const errors = Float64Array.from(numbers, (x, n) => Math.abs(x - naive[i][n]));
      const scale = Math.max(1, ...Array.from(naive[i], Math.abs));
      expect(Math.max(...errors) / scale).toBeLessThan(1e-12);
    });
    runtime.dispose();
  });
});
