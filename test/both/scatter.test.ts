// The gradient of an embedding: sums of rows by index, over sizes around those at which WebGPU sorts, merges and joins.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createRuntime, Embedding, mul, Random, sum, type Runtime, type Value } from '../../src/index.ts';
import { apply } from '../../src/graph/value.ts';
import { scatterOp } from '../../src/ops/gather.ts';
import embeddingCases from '../fixtures/embedding.json' with { type: 'json' };
import { grad } from '../../src/train/index.ts';
import { backend } from '../setup/backend.ts';

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  async function scatter(
    rows: number,
    width: number,
    source: Float32Array,
    index: Int32Array,
  ): Promise<number[]> {
    const run = runtime.compile((x: Value, i: Value) => apply(scatterOp, { rows }, [x, i]));
    const indices = runtime.tensor(index);
    // As if a device had computed them: the host checks no range.
    indices.markWritten();
    const result = await run(runtime.tensor(source, { shape: [index.length, width] }), indices).read();
    run.dispose();
    return [...result];
  }

  /** By definition, in float64. */
  function expected(rows: number, width: number, source: Float32Array, index: Int32Array): number[] {
    const table = Array.from({ length: rows * width }, () => 0);
    source.forEach((x, i) => {
      const row = index[Math.floor(i / width)];
      if (row >= 0 && row < rows) table[row * width + (i % width)] += x;
    });
    return table;
  }

  /** Whole numbers, whose sums are exact in any order. */
  function wholes(size: number): Float32Array {
    const random = new Random(size);
    return Float32Array.from({ length: size }, () => random.integer(201) - 100);
  }

  const ROWS = 37;
  const outside = [-1, ROWS, 2 ** 31 - 1, -(2 ** 31)];
  const indices: Record<string, (i: number, count: number, random: Random) => number> = {
    'all equal': () => 5,
    'drawn at random': (_, __, random) => random.integer(ROWS),
    'of two rows, in turns': (i) => (i % 2) * (ROWS - 1),
    'in falling order, in long runs': (i, count) => ROWS - 1 - Math.floor((i * 3) / count),
    'now and then outside the table': (i, _, random) =>
      i % 3 === 0 ? outside[random.integer(outside.length)] : random.integer(ROWS),
    'outside the table alone': (i) => outside[i % outside.length],
  };
  const counts = [1, 2, 31, 32, 33, 64, 65, 127, 128, 129, 257, 1000, 1025, 2500];

  test.each(Object.entries(indices))('indices %s', async (_, at) => {
    for (const [n, count] of counts.entries()) {
      const width = [1, 3, 4, 7][n % 4];
      const random = new Random(count);
      const source = wholes(count * width);
      const index = Int32Array.from({ length: count }, (_index, i) => at(i, count, random));
      const result = await scatter(ROWS, width, source, index);
      expect(result, `${count} rows of ${width}`).toEqual(expected(ROWS, width, source, index));
    }
  });

  test.each([1, 3, 128, 1001])('indices all different, %i', async (count) => {
    // 389 has no factor in common with the numbers of rows, so it permutes them.
    const index = Int32Array.from({ length: count }, (_, i) => (i * 389) % count);
    const source = wholes(count * 5);
    expect(await scatter(count, 5, source, index)).toEqual(expected(count, 5, source, index));
  });

  test.each([
    [1, 1],
    [5, 1],
    [7, 3],
    [8, 2],
  ])('zeros where no row goes, whatever was in the memory: a table of %i×%i', async (rows, width) => {
    const run = runtime.compile((x: Value, i: Value) => apply(scatterOp, { rows }, [x, i]));
    const source = runtime.tensor(new Float32Array(rows * width).fill(NaN), { shape: [rows, width] });
    // Its memory is that of the next result.
    run(
      source,
      Int32Array.from({ length: rows }, (_, i) => i),
    ).dispose();
    const nowhere = runtime.tensor(new Int32Array(rows).fill(-1));
    nowhere.markWritten();
    expect([...(await run(source, nowhere).read())]).toEqual(Array.from({ length: rows * width }, () => 0));
  });

  test('the same bits on each run', async () => {
    const [count, width] = [1500, 6];
    const random = new Random(3);
    const source = Float32Array.from({ length: count * width }, () => random.normal());
    const index = Int32Array.from({ length: count }, () => random.integer(4));
    const first = await scatter(4, width, source, index);
    expect(await scatter(4, width, source, index)).toEqual(first);
    expect(await scatter(4, width, source, index)).toEqual(first);
  });

  test.each(embeddingCases.map((one) => [one.name, one] as const))('%s, as PyTorch', async (_, one) => {
    const {
      shape: [rows, width],
      tokens,
      cotangent,
    } = one;
    const layer = new Embedding({ numEmbeddings: rows, embeddingDim: width });
    const lossOf = (weight: Value, x: Value, d: Value): Value =>
      sum(mul(layer.forward(x, { weight }).output, d));
    const weight = runtime.tensor(new Float32Array(rows * width), { shape: [rows, width] });
    const gradient = await runtime.compile(grad(lossOf))(weight, Int32Array.from(tokens), cotangent).read();
    one.grad.forEach((g, i) => expect(Math.abs(gradient[i] - g)).toBeLessThan(1e-5));
  });
});
