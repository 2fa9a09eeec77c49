// Tensors after dispose, inputs of the wrong dtype or shape, indices out of range, and buffers that are used again.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  add,
  createRuntime,
  gather,
  gru,
  matmul,
  mul,
  recurrent,
  sum,
  tanh,
  type Runtime,
  type Value,
} from '../../src/index.ts';
import { concat, gap } from '../../src/ops/structure.ts';
import { failure } from '../failure.ts';
import { backend } from '../setup/backend.ts';

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test('a disposed tensor is refused by every use', async () => {
    const compiled = runtime.compile((x: Value) => sum(x));
    const x = runtime.tensor([1, 2, 3]);
    x.dispose();
    expect(x.isDisposed).toBe(true);
    x.dispose();
    expect(() => compiled(x)).toThrow(failure('disposed'));
    expect(() => compiled(x)).toThrow('tensor [3]: used after dispose(); keep it until its last use');
    await expect(x.read()).rejects.toThrow(failure('disposed'));
    await expect(runtime.tensor([1]).item()).resolves.toBe(1);
  });

  test('a disposed function and a disposed runtime are refused', async () => {
    const own = await createRuntime({ backend });
    const compiled = own.compile((x: Value) => sum(x));
    expect(await compiled([1, 2]).item()).toBe(3);
    compiled.dispose();
    expect(() => compiled([1, 2])).toThrow(failure('disposed'));
    own.dispose();
    own.dispose();
    expect(() => own.tensor([1])).toThrow(failure('disposed'));
    expect(() => own.compile((x: Value) => x)).toThrow(failure('disposed'));
  });

  test('a buffer that is used again does not change results that were read before', async () => {
    const compiled = runtime.compile((x: Value) => mul(x, 2));
    const first = compiled([1, 2, 3]);
    const read = await first.read();
    first.dispose();
    const second = compiled([4, 5, 6]);
    expect([...read]).toEqual([2, 4, 6]);
    expect([...(await second.read())]).toEqual([8, 10, 12]);
  });

  test('calls in a row need not be awaited', async () => {
    const compiled = runtime.compile((x: Value, y: Value) => add(mul(x, 0.5), y));
    let x = runtime.tensor([8]);
    const all = [];
    for (let i = 0; i < 20; i++) {
      x = compiled(x, [i]);
      all.push(x.item());
    }
    let expected = 8;
    const wanted = Array.from({ length: 20 }, (_, i) => (expected = expected * 0.5 + i));
    const got = await Promise.all(all);
    got.forEach((value, i) => expect(value).toBeCloseTo(wanted[i], 4));
  });

  test('inputs of the wrong dtype are refused', () => {
    const table = [
      [1, 2],
      [3, 4],
    ];
    const pick = runtime.compile((t: Value, i: Value) => gather(t, i));
    expect(() => pick(table, [0, 1])).toThrow(failure('dtype'));
    expect(() => pick(table, [0, 1])).toThrow('gather: index: expected i32, got f32');
    const bend = runtime.compile((x: Value) => tanh(x));
    expect(() => bend(Int32Array.of(1, 2))).toThrow(failure('dtype'));
    expect(() => bend(Int32Array.of(1, 2))).toThrow('tanh: expected f32, got i32');
    expect(() => runtime.tensor([0.5], { dtype: 'i32' })).toThrow(
      'tensor: expected whole numbers of 32 bits (i32), got 0.5',
    );
    expect(() => bend('x' as unknown as number[])).toThrow(failure('argument'));
  });

  test('an index outside its table is refused before anything runs', () => {
    const pick = runtime.compile((t: Value, i: Value) => gather(t, i));
    for (const index of [2, -1]) {
      const use = (): unknown => pick([[1], [2]], Int32Array.of(0, index));
      expect(use).toThrow(failure('argument'));
      expect(use).toThrow(`element 1 of arg1 is the index ${index}; expected 0 to 1`);
    }
  });

  test('shapes that do not fit are refused', () => {
    const product = runtime.compile((a: Value, b: Value) => matmul(a, b));
    expect(() => product([[1, 2]], [[1, 2]])).toThrow(failure('shape'));
    expect(() => product([[1, 2]], [[1, 2]])).toThrow(
      'matmul: expected (…, M, K) and (K, N) with one K, got [1, 2] and [1, 2]',
    );
    const run = runtime.compile((x: Value, w: Value, h: Value) => recurrent(gru, x, w, h).output);
    const zeros = (...shape: number[]): Parameters<typeof run>[0] =>
      runtime.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape });
    expect(() => run(zeros(2, 3, 12), zeros(12, 4), zeros(1, 2, 4))).toThrow(
      'recurrent (gru): initial: expected shape [1, 3, 4], got [1, 2, 4]',
    );
  });

  test('a gap is 0 in the result, in a buffer that was used before', async () => {
    const fill = runtime.compile((x: Value) => add(x, 7));
    const dirty = fill(runtime.tensor(new Float32Array(6), { shape: [2, 3] }));
    await dirty.read();
    dirty.dispose();
    const padded = runtime.compile((x: Value) => concat([mul(x, 2), gap([2, 1])], 1));
    const result = padded(runtime.tensor([1, 2, 3, 4], { shape: [2, 2] }));
    expect([...(await result.read())]).toEqual([2, 4, 0, 6, 8, 0]);
  });

  test('two arguments may be one tensor', async () => {
    const x = runtime.tensor([1, 2, 3]);
    const compiled = runtime.compile((a: Value, b: Value) => [sum(mul(a, b)), add(a, b)]);
    const [product, both] = compiled(x, x);
    expect(await product.item()).toBe(14);
    expect([...(await both.read())]).toEqual([2, 4, 6]);
  });

  test('a result may be an argument itself, twice', async () => {
    const compiled = runtime.compile((x: Value) => [x, x, mul(x, 2)]);
    const results = compiled([1, 2]);
    for (const [i, expected] of [
      [1, 2],
      [1, 2],
      [2, 4],
    ].entries())
      expect([...(await results[i].read())]).toEqual(expected);
  });
});
