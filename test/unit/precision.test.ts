// f16 and int8 weights: straight-through gradients, fewer bytes in plans, float32 weights in files, and what is refused.
import { afterAll, describe, expect, test } from 'vitest';

import { allCells } from '../../src/cells/index.ts';
import { halfBits, halfToNumber } from '../../src/core/half.ts';
import { Value } from '../../src/graph/value.ts';
import { crossEntropy, grad, sgd, Trainer } from '../../src/train/index.ts';
import {
  add,
  createRuntime,
  Embedding,
  GRUCell,
  Linear,
  LSTM,
  MinGRU,
  mul,
  Random,
  Recurrent,
  Sequential,
  sum,
  weightProduct,
  type Layer,
  type LoadOptions,
  type Runtime,
  type Tensor,
  type WeightPrecision,
} from '../../src/index.ts';
import { fakeQuantize } from '../../src/ops/fake_quantize.ts';
import { failure } from '../failure.ts';
import { planOf } from '../webgpu_plan.ts';

const cpu = await createRuntime({ backend: 'cpu' });
const exact = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
afterAll(() => {
  cpu.dispose();
  exact.dispose();
});

type Named = Readonly<Record<string, Tensor>>;

/** The parameters with the rounding that a net of that precision applies. */
const stored = (
  layer: Layer,
  parameters: Readonly<Record<string, Value>>,
  precision: WeightPrecision,
): Record<string, Value> =>
  Object.fromEntries(
    layer.parameters.map(({ name, quantizable }) => [
      name,
      quantizable === true ? fakeQuantize(parameters[name], precision) : parameters[name],
    ]),
  );

/** Random parameters of a layer, and the same with rounded matrices. */
async function parametersOf(runtime: Runtime, layer: Layer): Promise<[own: Named, rounded: Named]> {
  const random = new Random(8);
  const own = Object.fromEntries(
    layer.parameters.map(({ name, shape }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const data = Float64Array.from({ length: size }, () => random.uniform(-0.5, 0.5));
      return [name, runtime.tensor(data, { shape })];
    }),
  );
  const rounded = await Promise.all(
    Object.entries(own).map(async ([name, tensor]) => {
      if (!name.startsWith('weight') || tensor.shape.length < 2) return [name, tensor] as const;
      const data = Float64Array.from(await tensor.read(), (w) => halfToNumber(halfBits(w)));
      return [name, runtime.tensor(data, { shape: tensor.shape })] as const;
    }),
  );
  return [own, Object.fromEntries(rounded)];
}

describe('gradients with f16 equal those of float32 at the rounded weights', () => {
  const layers: readonly (readonly [string, Layer])[] = [
    ...allCells.map((cell, c) => {
      const sizes = { inputSize: 3, hiddenSize: 5, ...(cell.projects ? { projSize: 2 } : {}) };
      return [
        cell.name,
        new Recurrent(cell.name, cell, {
          ...sizes,
          bidirectional: c % 2 === 0,
          bias: c % 3 > 0,
          numLayers: 2,
        }),
      ] as const;
    }),
    ['MinGRU', new MinGRU({ inputSize: 3, hiddenSize: 5 })],
    ['Linear', new Linear({ inputSize: 3, outputSize: 7 })],
    ['recomputed segments', new LSTM({ inputSize: 3, hiddenSize: 5, recompute: 2 })],
  ];
  test.each(layers)('%s', async (_, layer) => {
    const [own, rounded] = await parametersOf(exact, layer);
    const random = new Random(3);
    const x = exact.tensor(
      Float64Array.from({ length: 4 * 2 * 3 }, () => random.normal()),
      { shape: [4, 2, 3] },
    );
    const gradientOf = async (parameters: Named, precision: WeightPrecision): Promise<number[]> => {
      const run = exact.compile(
        grad((given: { x: Value; parameters: Record<string, Value> }) => {
          const { output } = layer.forward(given.x, stored(layer, given.parameters, precision));
          return sum(mul(output, add(output, 1)));
        }),
      );
      const result = run({ x, parameters });
      const tensors = [result.x, ...Object.values(result.parameters)];
      return (await Promise.all(tensors.map((tensor) => tensor.read()))).flatMap((data) => Array.from(data));
    };
    const got = await gradientOf(own, 'f16');
    const expected = await gradientOf(rounded, 'float32');
    const scale = Math.max(1, ...expected.map(Math.abs));
    expect(Math.max(...got.map((d, i) => Math.abs(d - expected[i]))) / scale).toBeLessThan(1e-12);
    // The rounding has an effect.
    const plain = await gradientOf(own, 'float32');
    expect(Math.max(...got.map((d, i) => Math.abs(d - plain[i])))).toBeGreaterThan(1e-7);
  });
});

test('a single cell computes with rounded weights', async () => {
  const cell = new GRUCell({ inputSize: 5, hiddenSize: 6 });
  const [own, rounded] = await parametersOf(cpu, cell);
  const run = (precision: WeightPrecision) =>
    cpu.compile(
      (x: Value, given: Record<string, Value>) => cell.forward(x, stored(cell, given, precision)).output,
    );
  const x = cpu.tensor(Float32Array.of(1, -2, 3, 0.5, -1), { shape: [1, 5] });
  const expected = await run('float32')(x, rounded).read();
  expect(await run('f16')(x, own).read()).toEqual(expected);
  expect(await run('float32')(x, own).read()).not.toEqual(expected);
});

const SHARES = { f16: 1 / 2, int8: 1 / 4 } as const;

describe.each(['f16', 'int8'] as const)('%s', (precision) => {
  test('a run reads the packed matrices, whose packing is memoised', () => {
    const model = new Sequential([
      new LSTM({ inputSize: 64, hiddenSize: 64 }),
      new Linear({ inputSize: 64, outputSize: 64 }),
    ]);
    const bytesOf = (own: WeightPrecision): number => {
      const shapes = [[1, 1, 64], ...model.parameters.map(({ shape }) => shape)];
      const [x, ...weights] = shapes.map((shape) => new Value({ shape, dtype: 'f32' }));
      const named = Object.fromEntries(model.parameters.map(({ name }, i) => [name, weights[i]]));
      const { output } = model.forward(x, stored(model, named, own));
      const { steps } = planOf([x, ...weights], [output], { frozen: weights.map((_, i) => i + 1) });
      const packing = steps.filter(({ op }) => op.name === 'pack');
      expect(packing.map(({ memoised }) => memoised)).toEqual(
        own === 'float32' ? [true] : [true, true, true],
      );
      return steps.filter(({ memoised }) => !memoised).reduce((sum, { cost }) => sum + cost.bytes, 0);
    };
    const matrices = 4 * (2 * 4 + 1) * 64 * 64;
    const saved = bytesOf('float32') - bytesOf(precision);
    // int8 has a scale for each row as well.
    const rows = precision === 'int8' ? 4 * (2 * 4 + 1) * 64 : 0;
    expect(saved).toBe(matrices * (1 - SHARES[precision]) - rows);
  });

  test('save writes the float32 weights', async () => {
    const model = (): Layer =>
      new Sequential([
        new Embedding({ numEmbeddings: 7, embeddingDim: 5 }),
        new LSTM({ inputSize: 5, hiddenSize: 6 }),
      ]);
    using plain = await cpu.load(model(), { seed: 2 });
    using rounded = await cpu.load(model(), { seed: 2, precision });
    rounded.run([[1], [2]]).dispose();
    expect(await rounded.save()).toEqual(await plain.save());
  });
});

describe('what is refused', () => {
  test.each([['float16'], ['float64'], ['toString'], [16], [null]])(
    'precision %s is refused',
    async (precision) => {
      await expect(
        cpu.load(new Linear({ inputSize: 2, outputSize: 3 }), { precision } as unknown as LoadOptions),
      ).rejects.toThrow(failure('argument', /load: precision must be "float32", "f16" or "int8", got /));
    },
  );

  test('a precision of fakeQuantize', () => {
    const weight = new Value({ shape: [3, 3], dtype: 'f32' });
    expect(() => fakeQuantize(weight, 'half' as WeightPrecision)).toThrow(
      failure('argument', /fakeQuantize: precision must be "float32", "f16" or "int8", got "half"/),
    );
  });

  test('a trainer of int8 weights', async () => {
    using net = await cpu.load(new LSTM({ inputSize: 2, hiddenSize: 3 }), { precision: 'int8' });
    expect(() => new Trainer(net, { loss: crossEntropy, optimizer: sgd({ lr: 1 }) })).toThrow(
      failure(
        'unsupported',
        /trainer: .*precision 'int8', which is for inference; load it with 'f16' or 'float32'/,
      ),
    );
  });

  test.each([
    [
      'a product',
      new Linear({ inputSize: 3, outputSize: 3 }),
      /grad: weights with precision 'int8' are for inference/,
    ],
    [
      'a recurrent layer',
      new LSTM({ inputSize: 3, hiddenSize: 3 }),
      /grad: weights with precision 'int8' are for inference/,
    ],
  ])('the gradient of %s with int8 weights', (_, layer, message) => {
    const value = (shape: readonly number[]): Value => new Value({ shape, dtype: 'f32' });
    const parameters = Object.fromEntries(layer.parameters.map(({ name, shape }) => [name, value(shape)]));
    const loss = (own: Record<string, Value>): Value =>
      sum(layer.forward(value([2, 2, 3]), stored(layer, own, 'int8')).output);
    expect(() => grad(loss)(parameters)).toThrow(failure('unsupported', message));
  });

  test('a product of shapes that do not fit', () => {
    const [x, w] = [
      [2, 3],
      [4, 5],
    ].map((shape) => new Value({ shape, dtype: 'f32' }));
    expect(() => weightProduct(x, w, 'f16')).toThrow(
      failure('shape', /matmul: expected .* with one K, got \[2, 3\] and \[4, 5\], second transposed/),
    );
  });
});
