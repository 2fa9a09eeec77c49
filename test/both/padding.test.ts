// Where the host knows the lengths, run and step leave out the steps that are padding in every row. Results do not change.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { adam, bceWithLogits, crossEntropy, mse, type Loss, Trainer } from '../../src/train/index.ts';
import {
  createRuntime,
  Embedding,
  GRU,
  LayerNorm,
  Linear,
  LSTM,
  mean,
  MinGRU,
  mul,
  Random,
  reshape,
  Sequential,
  square,
  sub,
  type Layer,
  type Runtime,
  type Tensor,
} from '../../src/index.ts';
import { deviceLengths } from '../device_lengths.ts';
import { backend } from '../setup/backend.ts';

const BATCH = 3;
const LENGTHS = [2, 4, 1];

function numbers(seed: number, shape: readonly number[], odd?: (at: number) => boolean): Float32Array {
  const random = new Random(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return Float32Array.from({ length: size }, (_, at) => (odd?.(at) === true ? NaN : random.normal()));
}

const sizes = { inputSize: 3, hiddenSize: 4 };

describe(`on ${backend}, leaving padding out changes nothing:`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  const STEPS = 11;
  const close = (data: ArrayLike<number>): number[] =>
    Array.from(data, (value) => expect.closeTo(value, 5) as number);
  /** The input of a model of features, with NaN as padding. */
  const inputFor = (batchFirst: boolean): Tensor => {
    const shape = batchFirst ? [BATCH, STEPS, 3] : [STEPS, BATCH, 3];
    const isPadding = (at: number): boolean => {
      const [outer, inner] = [Math.floor(at / 3 / shape[1]), Math.floor(at / 3) % shape[1]];
      return batchFirst ? inner >= LENGTHS[outer] : outer >= LENGTHS[inner];
    };
    return runtime.tensor(numbers(1, shape, isPadding), { shape });
  };

  const models: Record<string, (batchFirst: boolean) => Layer> = {
    'LSTM of two directions': (batchFirst) =>
      new LSTM({ ...sizes, batchFirst, bidirectional: true, numLayers: 2 }),
    MinGRU: (batchFirst) => new MinGRU({ ...sizes, batchFirst, bidirectional: true }),
    'GRU between others': (batchFirst) =>
      new Sequential([
        new GRU({ ...sizes, batchFirst, zoneout: 0.1 }),
        new LayerNorm({ normalizedShape: 4 }),
        new Linear({ inputSize: 4, outputSize: 2 }),
      ]),
  };
  const cases = Object.entries(models).flatMap(([name, make]) =>
    [false, true].map((batchFirst) => [name, batchFirst, make(batchFirst)] as const),
  );

  test.each(cases)('a run of %s, batch first %s', async (_, batchFirst, model) => {
    using net = await runtime.load(model, { seed: 2 });
    const x = inputFor(batchFirst);
    const states = Object.fromEntries(
      model.states.map(({ name, shape }, i) => [
        name,
        runtime.tensor(numbers(5 + i, shape(BATCH)), { shape: shape(BATCH) }),
      ]),
    );
    const cut = net.runWithStates(x, { lengths: LENGTHS, states });
    const whole = net.runWithStates(x, { lengths: deviceLengths(runtime, LENGTHS), states });
    expect(cut.output.shape).toEqual(whole.output.shape);
    expect(Array.from(await cut.output.read())).toEqual(close(await whole.output.read()));
    for (const [name, state] of Object.entries(whole.states))
      expect(Array.from(await cut.states[name].read())).toEqual(close(await state.read()));
  });

  const ownLoss: Loss = {
    name: 'own',
    targetDType: 'f32',
    // This loss averages over all elements, so its value depends on the number of steps.
    apply: (output, target, mask) =>
      mean(mul(square(sub(output, target)), reshape(mask ?? output, [...(mask?.shape ?? []), 1]))),
  };
  test.each([
    ['mse', mse],
    ['bceWithLogits', bceWithLogits],
    ['a loss that counts padding', ownLoss],
  ])('training with %s', async (_, loss) => {
    for (const [, batchFirst, model] of cases.slice(4)) {
      const shape = batchFirst ? [BATCH, STEPS, 2] : [STEPS, BATCH, 2];
      const y = runtime.tensor(numbers(9, shape).map(Math.abs).map(Math.fround), { shape });
      const x = inputFor(batchFirst);
      const results: number[][] = [];
      for (const lengths of [LENGTHS, deviceLengths(runtime, LENGTHS)]) {
        using net = await runtime.load(model, { seed: 3 });
        const trainer = new Trainer(net, {
          loss,
          optimizer: adam({ lr: 0.01 }),
          stateful: true,
          clipNorm: 0.5,
        });
        const losses: number[] = [];
        for (let step = 0; step < 3; step++) losses.push(await trainer.step(x, y, { lengths }));
        results.push([...losses, ...(await net.context.weights[0].read())]);
      }
      expect(results[0]).toEqual(close(results[1]));
    }
  });

  test('training on labels', async () => {
    for (const batchFirst of [false, true]) {
      const model = new Sequential([
        new Embedding({ numEmbeddings: 5, embeddingDim: 3 }),
        new LSTM({ ...sizes, batchFirst, recompute: true }),
        new Linear({ inputSize: 4, outputSize: 5 }),
      ]);
      const shape = batchFirst ? [BATCH, STEPS] : [STEPS, BATCH];
      const random = new Random(4);
      const draw = (): Tensor =>
        runtime.tensor(
          Int32Array.from({ length: STEPS * BATCH }, () => random.integer(5)),
          { shape },
        );
      const [x, y] = [draw(), draw()];
      const results: number[][] = [];
      for (const lengths of [LENGTHS, deviceLengths(runtime, LENGTHS)]) {
        using net = await runtime.load(model, { seed: 3 });
        const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam({ lr: 0.01 }) });
        const losses = [await trainer.step(x, y, { lengths }), await trainer.step(x, y, { lengths })];
        results.push([...losses, ...(await net.context.weights[0].read())]);
      }
      expect(results[0]).toEqual(close(results[1]));
    }
  });

  test('a layer of the user sees all steps', async () => {
    const seen: number[] = [];
    const own: Layer = {
      name: 'Own',
      parameters: [],
      states: [],
      inputDType: undefined,
      timeAxis: undefined,
      forward: (x) => {
        seen.push(x.shape[0]);
        return { output: x, states: {} };
      },
    };
    using net = await runtime.load(new Sequential([own, new GRU(sizes)]));
    await net.run(inputFor(false), { lengths: LENGTHS }).read();
    expect(seen).toEqual([STEPS]);
  });
});
