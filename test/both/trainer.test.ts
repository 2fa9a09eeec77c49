// Training on both backends: optimizers and losses against PyTorch, reproducibility from the seed, checkpoints, and losses
// that are not finite.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  adam,
  adamw,
  crossEntropy,
  mse,
  rmsprop,
  sgd,
  type Loss,
  type Optimizer,
  type TrainerOptions,
  Trainer,
} from '../../src/train/index.ts';
import {
  abs,
  add,
  createRuntime,
  div,
  GRU,
  Linear,
  mean,
  parseSafetensors,
  Sequential,
  sqrt,
  sum,
  mul,
  type HostData,
  type Layer,
  type Net,
  type Runtime,
} from '../../src/index.ts';
import { failure } from '../failure.ts';
import optimizerRuns from '../fixtures/optimizers.json' with { type: 'json' };
import { backend } from '../setup/backend.ts';
import { cellNames, countingBatches, TOKENS, tokenModel } from '../token_model.ts';

interface OptimizerRun {
  readonly name: string;
  readonly optimizer: string;
  /** Under PyTorch's names. */
  readonly options: Readonly<Record<string, number | boolean | readonly number[]>>;
  readonly clipValue: number | null;
  readonly clipNorm: number | null;
  readonly schedule: string | null;
  readonly p: readonly (readonly number[])[];
}

interface OptimizerRuns {
  readonly p0: readonly number[];
  readonly grads: readonly (readonly number[])[];
  readonly runs: readonly OptimizerRun[];
}

async function train(trainer: Trainer, data: readonly { x: HostData; y: HostData }[]): Promise<number[]> {
  const losses: number[] = [];
  for (const { x, y } of data) losses.push(await trainer.step(x, y));
  return losses;
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  async function prepare(
    model: Layer,
    options: TrainerOptions,
    seed = 3,
  ): Promise<{ net: Net; trainer: Trainer }> {
    const net = await runtime.load(model, { seed });
    return { net, trainer: new Trainer(net, options) };
  }

  /** All weights of a net, in the order of its parameters. */
  const weightsOf = async (net: Net): Promise<number[]> => {
    const tensors = net.context.layout.toTensors([await net.context.weights[0].read()]);
    return [...tensors.values()].flatMap(({ data }) => Array.from(data));
  };

  describe('optimizers against PyTorch', () => {
    /** The gradient of Σ weight·target with respect to the weight is the target, whatever the weight. */
    const dot: Loss = {
      name: 'dot',
      targetDType: 'f32',
      apply: (output, target) => sum(mul(output, target)),
    };
    /** The factor of the learning rate by step, as in torch's LambdaLR. */
    const schedules: Record<string, (step: number) => number> = {
      warmup: (step) => Math.min(1, (step + 1) / 10) / (1 + step),
    };
    const optimizerOf = ({ optimizer, options, schedule }: OptimizerRun): Optimizer => {
      const ours = Object.fromEntries(
        Object.entries(options).map(([name, value]) => [
          name === 'weight_decay' ? 'weightDecay' : name,
          value,
        ]),
      );
      if (schedule !== null) {
        const base = Number(options['lr']);
        ours['lr'] = ((step: number) => base * schedules[schedule](step)) as unknown as number;
      }
      if (optimizer === 'sgd') return sgd(ours as unknown as Parameters<typeof sgd>[0]);
      if (optimizer === 'rmsprop') return rmsprop(ours);
      if (optimizer === 'adam') return adam(ours);
      if (optimizer === 'adamw') return adamw(ours);
      throw new Error(`expected one of the optimizers, got ${optimizer}`);
    };
    const { p0, grads, runs } = optimizerRuns as OptimizerRuns;

    test.each(runs.map((run) => [run.name, run] as const))('%s', async (_, run) => {
      const { clipValue, clipNorm, p } = run;
      // Five rows of one weight: the output for the input 1 is the parameter itself.
      const { net, trainer } = await prepare(
        new Linear({ inputSize: 1, outputSize: p0.length, bias: false }),
        {
          loss: dot,
          optimizer: optimizerOf(run),
          ...(clipValue !== null && { clipValue }),
          ...(clipNorm !== null && { clipNorm }),
        },
      );
      const flat = new Float32Array(net.context.weights[0].shape[0]);
      flat.set(p0);
      runtime.backend.write(net.context.weights[0].buffer, flat);
      for (const [i, g] of grads.entries()) {
        await trainer.step([[1]], [g as number[]]);
        const got = await weightsOf(net);
        p[i].forEach((expected, k) => {
          expect(
            Math.abs(got[k] - expected),
            `step ${i + 1}, element ${k}: got ${got[k]}, expected ${expected}`,
          ).toBeLessThanOrEqual(4e-6 + 2e-6 * Math.abs(expected));
        });
      }
      net.dispose();
    });

    test.each([
      ['the default eps matters for gradients of its size', {}, 1e-8],
      ['eps is added to the corrected root', { eps: 1 }, 1],
      ['betas and eps are those given', { betas: [0.5, 0.9], eps: 1e-3 } as const, 1e-3],
    ])('adam: %s', async (_, given, scale) => {
      const { betas, eps } = { betas: [0.9, 0.999], eps: 1e-8, ...given };
      const { net, trainer } = await prepare(new Linear({ inputSize: 1, outputSize: 1, bias: false }), {
        loss: dot,
        optimizer: adam({ lr: 0.1, ...given }),
      });
      let [p] = await weightsOf(net);
      let [m, v] = [0, 0];
      for (const [i, g] of [scale, -3 * scale, 0, 2 * scale].entries()) {
        m = betas[0] * m + (1 - betas[0]) * g;
        v = betas[1] * v + (1 - betas[1]) * g * g;
        const root = Math.sqrt(v / (1 - betas[1] ** (i + 1)));
        p -= (0.1 * m) / (1 - betas[0] ** (i + 1)) / (root + eps);
        await trainer.step([[1]], [[g]]);
        expect((await weightsOf(net))[0], `step ${i + 1}`).toBeCloseTo(p, 6);
      }
      net.dispose();
    });

    test('two trainers of one net have their own settings', async () => {
      const step = async (options: TrainerOptions[]): Promise<number[]> => {
        const net = await runtime.load(new Linear({ inputSize: 1, outputSize: 2, bias: false }), { seed: 1 });
        for (const each of options) await new Trainer(net, each).step([[1]], [[3, -4]]);
        const weights = await weightsOf(net);
        net.dispose();
        return weights;
      };
      const plain = { loss: dot, optimizer: sgd({ lr: 1 }) };
      const start = await step([]);
      expect((await step([plain])).map((w, i) => start[i] - w)).toEqual([
        expect.closeTo(3, 5),
        expect.closeTo(-4, 5),
      ]);
      const clipped = await step([plain, { ...plain, clipNorm: 0.5 }]);
      expect(clipped.map((w, i) => start[i] - w)).toEqual([expect.closeTo(3.3, 5), expect.closeTo(-4.4, 5)]);
      const double: Loss = { ...dot, apply: (output, target) => mul(2, dot.apply(output, target)) };
      const doubled = await step([plain, { ...plain, loss: double }]);
      expect(doubled.map((w, i) => start[i] - w)).toEqual([expect.closeTo(9, 5), expect.closeTo(-12, 5)]);
    });

    test('clipNorm bounds the norm over all parameters, and leaves smaller gradients unchanged', async () => {
      const model = (): Layer =>
        new Sequential([
          new Linear({ inputSize: 1, outputSize: 3 }),
          new Linear({ inputSize: 3, outputSize: 2 }),
        ]);
      const update = async (clipNorm: number | undefined, scale: number): Promise<number[]> => {
        const { net, trainer } = await prepare(model(), {
          loss: { ...dot, apply: (output, target) => mul(scale, dot.apply(output, target)) },
          optimizer: sgd({ lr: 1 }),
          ...(clipNorm === undefined ? {} : { clipNorm }),
        });
        const before = await weightsOf(net);
        await trainer.step([[2]], [[3, -4]]);
        const after = await weightsOf(net);
        net.dispose();
        return after.map((w, i) => w - before[i]);
      };
      const norm = (list: readonly number[]): number => Math.hypot(...list);
      const free = await update(undefined, 1);
      expect(norm(free)).toBeGreaterThan(1);
      const clipped = await update(0.25, 1);
      expect(norm(clipped)).toBeCloseTo(0.25, 5);
      // The direction is unchanged.
      clipped.forEach((d, i) => expect(d).toBeCloseTo((free[i] * 0.25) / norm(free), 5));
      const short = await update(undefined, 0.01);
      expect(norm(short)).toBeLessThan(0.25);
      expect(await update(0.25, 0.01)).toEqual(short);
    });
  });

  describe('losses', () => {
    /** The loss of a net whose output is its input, from one sgd step with a learning rate of 0. */
    async function lossOf(loss: Loss, x: number[][], y: number[] | number[][]): Promise<number> {
      const size = x[0].length;
      const { net, trainer } = await prepare(new Linear({ inputSize: size, outputSize: size, bias: false }), {
        loss,
        optimizer: sgd({ lr: 0 }),
      });
      const identity = new Float32Array(net.context.weights[0].shape[0]);
      for (let i = 0; i < size; i++) identity[i * size + i] = 1;
      runtime.backend.write(net.context.weights[0].buffer, identity);
      const value = await trainer.step(x, y);
      net.dispose();
      return value;
    }

    test('mse is the mean over all elements', async () => {
      const loss = await lossOf(
        mse,
        [
          [1, 2, 3],
          [0, -1, 2],
        ],
        [
          [1, 0, 0],
          [2, -1, 2],
        ],
      );
      // (0 + 4 + 9 + 4 + 0 + 0) / 6
      expect(loss).toBeCloseTo(17 / 6, 6);
    });

    test('crossEntropy is in nats, the mean over all targets', async () => {
      const logs = [
        [Math.log(1), Math.log(2), Math.log(5)],
        [Math.log(3), Math.log(3), Math.log(6)],
      ];
      // Probabilities proportional to 1, 2, 5 and to 3, 3, 6: those of the targets are 5/8 and 1/4.
      expect(await lossOf(crossEntropy, logs, [2, 0])).toBeCloseTo((Math.log(8 / 5) + Math.log(4)) / 2, 6);
    });

    test('crossEntropy of equal logits is the log of their number, also of large ones', async () => {
      expect(await lossOf(crossEntropy, [[0, 0, 0, 0]], [1])).toBeCloseTo(Math.log(4), 6);
      expect(await lossOf(crossEntropy, [[1000, 0, -1000]], [0])).toBeCloseTo(0, 6);
      expect(await lossOf(crossEntropy, [[1000, 0, -1000]], [2])).toBeCloseTo(2000, 2);
    });
  });

  test.each(cellNames)('%s learns a toy task', async (cell) => {
    const { net, trainer } = await prepare(tokenModel(cell), {
      loss: crossEntropy,
      optimizer: adam({ lr: 0.02 }),
      clipNorm: 1,
    });
    const losses = await train(trainer, countingBatches(60));
    expect(losses[0]).toBeGreaterThan(0.8 * Math.log(TOKENS));
    expect(Math.max(...losses.slice(-5))).toBeLessThan(0.25 * losses[0]);
    expect(trainer.steps).toBe(60);
    net.dispose();
  });

  const options = (): TrainerOptions => ({
    loss: crossEntropy,
    optimizer: adam({ lr: 0.02 }),
    clipNorm: 1,
  });

  test.each(cellNames)('%s: the same seed gives the same bits, another seed others', async (cell) => {
    const run = async (seed: number): Promise<{ losses: number[]; weights: number[] }> => {
      const { net, trainer } = await prepare(tokenModel(cell), options(), seed);
      const losses = await train(trainer, countingBatches(8));
      const weights = await weightsOf(net);
      net.dispose();
      return { losses, weights };
    };
    const first = await run(5);
    expect(await run(5)).toEqual(first);
    expect((await run(6)).losses).not.toEqual(first.losses);
  });

  test('20 steps without await between them give the losses of 20 awaited steps', async () => {
    const data = countingBatches(20);
    const one = await prepare(tokenModel('LSTM'), options());
    const awaited = await train(one.trainer, data);
    const other = await prepare(tokenModel('LSTM'), options());
    const queued = await Promise.all(data.map(({ x, y }) => other.trainer.step(x, y)));
    expect(queued).toEqual(awaited);
    expect(new Set(queued).size).toBe(20);
    expect(await other.net.save()).toEqual(await one.net.save());
    one.net.dispose();
    other.net.dispose();
  });

  test('the learning rate can be changed between steps', async () => {
    const { net, trainer } = await prepare(new Linear({ inputSize: 1, outputSize: 1, bias: false }), {
      loss: { name: 'output', targetDType: 'f32', apply: (output) => sum(output) },
      optimizer: sgd({ lr: 0.5 }),
    });
    const moved = async (): Promise<number> => {
      const [before] = await weightsOf(net);
      await trainer.step([[1]], [[0]]);
      return before - (await weightsOf(net))[0];
    };
    expect(trainer.learningRate).toBe(0.5);
    expect(await moved()).toBeCloseTo(0.5, 6);
    trainer.learningRate = 0.125;
    expect(await moved()).toBeCloseTo(0.125, 6);
    trainer.learningRate = 0;
    expect(await moved()).toBe(0);
    net.dispose();
  });

  describe('checkpoints', () => {
    const data = countingBatches(8);
    const variants: [string, () => Optimizer][] = [
      ['sgd', () => sgd({ lr: 0.1 })],
      ['momentum', () => sgd({ lr: 0.1, momentum: 0.9 })],
      ['adam', () => adam({ lr: 0.02 })],
    ];
    test.each(variants)('%s: a new net continues bit for bit', async (_, optimizer) => {
      const all = { loss: crossEntropy, optimizer: optimizer(), clipNorm: 1 };
      const one = await prepare(tokenModel('GRU'), all);
      await train(one.trainer, data.slice(0, 4));
      const bytes = await one.trainer.save({ note: 'halfway' });
      const rest = await train(one.trainer, data.slice(4));

      const other = await prepare(tokenModel('GRU'), { ...all, optimizer: optimizer() }, 99);
      const metadata = other.trainer.load(bytes);
      expect(metadata).toMatchObject({ note: 'halfway', steps: '4' });
      expect(other.trainer.steps).toBe(4);
      expect(await train(other.trainer, data.slice(4))).toEqual(rest);
      expect(await other.trainer.save()).toEqual(await one.trainer.save());
      one.net.dispose();
      other.net.dispose();
    });

    test('one that is saved while steps are queued includes them', async () => {
      const one = await prepare(tokenModel('RNN'), options());
      const queued = data.map(({ x, y }) => one.trainer.step(x, y));
      const bytes = await one.trainer.save();
      await Promise.all(queued);
      expect(bytes).toEqual(await one.trainer.save());
      one.net.dispose();
    });

    test('of another optimizer or another model are refused and change nothing', async () => {
      const save = async (model: Layer, optimizer: Optimizer): Promise<Uint8Array> => {
        const { net, trainer } = await prepare(model, { loss: mse, optimizer });
        const bytes = await trainer.save();
        net.dispose();
        return bytes;
      };
      const gru = (hiddenSize: number, numLayers = 1): Layer =>
        new GRU({ inputSize: 2, hiddenSize, numLayers });
      const { net, trainer } = await prepare(gru(3), { loss: mse, optimizer: adam() });
      const before = await trainer.save();
      const refused: [Uint8Array, RegExp][] = [
        [await save(gru(3), sgd({ lr: 1 })), /expected a checkpoint of adam .*, got optimizer "sgd"/],
        [
          await net.save(),
          /expected a checkpoint of adam .*, got optimizer nothing .*; trainer\.save\(\) writes one, net\.save\(\) the weights alone/,
        ],
        [await save(gru(4), adam()), /"weight_ih_l0" must have shape \[9, 2\], got \[12, 2\]/],
        [await save(gru(3, 2), adam()), /no parameter "weight_ih_l1"/],
        [await save(new Linear({ inputSize: 2, outputSize: 3 }), adam()), /no parameter "weight"/],
        [before.subarray(0, -4), /truncated/],
      ];
      for (const [bytes, message] of refused) {
        expect(() => trainer.load(bytes)).toThrow(failure('file', message));
        expect(await trainer.save()).toEqual(before);
      }
      net.dispose();

      const plain = await prepare(gru(3), { loss: mse, optimizer: sgd({ lr: 1 }) });
      const withMomentum = await save(gru(3), sgd({ lr: 1, momentum: 0.5 }));
      expect(() => plain.trainer.load(withMomentum)).toThrow(failure('file', /momentum_buffer/));
      const momentum = await prepare(gru(3), { loss: mse, optimizer: sgd({ lr: 1, momentum: 0.5 }) });
      const without = await plain.trainer.save();
      expect(() => momentum.trainer.load(without)).toThrow(
        failure('file', /it has no "momentum_buffer", so make the optimizer without momentum/),
      );
      plain.net.dispose();
      momentum.net.dispose();
    });
  });

  describe('a loss that is not finite', () => {
    const quotient: Loss = {
      name: 'quotient',
      targetDType: 'f32',
      apply: (output, target) => mean(div(output, target)),
    };
    test.each<[string, Loss, HostData, RegExp]>([
      ['NaN in the target', mse, [[NaN]], /the loss of step 2 is NaN; expected a finite number/],
      ['Infinity in the target', mse, [[Infinity]], /the loss of step 2 is Infinity/],
      ['a square past float32', mse, [[1e30]], /the loss of step 2 is Infinity/],
      ['a quotient by 0', quotient, [[0]], /the loss of step 2 is (-?Infinity|NaN)/],
    ])('%s rejects the step, by its number', async (_, loss, target, message) => {
      const { net, trainer } = await prepare(new Linear({ inputSize: 1, outputSize: 1 }), {
        loss,
        optimizer: sgd({ lr: 0 }),
        clipNorm: 4,
      });
      const steps = [trainer.step([[1]], [[2]]), trainer.step([[1]], target)];
      await expect(steps[1]).rejects.toThrow(failure('not-finite', message));
      await expect(steps[1]).rejects.toThrow(/learning rate \(0\) or clipNorm \(4\)/);
      expect(await steps[0]).toBeTypeOf('number');
      net.dispose();
    });

    const optimizers = {
      adam: adam({ lr: 0.1, amsgrad: true }),
      sgd: sgd({ lr: 0.1, momentum: 0.9 }),
      rmsprop: rmsprop({ lr: 0.1, momentum: 0.9, centered: true }),
    };
    test.each(Object.entries(optimizers))('%s: weights and states stay as they are', async (_, optimizer) => {
      const { net, trainer } = await prepare(new Linear({ inputSize: 2, outputSize: 2 }), {
        loss: mse,
        optimizer,
      });
      const [x, y] = [[[1, 2]], [[3, 4]]];
      const tensors = async () => [...parseSafetensors(await trainer.save()).tensors];
      await trainer.step(x, y);
      const before = await tensors();
      await expect(trainer.step([[NaN, 1]], y)).rejects.toThrow(
        /The step was skipped: the weights are as before/,
      );
      expect(await tensors()).toEqual(before);
      const skipping = new Trainer(net, { loss: mse, optimizer, onNonFinite: 'skip' });
      const weights = await net.context.weights[0].read();
      expect(await skipping.step([[Infinity, 1]], y)).toBe(Infinity);
      expect(await net.context.weights[0].read()).toEqual(weights);
      expect(await trainer.step(x, y)).toBeLessThan(Infinity);
      const applying = new Trainer(net, { loss: mse, optimizer, onNonFinite: 'apply' });
      expect(await applying.step([[NaN, 1]], y)).toBeNaN();
      expect((await net.context.weights[0].read())[0]).toBeNaN();
      net.dispose();
    });

    test('a parameter whose gradient is not finite stays as it is, though the loss is finite', async () => {
      // The root of 0 has an infinite slope.
      const root: Loss = {
        name: 'root',
        targetDType: 'f32',
        apply: (output, target) => mean(add(sqrt(abs(output)), target)),
      };
      const { net, trainer } = await prepare(new Linear({ inputSize: 1, outputSize: 1 }), {
        loss: root,
        optimizer: sgd({ lr: 1 }),
      });
      net.context.weights[0].write(new Float32Array(net.context.weights[0].shape[0]));
      expect(await trainer.step([[1]], [[2]])).toBe(2);
      expect([...(await net.context.weights[0].read())].every((weight) => weight === 0)).toBe(true);
      net.dispose();
    });

    test('NaN in the input', async () => {
      const { net, trainer } = await prepare(new Linear({ inputSize: 1, outputSize: 2 }), {
        loss: mse,
        optimizer: adam(),
      });
      await expect(trainer.step([[NaN]], [[0, 0]])).rejects.toThrow(
        failure('not-finite', /loss of step 1 is NaN/),
      );
      net.dispose();
    });

    test.each(cellNames)('%s with NaN weights, as after a run that diverged', async (cell) => {
      const { net, trainer } = await prepare(tokenModel(cell), options());
      runtime.backend.write(
        net.context.weights[0].buffer,
        new Float32Array(net.context.weights[0].shape[0]).fill(NaN),
      );
      const [{ x, y }] = countingBatches(1);
      await expect(trainer.step(x, y)).rejects.toThrow(failure('not-finite', /loss of step 1 is NaN/));
      net.dispose();
    });
  });
});
