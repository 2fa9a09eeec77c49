// Memoised steps run again when the weights change, whatever changes them and wherever they lie in memory.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { adam, crossEntropy, Trainer } from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  createRuntime,
  Embedding,
  Linear,
  LSTM,
  matmul,
  Sequential,
  type Layer,
  type Net,
  type Runtime,
  type Tensor,
  type Value,
} from '../../src/index.ts';
import { fakeQuantizeOp } from '../../src/ops/fake_quantize.ts';
import { packOp } from '../../src/ops/pack.ts';
import { countDispatches } from '../../src/backend/webgpu/launches.ts';
import { referenceTarget } from '../../src/backend/cpu/kernels/index.ts';
import type { Op } from '../../src/graph/value.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { Program } from '../../src/runtime/program.ts';
import { backend, on } from '../setup/backend.ts';

const CLASSES = 7;
const tokens = [
  [1, 2],
  [3, 4],
  [5, 6],
];
const model = (): Layer =>
  new Sequential([
    new Embedding({ numEmbeddings: CLASSES, embeddingDim: 4 }),
    new LSTM({ inputSize: 4, hiddenSize: 5, numLayers: 2 }),
    new Linear({ inputSize: 5, outputSize: CLASSES }),
  ]);

describe.each(backend === 'cpu' ? [false] : [false, true])(`${backend}, check %s`, (check) => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend, check });
  });
  afterAll(() => runtime.dispose());

  const outputOf = async (net: Net, x: number[][] = tokens): Promise<number[]> => {
    using output = net.run(x);
    return Array.from(await output.read());
  };
  /** The output of a new net with the same weights, which has memoised nothing. */
  const expectedOf = async (net: Net, x: number[][] = tokens): Promise<number[]> => {
    using fresh = await runtime.load(model(), { weights: await net.save() });
    return await outputOf(fresh, x);
  };

  test('a run uses the weights that a training step, a write or a checkpoint has changed', async () => {
    using net = await runtime.load(model(), { seed: 1 });
    const first = await outputOf(net);
    expect(await outputOf(net)).toEqual(first);

    const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam({ lr: 0.1 }) });
    const checkpoint = await trainer.save();
    await trainer.step(tokens, tokens);
    const trained = await outputOf(net);
    expect(trained).not.toEqual(first);
    expect(trained).toEqual(await expectedOf(net));

    net.context.weights[0].write((await net.context.weights[0].read()).map((w) => 2 * w));
    const doubled = await outputOf(net);
    expect(doubled).not.toEqual(trained);
    expect(doubled).toEqual(await expectedOf(net));

    trainer.load(checkpoint);
    expect(await outputOf(net)).toEqual(first);
  });

  test('all plans of a net, and a stream, use the changed weights', async () => {
    using net = await runtime.load(model(), { seed: 2 });
    const longer = [...tokens, ...tokens];
    const stream = net.stream({ batch: 2 });
    const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam({ lr: 0.1 }) });
    // The second plan does not run after every change.
    for (const inputs of [[tokens, longer], [tokens], [longer, tokens]]) {
      for (const x of inputs) expect(await outputOf(net, x)).toEqual(await expectedOf(net, x));
      stream.reset();
      using pushed = stream.push(tokens[0]);
      expect(Array.from(await pushed.read())).toEqual(await expectedOf(net, [tokens[0]]));
      await trainer.step(tokens, tokens);
    }
  });

  test('two nets on one runtime use their own weights', async () => {
    using one = await runtime.load(model(), { seed: 3 });
    using two = await runtime.load(model(), { seed: 4 });
    const [first, second] = [await outputOf(one), await outputOf(two)];
    expect(first).not.toEqual(second);
    expect([await outputOf(one), await outputOf(two)]).toEqual([first, second]);
  });

  describe('a step runs again when its argument has other contents', () => {
    /** (w · w) · x, of which w · w is memoised. */
    const program = () =>
      new Program<{ readonly w: Tensor; readonly x: Tensor }>(runtime, {
        name: 'memoised',
        trace: ({ w, x }) => ({ outputs: { y: matmul(matmul(w, w), x) } }),
        frozen: ['w'],
      });
    const identity = [
      [1, 0],
      [0, 1],
    ];
    const scaled = (factor: number): Tensor =>
      runtime.tensor(identity.map((row) => row.map((value) => factor * value)));
    const run = async (of: ReturnType<typeof program>, w: Tensor): Promise<number[]> => {
      using x = runtime.tensor(identity);
      const { y } = of.call({ w, x }, undefined) as { readonly y: Tensor };
      return Array.from(await y.read());
    };
    const times = (factor: number): number[] => [factor, 0, 0, factor];

    test('in another tensor, and in a buffer that was freed and used again', async () => {
      const tested = program();
      const three = scaled(3);
      const { buffer } = three;
      expect(await run(tested, three)).toEqual(times(9));
      const two = scaled(2);
      expect(await run(tested, two)).toEqual(times(4));
      expect(await run(tested, three)).toEqual(times(9));
      three.dispose();
      const five = scaled(5);
      // The CPU leaves memory to the garbage collector.
      const isReused = backend === 'webgpu';
      expect(five.buffer === buffer).toBe(isReused);
      expect(await run(tested, five)).toEqual(times(25));
      // A run, not the host, writes this one.
      five.dispose();
      const double = runtime.compile((w: Value) => w.apply('mul', [w, 2]));
      const four = double(two);
      expect(four.buffer === buffer).toBe(isReused);
      expect(await run(tested, four)).toEqual(times(16));
      tested.dispose();
    });

    test('where a run overwrites its argument', async () => {
      const tested = program();
      const w = scaled(1);
      const doubled = new Program<{ readonly w: Tensor }>(runtime, {
        name: 'double',
        trace: (args) => ({ outputs: { w: args.w.apply('mul', [args.w, 2]) }, donated: ['w'] }),
      });
      expect(await run(tested, w)).toEqual(times(1));
      doubled.update({ w }, undefined);
      expect(await run(tested, w)).toEqual(times(4));
      tested.dispose();
      doubled.dispose();
    });
  });

  test.each(check ? [] : [false])('a profile does not change what a run memoises', async () => {
    using net = await runtime.load(model(), { seed: 5 });
    using x = runtime.tensor(tokens, { dtype: 'i32' });
    const first = await outputOf(net);
    const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam({ lr: 0.1 }) });
    // The weights change while the profile uses copies of them.
    const profile = tools.profile(net, x);
    await trainer.step(tokens, tokens);
    const meanwhile = await outputOf(net);
    const { steps, seconds } = await profile;
    expect(meanwhile).not.toEqual(first);
    expect(await outputOf(net)).toEqual(meanwhile);
    expect(meanwhile).toEqual(await expectedOf(net));
    // The CPU packs nothing.
    expect(steps.some(({ memoised }) => memoised)).toBe(backend === 'webgpu');
    const ofRun = steps.filter(({ memoised }) => !memoised).reduce((sum, step) => sum + step.seconds, 0);
    expect(seconds).toBeCloseTo(ofRun, 12);
  });
});

/** Kernel launches of the memoised steps of a plan. */
function memoisedLaunches({ steps }: Plan): number {
  return steps.reduce((sum, step) => sum + (step.memoised ? countDispatches(step) : 0), 0);
}

describe('memoised steps run', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each(on('webgpu'))(
    'on a device in the first run and after a training step, whose own plan packs in every step',
    async () => {
      using runtime = await createRuntime({ backend: 'webgpu' });
      using net = await runtime.load(model(), { seed: 1 });
      const dispatched = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
      const count = async (action: () => unknown): Promise<number> => {
        dispatched.mockClear();
        action();
        await runtime.backend.idle();
        return dispatched.mock.calls.length;
      };
      const memoised = memoisedLaunches(tools.plan(net, tokens));
      expect(memoised).toBeGreaterThanOrEqual(2);
      const run = (): void => net.run(tokens).dispose();
      const [first, each] = [await count(run), await count(run)];
      expect([first, await count(run)]).toEqual([each + memoised, each]);
      const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam() });
      const plan = tools.plan(trainer, tokens, tokens);
      const packs = plan.steps.filter(({ op }) => op.name === packOp.name);
      expect(packs.map((step) => step.memoised)).toEqual([false, false, false, false]);
      const step = (): void => void trainer.step(tokens, tokens);
      const [training, again] = [await count(step), await count(step)];
      expect(training - again).toBe(memoisedLaunches(plan));
      expect([await count(run), await count(run)]).toEqual([each + memoised, each]);
    },
  );

  test.each(on('cpu'))('on the CPU too', async () => {
    using runtime = await createRuntime({ backend: 'cpu' });
    using net = await runtime.load(model(), { seed: 1, precision: 'f16' });
    const rounded = vi.spyOn(referenceTarget.kernel(fakeQuantizeOp as Op), 'run');
    const run = (): number => {
      rounded.mockClear();
      net.run(tokens).dispose();
      return rounded.mock.calls.length;
    };
    const matrices = tools.plan(net, tokens).steps.filter(({ op }) => op.name === fakeQuantizeOp.name).length;
    expect(matrices).toBeGreaterThan(0);
    expect([run(), run()]).toEqual([matrices, 0]);
    net.context.weights[0].write(await net.context.weights[0].read());
    expect([run(), run()]).toEqual([matrices, 0]);
  });
});
