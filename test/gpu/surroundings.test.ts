// Kernels do not read past their operands in a buffer.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { grad } from '../../src/train/index.ts';
import { createRuntime, type Runtime } from '../../src/index.ts';
import { add, mul, square, tanh } from '../../src/expr/arith.ts';
import type { Value } from '../../src/graph/value.ts';
import { gather } from '../../src/ops/gather.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { weightProduct } from '../../src/ops/fake_quantize.ts';
import { recurrent } from '../../src/ops/recurrent_sequence.ts';
import { softmaxCrossEntropy } from '../../src/ops/softmax_cross_entropy.ts';
import { max, reshape, slice, sum, transpose } from '../../src/ops/structure.ts';
import { gru } from '../../src/cells/gru.ts';

describe('NaN around an operand does not reach the result', () => {
  let gpu: Runtime;
  beforeAll(async () => {
    gpu = await createRuntime({ backend: 'webgpu' });
  });
  afterAll(() => gpu.dispose());

  const inner: Record<string, (x: Value, index: Value) => Value> = {
    'product of odd sizes': (x) => matmul(slice(x, 1, 1, 8), slice(slice(x, 0, 1, 8), 1, 0, 5)),
    'product of multiples of four': (x) => matmul(x, transpose(x)),
    'product of transposes': (x) => matmul(transpose(x), x),
    'product with a bias': (x) =>
      add(matmul(slice(x, 1, 1, 6), slice(slice(x, 0, 0, 5), 1, 0, 3)), slice(x, 1, 2, 5)),
    'product with f16 weights': (x) =>
      weightProduct(slice(x, 1, 1, 8), slice(slice(x, 0, 1, 8), 1, 1, 8), 'f16'),
    'product with f16 weights, over rows': (x) =>
      weightProduct(slice(x, 1, 1, 8), slice(x, 0, 1, 8), 'f16', 'rows'),
    'product with int8 weights': (x) => weightProduct(x, slice(x, 0, 1, 6), 'int8'),
    elementwise: (x) => tanh(mul(x, 2)),
    'sum over rows': (x) => sum(x, 0),
    'maximum over columns': (x) => max(x, 1),
    'softmax cross-entropy': (x, index) => softmaxCrossEntropy(x, index),
    gather: (x, index) => gather(x, index),
    'scatter, as the gradient of gather': (x, index) => grad((x: Value) => sum(square(gather(x, index))))(x),
    recurrent: (x) =>
      recurrent(
        gru,
        reshape(slice(x, 1, 0, 6), [4, 2, 6]),
        slice(slice(x, 0, 0, 6), 1, 0, 2),
        reshape(slice(slice(x, 0, 0, 2), 1, 0, 2), [1, 2, 2]),
      ).output,
  };

  test.each(Object.entries(inner))('%s', async (_, build) => {
    const data = new Float32Array(16 * 16).fill(NaN);
    for (let row = 0; row < 8; row++)
      for (let i = 0; i < 8; i++) data[(row + 4) * 16 + i + 4] = Math.sin(row * 8 + i);
    const compiled = gpu.compile((x: Value, index: Value) =>
      build(slice(slice(x, 0, 4, 12), 1, 4, 12), index),
    );
    const result = await compiled(
      gpu.tensor(data, { shape: [16, 16] }),
      Int32Array.of(0, 7, 3, 3, 5, 1, 0, 2),
    ).read();
    expect(result.findIndex((x) => !Number.isFinite(x))).toBe(-1);
  });
});
