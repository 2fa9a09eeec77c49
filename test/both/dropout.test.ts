// Dropout on both backends: which elements it keeps, how it scales them, that the backward pass keeps the same elements,
// and that each seed, step and stream keeps others.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { philox, unitUniform } from '../../src/core/random.ts';
import { valueAndGrad } from '../../src/train/index.ts';
import type { Value } from '../../src/index.ts';
import {
  createRuntime,
  Dropout,
  dropout,
  dropoutMask,
  Linear,
  mul,
  Noise,
  Sequential,
  sum,
  transpose,
  type Runtime,
} from '../../src/index.ts';
import { backend } from '../setup/backend.ts';

const SIZE = 40_001;
const SEED = Int32Array.of(1234, 1);
const rates = [0.1, 0.5, 0.9];

const ones = (size: number): Float32Array => new Float32Array(size).fill(1);
const isKept = (mask: ArrayLike<number>): boolean[] => Array.from(mask, (factor) => factor !== 0);
const share = (flags: readonly boolean[]): number => flags.filter(Boolean).length / flags.length;

/** Five standard deviations of the mean of `count` independent Bernoulli draws of probability `p`. */
const spread = (p: number, count: number): number => 5 * Math.sqrt((p * (1 - p)) / count);

/** The mask by its definition: element i uses word i % 4 of counter i / 4. */
function expectedMask(size: number, p: number, [low, high]: Int32Array, stream: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => {
    const words = philox([Math.floor(i / 4), stream, 0, 0], [low >>> 0, high >>> 0]);
    return unitUniform(words[i % 4]) >= Math.fround(p) ? 1 / (1 - p) : 0;
  });
}

async function maskOf(
  runtime: Runtime,
  p: number,
  seed: Int32Array = SEED,
  stream = 0,
  size = SIZE,
): Promise<Float32Array> {
  const compiled = runtime.compile((seed: Value) => dropoutMask([size], p, seed, stream));
  return Float32Array.from(await compiled(seed).read());
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test.each(rates)(
    'with p = %d keeps 1 - p of the elements, each independently, scaled by 1 / (1 - p)',
    async (p) => {
      const mask = await maskOf(runtime, p);
      expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / (1 - p))]));
      const kept = isKept(mask);
      expect(Math.abs(share(kept) - (1 - p))).toBeLessThan(spread(p, SIZE));
      // Elements of one counter, of neighbouring counters and of neighbouring workgroups.
      for (const distance of [1, 2, 3, 4, 256]) {
        const both = kept.slice(distance).map((own, i) => own && kept[i]);
        expect(Math.abs(share(both) - (1 - p) ** 2)).toBeLessThan(2 * spread((1 - p) ** 2, SIZE));
      }
      for (const word of [0, 1, 2, 3]) {
        const part = kept.filter((_, i) => i % 4 === word);
        expect(Math.abs(share(part) - (1 - p))).toBeLessThan(spread(p, part.length));
      }
    },
  );

  test.each([
    [[0, 0], 0],
    [[1234, 1], 7],
    // Seeds are any 32 bits.
    [[-1, -(2 ** 31)], 0],
    [[2 ** 31 - 1, -2], 2 ** 32 - 1],
  ] as const)(
    'seed %o, stream %d: keeps the elements that the generator selects',
    async ([low, high], stream) => {
      const seed = Int32Array.of(low, high);
      // The last rate is a number that an element draws: a number equal to the rate keeps the element.
      const drawn = unitUniform(philox([9, stream, 0, 0], [low >>> 0, high >>> 0])[2]);
      for (const p of [0.3, 1 / 3, drawn]) {
        const mask = await maskOf(runtime, p, seed, stream, 1023);
        expect([...mask]).toEqual([...expectedMask(1023, p, seed, stream)]);
      }
    },
  );

  test('the same seed gives the same bits, another seed, step or stream another mask', async () => {
    const p = 0.5;
    const mask = await maskOf(runtime, p);
    expect(await maskOf(runtime, p)).toEqual(mask);
    const others = await Promise.all([
      maskOf(runtime, p, Int32Array.of(1235, 1)),
      maskOf(runtime, p, Int32Array.of(1234, 2)),
      maskOf(runtime, p, Int32Array.of(1, 1234)),
      maskOf(runtime, p, SEED, 1),
      maskOf(runtime, p, SEED, 2),
    ]);
    // Independent masks agree at half of the elements.
    const all = [mask, ...others].map(isKept);
    all.forEach((one, i) =>
      all.slice(i + 1).forEach((other) => {
        const agree = one.map((kept, j) => kept === other[j]);
        expect(Math.abs(share(agree) - 0.5)).toBeLessThan(spread(0.5, SIZE));
      }),
    );
  });

  test('the backward pass drops what the forward pass dropped, at the same scale', async () => {
    const x = Float32Array.from({ length: SIZE }, (_, i) => 1 + (i % 7));
    const cotangent = Float32Array.from({ length: SIZE }, (_, i) => (i % 5) - 7);
    const compiled = runtime.compile((x: Value, cotangent: Value, seed: Value) => {
      const [, dx] = valueAndGrad((x: Value) => sum(mul(dropout(x, 0.3, new Noise(seed)), cotangent)))(x);
      return { y: dropout(x, 0.3, new Noise(seed)), dx };
    });
    const { y, dx } = compiled(x, cotangent, SEED);
    const [output, gradient] = [await y.read(), await dx.read()];
    expect(isKept(gradient)).toEqual(isKept(output));
    const mask = await maskOf(runtime, 0.3);
    expect(Float32Array.from(output)).toEqual(mask.map((factor, i) => factor * x[i]));
    expect(Float32Array.from(gradient)).toEqual(mask.map((factor, i) => factor * cotangent[i]));
  });

  test('elements are counted in row-major order of the input, whatever its strides', async () => {
    const turned = runtime.compile((x: Value, seed: Value) => dropout(transpose(x), 0.5, new Noise(seed)));
    const y = await turned(runtime.tensor(ones(35), { shape: [5, 7] }), SEED).read();
    expect(Float32Array.from(y)).toEqual(await maskOf(runtime, 0.5, SEED, 0, 35));
  });

  test('p = 0 is the input and p = 1 is zeros, without a draw', async () => {
    const ends = runtime.compile((x: Value, seed: Value) => {
      const noise = new Noise(seed);
      expect(dropout(x, 0, noise)).toBe(x);
      const [, dx] = valueAndGrad((x: Value) => sum(dropout(x, 1, noise)))(x);
      const all = dropout(x, 1, noise);
      expect(noise.stream()).toBe(0);
      return [all, dx, dropoutMask([3], 0, seed, 0), dropoutMask([3], 1, seed, 0)];
    });
    const results = await Promise.all(ends([1, 2, 3], SEED).map((result) => result.read()));
    expect(results.map((result) => Array.from(result))).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [1, 1, 1],
      [0, 0, 0],
    ]);
  });

  test('NaN stays NaN, kept or dropped', async () => {
    const run = runtime.compile((x: Value, seed: Value) => dropout(x, 0.5, new Noise(seed)));
    const y = await run(new Float32Array(64).fill(NaN), SEED).read();
    expect(y.every(Number.isNaN)).toBe(true);
  });

  test('the layer returns its input outside of training', async () => {
    const model = new Sequential([
      new Linear({ inputSize: 5, outputSize: 64 }),
      new Dropout({ p: 0.9 }),
      new Linear({ inputSize: 64, outputSize: 3 }),
      new Dropout(),
    ]);
    expect(model.parameters.map(({ name }) => name)).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
    const net = await runtime.load(model, { seed: 3 });
    const plain = await runtime.load(
      new Sequential([
        new Linear({ inputSize: 5, outputSize: 64 }),
        new Linear({ inputSize: 64, outputSize: 3 }),
      ]),
      { seed: 3 },
    );
    const x = [[1, -2, 3, 0.5, -1]];
    const [got, expected] = [net.run(x), plain.run(x)];
    expect([...(await got.read())]).toEqual([...(await expected.read())]);
    net.dispose();
    plain.dispose();
  });

  test('each layer draws from its own stream, numbered in the order of tracing', async () => {
    const model = new Sequential([new Dropout({ p: 0.5 }), new Dropout({ p: 0.5 })]);
    const both = runtime.compile((x: Value, seed: Value) => {
      const noise = new Noise(seed);
      return model.forward(x, {}, {}, { noise }).output;
    });
    const y = await both(ones(SIZE), SEED).read();
    const [first, second] = [await maskOf(runtime, 0.5, SEED, 0), await maskOf(runtime, 0.5, SEED, 1)];
    expect(Float32Array.from(y)).toEqual(first.map((factor, i) => factor * second[i]));
  });

  test('keeps the elements that the generator selects, bit for bit, at any rate', async () => {
    for (const p of [1e-9, ...rates, 1 / 3, 0.7, 1 - 1e-6]) {
      const [got, expected] = [await maskOf(runtime, p, SEED, 5), expectedMask(SIZE, p, SEED, 5)];
      expect(got.findIndex((factor, i) => factor !== expected[i])).toBe(-1);
    }
  });
});
