// Views against plain arrays: any composition of slices, transposes, broadcasts and reshapes reads the elements that the
// same operations on arrays give.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { sizeOf, stridesOf, type Shape } from '../../src/core/shape.ts';
import {
  broadcastView,
  collapse,
  denseView,
  isDense,
  reshapeView,
  sameView,
  sliceView,
  transposeView,
  viewEnd,
  walk,
  type View,
} from '../../src/core/view.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The elements that a view reads, in order, of a buffer whose elements are their indices. */
function read(view: View): number[] {
  const list: number[] = [];
  walk([view], ([at]) => list.push(at));
  return list;
}

/** A tensor as a plain list, with the operations element by element. */
interface Plain {
  readonly shape: Shape;
  readonly data: readonly number[];
}

function build(shape: Shape, from: (at: readonly number[]) => number): Plain {
  const strides = stridesOf(shape);
  const data = range(sizeOf(shape)).map((n) =>
    from(shape.map((size, axis) => Math.floor(n / strides[axis]) % size)),
  );
  return { shape, data };
}

const get = ({ shape, data }: Plain, at: readonly number[]): number =>
  data[stridesOf(shape).reduce((sum, stride, axis) => sum + stride * at[axis], 0)];

interface Both {
  readonly view: View;
  readonly plain: Plain;
}

type Move = (both: Both, random: (n: number) => number) => Both;

function shuffled(n: number, random: (n: number) => number): number[] {
  const order = range(n);
  for (let i = n - 1; i > 0; i--) {
    const j = random(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

const moves: Record<string, Move> = {
  transpose: ({ view, plain }, random) => {
    const order = shuffled(plain.shape.length, random);
    const shape = order.map((axis) => plain.shape[axis]);
    const back = order.map((_, axis) => order.indexOf(axis));
    return {
      view: transposeView(view, order),
      plain: build(shape, (at) =>
        get(
          plain,
          back.map((axis) => at[axis]),
        ),
      ),
    };
  },
  slice: ({ view, plain }, random) => {
    const start = plain.shape.map((n) => random(n));
    const shape = plain.shape.map((n, axis) => 1 + random(n - start[axis]));
    return {
      view: sliceView(view, start, shape),
      plain: build(shape, (at) =>
        get(
          plain,
          at.map((i, axis) => i + start[axis]),
        ),
      ),
    };
  },
  broadcast: ({ view, plain }, random) => {
    const lead = plain.shape.length < 4 ? range(random(2)).map(() => 1 + random(3)) : [];
    const shape = [...lead, ...plain.shape.map((n) => (n === 1 ? 1 + random(3) : n))];
    return {
      view: broadcastView(view, shape),
      plain: build(shape, (at) =>
        get(
          plain,
          plain.shape.map((n, axis) => (n === 1 ? 0 : at[axis + lead.length])),
        ),
      ),
    };
  },
  reshape: ({ view, plain }, random) => {
    const factors: number[] = [];
    let left = sizeOf(plain.shape);
    for (let divisor = 2; left > 1;) {
      if (left % divisor === 0) {
        factors.push(divisor);
        left /= divisor;
      } else divisor++;
    }
    const shape: number[] = [];
    for (const i of shuffled(factors.length, random)) {
      if (shape.length > 0 && (random(2) === 0 || shape.length === 4)) shape[shape.length - 1] *= factors[i];
      else shape.push(factors[i]);
    }
    if (shape.length < 4 && random(3) === 0) shape.splice(random(shape.length + 1), 0, 1);
    const reshaped = reshapeView(view, shape);
    // Where no view can represent the result, the tensor is copied.
    return reshaped === undefined ? { view, plain } : { view: reshaped, plain: { shape, data: plain.data } };
  },
};

const program = fc.record({
  shape: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
  steps: fc.array(fc.record({ move: fc.constantFrom(...Object.keys(moves)), seed: fc.nat() }), {
    maxLength: 6,
  }),
});

function follow(shape: Shape, steps: readonly { move: string; seed: number }[]): Both {
  let both: Both = { view: denseView(shape), plain: { shape, data: range(sizeOf(shape)) } };
  for (const { move, seed } of steps) {
    let state = seed;
    const random = (n: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    both = moves[move](both, random);
  }
  return both;
}

describe('composed views', () => {
  test('read the same as the operations on arrays', () => {
    fc.assert(
      fc.property(program, ({ shape, steps }) => {
        const { view, plain } = follow(shape, steps);
        expect(view.shape).toEqual(plain.shape);
        expect(read(view)).toEqual(plain.data);
      }),
      { numRuns: 500 },
    );
  });

  test('read the same after collapsing', () => {
    fc.assert(
      fc.property(program, program, ({ shape, steps }, other) => {
        const { view } = follow(shape, steps);
        const second = broadcastView(denseView(other.shape.map(() => 1)), other.shape);
        for (const views of [
          [view],
          [view, denseView(view.shape, 3)],
          [view, { ...view, strides: view.strides.map(() => 0) }],
        ]) {
          const collapsed = collapse(views);
          expect(collapsed.map(read)).toEqual(views.map(read));
          expect(collapsed[0].shape.length).toBeLessThanOrEqual(view.shape.length);
          expect(collapsed[0].shape).not.toContain(1);
        }
        expect(collapse([second])[0].shape.length).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('end after the last element that they read', () => {
    fc.assert(
      fc.property(program, ({ shape, steps }) => {
        const { view } = follow(shape, steps);
        expect(viewEnd(view)).toBe(Math.max(...read(view)) + 1);
      }),
    );
  });

  test('are dense where they read neighbours in order', () => {
    fc.assert(
      fc.property(program, ({ shape, steps }) => {
        const { view } = follow(shape, steps);
        const list = read(view);
        expect(isDense(view)).toBe(list.every((at, i) => at === list[0] + i));
      }),
    );
  });

  test('can be reshaped if and only if the result is a view', () => {
    fc.assert(
      fc.property(program, ({ shape, steps }) => {
        const { view } = follow(shape, steps);
        const flat = reshapeView(view, [sizeOf(view.shape)]);
        const list = read(view);
        const regular = list.every((at, i) => i < 2 || at - list[i - 1] === list[1] - list[0]);
        expect(flat !== undefined).toBe(regular);
      }),
    );
  });
});

test('a view equals itself with other strides on axes of size 1', () => {
  const view = denseView([2, 1, 3]);
  expect(sameView(view, { ...view, strides: [3, 99, 1] })).toBe(true);
  expect(sameView(view, { ...view, strides: [3, 3, 2] })).toBe(false);
  expect(sameView(view, { ...view, offset: 1 })).toBe(false);
  expect(sameView(view, denseView([2, 3]))).toBe(false);
});

test('collapse merges axes only where all views allow it', () => {
  const dense = denseView([2, 3, 5]);
  expect(collapse([dense])[0]).toEqual({ shape: [30], strides: [1], offset: 0 });
  const row = broadcastView(denseView([5]), [2, 3, 5]);
  expect(collapse([dense, row]).map(({ shape, strides }) => ({ shape, strides }))).toEqual([
    { shape: [6, 5], strides: [5, 1] },
    { shape: [6, 5], strides: [0, 1] },
  ]);
});
