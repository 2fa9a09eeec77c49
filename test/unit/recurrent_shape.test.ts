// How much of a step one invocation takes.
import { expect, test } from 'vitest';

import { GPU_TARGET, SOFTWARE_TARGET } from '../../src/graph/launch.ts';
import { stepTile } from '../../src/ops/recurrent_shape.ts';

const large = { products: 4, width: 4096, batch: 4096, chains: 1 };

test('of a GPU no more sums than it has registers for, of a CPU as large a tile as there is', () => {
  const gpu = stepTile(GPU_TARGET, large);
  expect(4 * gpu.rows * gpu.units).toBe(64);
  expect(stepTile(SOFTWARE_TARGET, large)).toEqual({ rows: 16, units: 4 });
});

test('no more rows than there are, and a unit of a row where a unit has very many products', () => {
  expect(stepTile(SOFTWARE_TARGET, { ...large, batch: 1 }).rows).toBe(1);
  expect(stepTile(GPU_TARGET, { ...large, products: 100 })).toEqual({ rows: 1, units: 1 });
});
