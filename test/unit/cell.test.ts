// Declarations of cells: errors for every mistake, and that the fused loop computes the declared update.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { defineCell, type Cell } from '../../src/cells/cell.ts';
import { apart, inputOnly, late } from '../../src/cells/declaration.ts';
import { withRecurrentDropout } from '../../src/cells/regularised.ts';
import { GatewiseError } from '../../src/core/errors.ts';
import { Random } from '../../src/core/random.ts';
import { add, less, mul, sigmoid, sub, tanh, where } from '../../src/expr/arith.ts';
import { valueAndGrad } from '../../src/train/index.ts';
import { createRuntime, Recurrent, sum, type Runtime, Value } from '../../src/index.ts';
import { allCells } from '../all_cells.ts';
import { dataOf, f32 } from '../gpu/sample.ts';
import { randomCell } from '../random_cell.ts';
import { runFused, runInputs, runNaive, type RunSize } from '../recurrent_run.ts';

describe('a mistake in a declaration is an error that names it', () => {
  // TypeScript refuses these declarations too; JavaScript does not.
  const loose = defineCell as unknown as (declaration: object) => Cell;
  type Loose = Readonly<Record<string, never>>;
  type Calls = Readonly<Record<string, (x: never) => never>>;
  const traced = new Value({ shape: [4], dtype: 'f32' });
  /** A value of another cell's update. */
  const foreign = (): unknown => {
    let result: unknown;
    defineCell({
      name: 'other',
      gates: ['a'],
      states: ['h'],
      update: ({ a }) => ({ h: (result = tanh(a)) as typeof a }),
    });
    return result;
  };
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
      'cell "odd": update returns 0 as the state "c"; expected an expression, made of gates and states with add, mul, tanh and the like (JavaScript\'s operators do not work: write add(a, b) for a + b)',
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
      'cell "odd": gates must be a list of at least one gate, got []',
    ],
    'a first state that is not h': [
      { gates: ['i'], states: ['c', 'h'], update: ({ i }: Record<string, never>) => ({ h: i, c: i }) },
      `cell "odd": states must be a list of names that starts with 'h', the state that feeds the recurrent product, got ["c", "h"]`,
    ],
    'a gate that is never read': [
      { gates: ['i', 'f'], states: ['h'], update: ({ i }: Record<string, never>) => ({ h: tanh(i) }) },
      'cell "odd": update never reads the gate "f"; use it or leave it out of gates',
    ],
    'an apart gate that is never read': [
      { gates: ['i', apart('n')], states: ['h'], update: ({ i }: Record<string, never>) => ({ h: tanh(i) }) },
      'cell "odd": update never reads the gate "n"; use it or leave it out of gates',
    ],
    'an apart gate that is read as a sum': [
      { gates: [apart('n')], states: ['h'], update: ({ n }: Record<string, never>) => ({ h: tanh(n) }) },
      'cell "odd": update reads the gate "n" as one number; the gate is kept apart, read n.input and n.recurrent',
    ],
    'a part of a gate that there is not': [
      { gates: [apart('n')], states: ['h'], update: ({ n }: Loose) => ({ h: tanh(n['recurent']) }) },
      'cell "odd": update reads n.recurent; the gate is kept apart, read n.input and n.recurrent',
    ],
    'a weight that is not declared': [
      { gates: ['a'], states: ['h'], update: ({ a }: Loose, _: Loose, { u }: Loose) => ({ h: mul(a, u) }) },
      'cell "odd": update reads a weight "u" that is not declared; expected one of ["mean", "random", "project"]',
    ],
    'a weight that is never read': [
      { gates: ['a'], states: ['h'], weights: { u: 1 }, update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": update never reads the weight "u"; use it or leave it out of weights',
    ],
    'a weight that starts as nobody knows what': [
      { gates: ['a'], states: ['h'], weights: { u: 'normal' }, update: ({ a }: Loose) => ({ h: a }) },
      `cell "odd": weight "u" must start as a number that is finite in float32 or as 'uniform', got "normal"`,
    ],
    'a weight that starts past float32': [
      {
        gates: ['a'],
        states: ['h'],
        weights: { u: 1e39 },
        update: ({ a }: Loose, _: Loose, { u }: Loose) => ({ h: mul(a, u) }),
      },
      `cell "odd": weight "u" must start as a number that is finite in float32 or as 'uniform', got 1e+39`,
    ],
    'weights that are none': [
      { gates: ['a'], states: ['h'], weights: null, update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": weights must be names with initial values, such as { u: 1 }, got null',
    ],
    'a projection that is no flag': [
      {
        gates: ['a'],
        states: ['h'],
        projects: 'yes',
        update: ({ a }: Loose, _: Loose, { project }: Calls) => ({ h: project(a) }),
      },
      'cell "odd": projects must be true or false, got "yes"',
    ],
    'a dropout that is no flag': [
      { gates: ['a'], states: ['h'], dropsRecurrent: 1, update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": dropsRecurrent must be true or false, got 1',
    ],
    'a dropout of what is not there': [
      { gates: [inputOnly('a')], states: ['h'], dropsRecurrent: true, update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": dropsRecurrent needs a gate with recurrent weights; leave it out',
    ],
    'a traced value in an expression': [
      { gates: ['a'], states: ['h'], update: ({ a }: Loose) => ({ h: mul(a, traced as never) }) },
      'mul: expected expressions and numbers, got Value; an update computes with what it is given and numbers alone',
    ],
    'a traced value across units': [
      {
        gates: ['a'],
        states: ['h'],
        update: ({ a }: Loose, _: Loose, { mean }: Calls) => ({ h: add(a, mean(traced as never)) }),
      },
      'mean: expected expressions and numbers, got Value; an update computes with what it is given and numbers alone',
    ],
    'a traced value as a state': [
      { gates: ['a'], states: ['h', 'c'], update: ({ a }: Loose) => ({ h: a, c: traced }) },
      'cell "odd": update returns Value; expected expressions, made of what the update is given',
    ],
    'an expression of another update': [
      { gates: ['a'], states: ['h'], update: ({ a }: Loose) => ({ h: add(a, foreign() as never) }) },
      'cell "odd": update uses an expression of another update; make all of what this one is given',
    ],
    'a name that breaks a line': [
      { name: 'a\u2028b', gates: ['a'], states: ['h'], update: ({ a }: Loose) => ({ h: a }) },
      'cell "a\u2028b": name must be text on one line that begins with a letter or _, got "a\u2028b"',
    ],
    'a weight by the name of a parameter': [
      { gates: ['a'], states: ['h'], weights: { weight_ih: 1 }, update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": a weight cannot be called "weight_ih", which is the name of something else',
    ],
    'a weight by the name of a function': [
      { gates: ['a'], states: ['h'], weights: { mean: 1 }, update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": a weight cannot be called "mean", which is the name of something else',
    ],
    'a late gate called twice': [
      { gates: [late('n')], states: ['h'], update: ({ n }: Calls, { h }: Loose) => ({ h: add(n(h), n(h)) }) },
      'cell "odd": update calls the gate "n" twice; reuse the result of the first call',
    ],
    'a late gate that is never called': [
      { gates: ['a', late('n')], states: ['h'], update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": update never reads the gate "n"; use it or leave it out of gates',
    ],
    'a late gate read as a number': [
      { gates: ['a', late('n')], states: ['h'], update: ({ a, n }: Loose) => ({ h: add(a, n) }) },
      'add: expected numbers, expressions or traced values, got function n, a gate that is to be called',
    ],
    'a late gate called with a number': [
      { gates: [late('n')], states: ['h'], update: ({ n }: Calls) => ({ h: n(1 as never) }) },
      'cell "odd": update calls the gate "n" with 1; expected an expression',
    ],
    'a mean of a number': [
      {
        gates: ['a'],
        states: ['h'],
        update: ({ a }: Loose, _: Loose, { mean }: Calls) => ({ h: add(a, mean(1 as never)) }),
      },
      'cell "odd": update calls mean with 1; expected an expression',
    ],
    'a projection that is not declared': [
      {
        gates: ['a'],
        states: ['h'],
        update: ({ a }: Loose, _: Loose, { project }: Calls) => ({ h: project(a) }),
      },
      'cell "odd": update projects; declare it with projects: true',
    ],
    'a declared projection that never comes': [
      { gates: ['a'], states: ['h'], projects: true, update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": update never projects; call project(x) or leave out projects',
    ],
    'a projection of a number': [
      {
        gates: ['a'],
        states: ['h'],
        projects: true,
        update: (_: Loose, __: Loose, { project }: Calls) => ({ h: project(1 as never) }),
      },
      'cell "odd": update calls project with 1; expected an expression',
    ],
    'two sizes in one value': [
      {
        gates: ['a'],
        states: ['h'],
        projects: true,
        update: ({ a }: Loose, { h }: Loose, { project }: Calls) => ({ h: project(add(a, h)) }),
      },
      'cell "odd": update combines a value of the hidden size with one of the projected size; project the former first',
    ],
    'a mean of one size in a value of another': [
      {
        gates: ['a'],
        states: ['h'],
        projects: true,
        update: ({ a }: Loose, _: Loose, { project, mean }: Calls) => ({ h: add(project(a), mean(a)) }),
      },
      'cell "odd": update combines a value of the hidden size with one of the projected size; project the former first',
    ],
    'a projection of what is projected': [
      {
        gates: ['a'],
        states: ['h', 'c'],
        projects: true,
        update: ({ a }: Loose, { h }: Loose, { project }: Calls) => ({ h: project(h), c: a }),
      },
      'cell "odd": update gives weight_hr a vector of the projected size; expected the hidden size',
    ],
    'a late gate of the wrong size': [
      {
        gates: ['a', late('n')],
        states: ['h'],
        projects: true,
        update: ({ a, n }: Calls, _: Loose, { project }: Calls) => ({ h: project(n(a as never)) }),
      },
      'cell "odd": update gives weight_hh a vector of the hidden size; expected the projected size',
    ],
    'a state of the wrong size': [
      {
        gates: ['a'],
        states: ['h', 'c'],
        projects: true,
        update: ({ a }: Loose, _: Loose, { project }: Calls) => ({ h: project(a), c: project(a) }),
      },
      'cell "odd": update returns the state "c" with the projected size; expected the hidden size',
    ],
    'a list returned': [
      { gates: ['a'], states: ['h'], update: ({ a }: Loose) => [a] },
      'cell "odd": update returns [Expr]; return an object with all of ["h"]',
    ],
    'an expression returned': [
      { gates: ['a'], states: ['h'], update: ({ a }: Loose) => a },
      'cell "odd": update returns an expression; return an object with all of ["h"]',
    ],
    'no function': [
      { gates: ['a'], states: ['h'] },
      'cell "odd": update must be a function of gates and states, got nothing',
    ],
    'gates that are not declared at all': [
      { states: ['h'], update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": gates must be a list of at least one gate, got nothing',
    ],
    'a gate that is no name': [
      { gates: ['a', 3], states: ['h'], update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": gate 1 must be a name, or apart, late or inputOnly of one, got 3',
    ],
    'a gate of an unknown kind': [
      { gates: [{ name: 'a', kind: 'odd' }], states: ['h'], update: ({ a }: Loose) => ({ h: a }) },
      'cell "odd": gate 0 must be a name, or apart, late or inputOnly of one, got Object',
    ],
    'a state that is no name': [
      { gates: ['a'], states: ['h', 3], update: ({ a }: Loose) => ({ h: a }) },
      `cell "odd": states must be a list of names that starts with 'h', the state that feeds the recurrent product, got ["h", 3]`,
    ],
    'no name': [
      { name: '', gates: ['a'], states: ['h'], update: ({ a }: Loose) => ({ h: a }) },
      'cell "": name must be text on one line that begins with a letter or _, got ""',
    ],
  };

  test.each(Object.entries(mistakes))('%s', (_, [declaration, message]) => {
    const declare = (): Cell => loose({ name: 'odd', ...declaration });
    expect(declare).toThrow(GatewiseError);
    expect(declare).toThrow(expect.objectContaining({ code: 'argument', message }) as Error);
  });

  test.each<[what: string, declaration: unknown, code: string, message: string]>([
    [
      'a misspelt property',
      { name: 'odd', gates: ['a'], states: ['h'], project: true, update: ({ a }: Loose) => ({ h: a }) },
      'unsupported',
      'cell "odd": option "project" is unknown; expected name, gates, states, weights, projects, dropsRecurrent, update',
    ],
    [
      'no declaration',
      null,
      'argument',
      'defineCell: expected options { name, gates, states, weights, projects, dropsRecurrent, update }, got null',
    ],
    [
      'no name at all',
      { gates: ['a'], states: ['h'], update: ({ a }: Loose) => ({ h: a }) },
      'argument',
      'defineCell: name must be text on one line that begins with a letter or _, got nothing',
    ],
  ])('%s', (_, declaration, code, message) => {
    expect(() => loose(declaration as object)).toThrow(
      expect.objectContaining({ name: 'GatewiseError', code, message }) as Error,
    );
  });
});

test('the update may read only one part of an apart gate', () => {
  const half = defineCell({
    name: 'half',
    gates: [apart('n')],
    states: ['h'],
    update: ({ n }, { h }) => ({ h: add(tanh(n.recurrent), mul(0.5, h)) }),
  });
  expect(half.program({ bias: true, masked: false }).slots).toHaveLength(2);
});

describe('the fused loop equals the declared update, forward and backward', () => {
  const cells: readonly Cell[] = [
    defineCell({
      name: 'three states',
      gates: ['a', apart('b')],
      states: ['h', 'p', 'q'],
      update: ({ a, b }, { h, p, q }) => {
        const next = add(mul(sigmoid(a), p), tanh(sub(b.input, mul(b.recurrent, q))));
        return { q: sub(mul(0.5, q), h), p: next, h: mul(tanh(next), sigmoid(q)) };
      },
    }),
    defineCell({
      name: 'states that are handed on',
      gates: ['a'],
      states: ['h', 'p', 'q'],
      update: ({ a }, { h, p }) => ({ h: p, p: a, q: h }),
    }),
    defineCell({
      name: 'two states that are the same',
      gates: ['a'],
      states: ['h', 'c'],
      update: ({ a }, { c }) => {
        const next = tanh(add(a, c));
        return { h: next, c: next };
      },
    }),
    defineCell({
      name: 'one part of a gate each',
      gates: [apart('a'), apart('b')],
      states: ['h'],
      update: ({ a, b }) => ({ h: tanh(add(a.input, b.recurrent)) }),
    }),
    defineCell({
      name: 'products of what sees the input alone',
      gates: [inputOnly('a'), apart('b'), late('m'), late('n')],
      states: ['h'],
      update: ({ a, b, m, n }) => ({ h: tanh(add(mul(m(a), n(b.input)), b.recurrent)) }),
    }),
    defineCell({
      name: 'a product of a weight',
      gates: ['a', late('n')],
      states: ['h'],
      weights: { u: 'uniform' },
      update: ({ a, n }, _, { u }) => ({ h: tanh(add(n(u), a)) }),
    }),
    defineCell({
      name: 'products of states and of their squares',
      gates: ['a', late('l'), late('m'), late('n')],
      states: ['h', 'c'],
      update: ({ a, l, m, n }, { h, c }) => ({
        h: tanh(add(add(l(c), m(mul(h, h))), add(n(mul(h, c)), a))),
        c: tanh(add(mul(0.5, c), a)),
      }),
    }),
    defineCell({
      name: 'a product of a new state',
      gates: ['a', late('n')],
      states: ['h', 'c'],
      update: ({ a, n }, { c }) => {
        const next = add(mul(0.5, c), tanh(a));
        return { c: next, h: tanh(n(next)) };
      },
    }),
    defineCell({
      name: 'a product of a product',
      gates: ['a', late('m'), late('n')],
      states: ['h'],
      update: ({ a, m, n }, { h }) => ({ h: tanh(n(m(mul(sigmoid(a), h)))) }),
    }),
    defineCell({
      name: 'a product of a mean, and the mean of a product',
      gates: ['a', late('m'), late('n')],
      states: ['h'],
      update: ({ a, m, n }, { h }, { mean }) => ({ h: tanh(add(n(mean(a)), mean(m(sub(h, mean(h)))))) }),
    }),
    defineCell({
      name: 'the projection of an old state',
      gates: ['a'],
      states: ['h', 'c'],
      projects: true,
      update: ({ a }, { c }, { project }) => ({ h: project(c), c: add(mul(0.5, c), tanh(a)) }),
    }),
    defineCell({
      name: 'the projection of a new state',
      gates: ['a'],
      states: ['h', 'c'],
      projects: true,
      update: ({ a }, { c }, { project }) => {
        const next = add(mul(0.5, c), tanh(a));
        return { h: project(next), c: next };
      },
    }),
    defineCell({
      name: 'two projections, of which one is of the input alone',
      gates: ['a', inputOnly('b')],
      states: ['h'],
      projects: true,
      update: ({ a, b }, { h }, { project }) => ({ h: add(tanh(project(tanh(a))), mul(h, project(b))) }),
    }),
    defineCell({
      name: 'a projection after a product of what h became',
      gates: ['a', late('n')],
      states: ['h'],
      projects: true,
      update: ({ a, n }, { h }, { project }) => ({ h: project(tanh(add(a, n(tanh(h))))) }),
    }),
    defineCell({
      name: 'the mean of a projection',
      gates: ['a'],
      states: ['h'],
      projects: true,
      update: ({ a }, _, { project, mean }) => {
        const h = project(tanh(a));
        return { h: sub(h, mean(h)) };
      },
    }),
  ];
  const dropped = (cell: Cell): readonly Cell[] =>
    cell.recurrentGates.length > 0 ? [cell, withRecurrentDropout(cell)] : [cell];

  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
  });
  afterAll(() => runtime.dispose());

  /** The largest difference of the loss and of each gradient, relative to its largest element. */
  async function differences(size: RunSize): Promise<{ name: string; share: number }[]> {
    const list = runInputs(size);
    const data = dataOf({
      name: size.cell.name,
      inputs: list.map(({ shape }) => f32(shape)),
      build: () => [],
    });
    // The last input is a mask of 1 and 0.
    if (size.masked) data.push((data.pop() ?? []).map((x) => Number(x > 0)) as Float64Array);
    const tensors = data.map((numbers, i) => runtime.tensor(numbers, { shape: list[i].shape }));
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
    expect(fused).toHaveLength(1 + list.length);
    return fused.map((numbers, i) => {
      const errors = Float64Array.from(numbers, (x, n) => Math.abs(x - naive[i][n]));
      const scale = Math.max(1, ...Array.from(naive[i], Math.abs));
      return { name: i === 0 ? 'loss' : list[i - 1].name, share: Math.max(...errors) / scale };
    });
  }
  const isWrong = ({ share }: { share: number }): boolean => !(share < 1e-12);

  test.each([...allCells, ...cells].map((cell) => [cell.name, cell] as const))('%s', async (_, cell) => {
    for (const own of dropped(cell)) {
      for (const bias of [true, false]) {
        for (const masked of [true, false]) {
          const pseudoLayers = bias === masked ? 2 : 1;
          const size: RunSize = { cell: own, bias, masked, pseudoLayers, steps: 4, batch: 3, hidden: 5 };
          expect((await differences(size)).filter(isWrong), `bias ${bias}, masked ${masked}`).toEqual([]);
          if (own.dropsRecurrent) continue;
          const layers: RunSize = { ...size, pseudoLayers: 3, wavefront: true };
          expect((await differences(layers)).filter(isWrong), `three layers, masked ${masked}`).toEqual([]);
        }
      }
    }
  });

  test('cells drawn from seeds', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed, 3);
      const cell = randomCell(seed);
      const stacked = !cell.dropsRecurrent && random.integer(2) === 0;
      const size: RunSize = {
        cell,
        bias: random.integer(2) === 0,
        masked: random.integer(2) === 0,
        wavefront: stacked,
        pseudoLayers: 1 + random.integer(stacked ? 4 : 2),
        steps: 1 + random.integer(4),
        batch: 2,
        hidden: 3 + random.integer(2),
      };
      expect((await differences(size)).filter(isWrong), `seed ${seed}`).toEqual([]);
    }
  }, 60_000);
});

test.each(allCells.map((cell) => [cell.name, cell] as const))(
  '%s: a wavefront saves no more per step than a single layer',
  (_, cell) => {
    for (const bias of [true, false])
      for (const masked of [true, false]) {
        const [alone, stacked] = [false, true].map((one) => cell.program({ bias, masked, wavefront: one }));
        expect(stacked.slots).toEqual(alone.slots);
      }
  },
);

test('a cell whose gates read the input alone, and whose condition reads h', async () => {
  const cell = defineCell({
    name: 'conditional',
    gates: [inputOnly('f'), inputOnly('n')],
    states: ['h'],
    update: ({ f, n }, { h }) => ({ h: add(mul(sigmoid(f), h), where(less(h, 0.1), n, 0)) }),
  });
  using runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
  const layer = new Recurrent('Conditional', cell, { inputSize: 1, hiddenSize: 1, bias: false });
  const output = runtime.compile(
    (weight_ih_l0: Value, x: Value) => layer.forward(x, { weight_ih_l0 }).output,
  )([[1], [1]], [[[1]], [[1]], [[1]]]);
  const got = await output.read();
  const decay = 1 / (1 + Math.exp(-1));
  [1, decay, decay ** 2].forEach((expected, t) => expect(got[t]).toBeCloseTo(expected, 12));
});
