// The launches of the gradient of an embedding, and what a plan says of its cost.
import { expect, test } from 'vitest';

import { Value, apply } from '../../src/graph/value.ts';
import { scatterOp } from '../../src/ops/gather.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { launchesOf, planOf } from '../webgpu_plan.ts';

function planFor(count: number, rows: number, width: number): Plan {
  const x = new Value({ shape: [count, width], dtype: 'f32' });
  const i = new Value({ shape: [count], dtype: 'i32' });
  return planOf([x, i], [apply(scatterOp, { rows }, [x, i])]);
}

test.each([
  // Zeros, a sort, sums; sums of the sums from 33 rows on; a merge more for each power of two above 128 rows.
  [1, 3],
  [32, 3],
  [33, 4],
  [128, 4],
  [129, 5],
  [256, 5],
  [257, 6],
  [400, 6],
  [100_000, 14],
])('the gradient of an embedding of %i tokens takes %i launches', (count, launches) => {
  expect(launchesOf(planFor(count, 100, 8))).toBe(launches);
  // The elements after the last four zeros take a launch of their own, and a table of fewer than four elements has no others.
  expect(launchesOf(planFor(count, 101, 3))).toBe(launches + 1);
  expect(launchesOf(planFor(count, 1, 3))).toBe(launches);
});

test('the FLOP of the gradient of an embedding and its memory do not grow with the table', () => {
  const [small, large] = [planFor(400, 10, 200), planFor(400, 10_000, 200)];
  expect([small, large].map(({ steps }) => steps[0].cost.flop)).toEqual([400 * 200, 400 * 200]);
  const scratch = ({ buffers }: Plan): number[] =>
    buffers.filter(({ kind }) => kind === 'temporary').map(({ size }) => size);
  expect(scratch(large)).toEqual(scratch(small));
  // The sums of 13 chunks, and the order twice.
  expect(scratch(large).toSorted((a, b) => a - b)).toEqual([400, 400, 13 * 200]);
});
