// Indices that are sliced, concatenated or transposed before they are used, and indices that are out of range.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { grad, softmaxCrossEntropy } from '../../src/train/index.ts';
import {
  createRuntime,
  gather,
  GatewiseError,
  sum,
  type Runtime,
  type Tensor,
  type Value,
} from '../../src/index.ts';
import { concat, reshape, slice, transpose } from '../../src/ops/structure.ts';
import { backend } from '../setup/backend.ts';

/** Row i holds the number i. */
const table = (rows: number): number[][] => Array.from({ length: rows }, (_, row) => [row]);
const tokens = Int32Array.of(3, 1, 4, 1, 5, 2, 6, 5, 3, 0);

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  const numbers = async (result: { read: () => Promise<ArrayLike<number>> }): Promise<number[]> =>
    Array.from(await result.read());

  test('tokens and next tokens may be slices of one argument', async () => {
    const both = runtime.compile((t: Value, logits: Value, all: Value) => [
      gather(t, slice(all, 0, 0, -1)),
      gather(t, slice(all, 0, 1)),
      softmaxCrossEntropy(logits, slice(all, 0, 1)),
    ]);
    const logits = Array.from({ length: 9 }, () => Array.from({ length: 7 }, () => 0));
    const [x, y, losses] = both(table(7), logits, tokens);
    expect(await numbers(x)).toEqual([...tokens].slice(0, -1));
    expect(await numbers(y)).toEqual([...tokens].slice(1));
    for (const loss of await numbers(losses)) expect(loss).toBeCloseTo(Math.log(7), 5);
  });

  test('indices may be columns, transposes and concats', async () => {
    const pick = runtime.compile((t: Value, i: Value) => [
      gather(t, slice(i, 1, 1, 4)),
      gather(t, transpose(i)),
      gather(t, concat([slice(i, 1, 3), slice(i, 1, 0, 1)], 1)),
    ]);
    const results = pick(table(7), runtime.tensor(tokens, { shape: [2, 5] }));
    expect(await Promise.all(results.map(numbers))).toEqual([
      [1, 4, 1, 6, 5, 3],
      [3, 2, 1, 6, 4, 5, 1, 3, 5, 0],
      [1, 5, 3, 3, 0, 2],
    ]);
  });

  test('i32 results keep their bits, whatever their strides', async () => {
    const all = Int32Array.of(0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 24 + 1);
    const turn = runtime.compile((x: Value) => {
      const matrix = reshape(x, [2, 3]);
      return [x, transpose(matrix), concat([slice(x, 0, 4), x], 0)];
    });
    const [same, turned, joined] = turn(all);
    expect([same.dtype, await numbers(same)]).toEqual(['i32', [...all]]);
    expect(await numbers(turned)).toEqual([0, 3, 1, 4, 2, 5].map((at) => all[at]));
    expect(await numbers(joined)).toEqual([...[...all].slice(4), ...all]);
  });

  test('host data is checked against the limit of each use', async () => {
    const pick = runtime.compile((few: Value, many: Value, i: Value) => [
      gather(few, slice(i, 0, 0, 2)),
      gather(many, slice(i, 0, 2)),
    ]);
    const use = (...indices: number[]): Promise<number[][]> =>
      Promise.all(pick(table(2), table(10), Int32Array.from(indices)).map(numbers));
    expect(await use(1, 0, 9, 2)).toEqual([
      [1, 0],
      [9, 2],
    ]);
    expect(() => use(1, 2, 9, 2)).toThrow('element 1 of arg2 is the index 2; expected 0 to 1');
    expect(() => use(1, 0, 9, 10)).toThrow('element 3 of arg2 is the index 10; expected 0 to 9');
  });

  test('an index is refused through a copy and a concat', () => {
    const pick = runtime.compile((t: Value, i: Value) => {
      const turned = reshape(transpose(reshape(i, [2, 2])), [4]);
      return gather(t, concat([turned, slice(i, 0, 0, 1)], 0));
    });
    expect(() => pick(table(3), Int32Array.of(0, 1, 3, 2))).toThrow(
      'element 2 of arg1 is the index 3; expected 0 to 2',
    );
  });

  /** An i32 tensor. */
  const onDevice = (...indices: number[]): Tensor => {
    const tensor = runtime.allocate([indices.length], 'i32');
    tensor.write(Int32Array.from(indices));
    return tensor;
  };

  test('indices in a tensor are checked by the range that it was made with', async () => {
    const pick = runtime.compile((t: Value, i: Value) => gather(t, i));
    expect(await numbers(pick(table(4), onDevice(3, 0, 2)))).toEqual([3, 0, 2]);
    expect(() => pick(table(4), onDevice(99, -5))).toThrow(
      'arg1 is a tensor of indices from -5 to 99; expected 0 to 3',
    );
    expect(() => pick(table(4), onDevice(0, 4))).toThrow(GatewiseError);
    expect(() => pick(table(4), onDevice(0, -1))).toThrow(GatewiseError);
  });

  test('a gradient checks indices although it does not read the rows', () => {
    const slope = runtime.compile(grad((t: Value, i: Value) => sum(gather(t, i))));
    expect(() => slope(table(4), Int32Array.of(0, 4))).toThrow('index 4; expected 0 to 3');
    expect(() => slope(table(4), onDevice(0, 4))).toThrow('from 0 to 4; expected 0 to 3');
  });

  test('a buffer that is used again takes the range of its new contents', async () => {
    const pick = runtime.compile((t: Value, i: Value) => gather(t, i));
    onDevice(9, 9).dispose();
    expect(await numbers(pick(table(2), onDevice(1, 0)))).toEqual([1, 0]);
  });

  test('a tensor takes as many numbers as it has elements', () => {
    expect(() => runtime.allocate([2], 'i32').write(Int32Array.of(1))).toThrow(
      'write to tensor [2]: shape [2] needs 2 numbers, got 1',
    );
  });
});
