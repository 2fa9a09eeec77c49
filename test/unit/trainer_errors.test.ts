// Errors of optimizers, losses and trainers.
import { afterAll, describe, expect, test } from 'vitest';

import {
  adam,
  adamw,
  bceWithLogits,
  crossEntropy,
  crossEntropyWith,
  mse,
  rmsprop,
  sgd,
  softmaxCrossEntropy,
  type Optimizer,
  type StepOptions,
  type TrainerOptions,
  Trainer,
} from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  createRuntime,
  Embedding,
  GRU,
  Linear,
  LSTM,
  LSTMCell,
  mul,
  Sequential,
  sub,
  Value,
  type DType,
  type ErrorCode,
  type Layer,
  type Shape,
} from '../../src/index.ts';
import { failure } from '../failure.ts';
import { testRefusals, type Refusal } from '../refusals.ts';

const runtime = await createRuntime({ backend: 'cpu' });
afterAll(() => runtime.dispose());

const value = (shape: Shape, dtype: DType = 'f32'): Value => new Value({ shape, dtype });

describe('optimizers', () => {
  testRefusals([
    [
      'a negative decay',
      () => sgd({ lr: 1, weightDecay: -1 }),
      'argument',
      /sgd: weightDecay .* at least 0 and finite in float32, got -1/,
    ],
    ['dampening', () => sgd({ lr: 1, momentum: 1, dampening: NaN }), 'argument', /sgd: dampening .*got NaN/],
    [
      'nesterov without momentum',
      () => sgd({ lr: 1, nesterov: true }),
      'argument',
      /sgd: nesterov needs a momentum above 0 and a dampening of 0, got 0 and 0/,
    ],
    [
      'nesterov with dampening',
      () => sgd({ lr: 1, momentum: 0.9, dampening: 0.5, nesterov: true }),
      'argument',
      /got 0\.9 and 0\.5/,
    ],
    [
      'nesterov that is not a boolean',
      () => sgd({ lr: 1, momentum: 0.9, nesterov: 1 as unknown as boolean }),
      'argument',
      /sgd: nesterov must be true or false, got 1/,
    ],
    ['a rate that is text', () => sgd({ lr: '1' as unknown as number }), 'argument', /sgd: lr .*got "1"/],
    [
      'alpha',
      () => rmsprop({ alpha: 1.5 }),
      'argument',
      /rmsprop: alpha must be a number from 0 to 1, got 1\.5/,
    ],
    [
      'alpha of text',
      () => rmsprop({ alpha: '1' as never }),
      'argument',
      /alpha must be a number from 0 to 1, got "1"/,
    ],
    ['alpha of null', () => rmsprop({ alpha: null as never }), 'argument', /alpha must .*got null/],
    ['eps', () => rmsprop({ eps: -1 }), 'argument', /rmsprop: eps must be a number of at least 0 .*, got -1/],
    [
      'a huge eps',
      () => adam({ eps: 1e39 }),
      'argument',
      /eps must be a number of at least 0 and finite in float32, got 1e\+39/,
    ],
    ['momentum', () => rmsprop({ momentum: -1 }), 'argument', /rmsprop: momentum .*got -1/],
    [
      'centered',
      () => rmsprop({ centered: 0 as unknown as boolean }),
      'argument',
      /centered must be true or false/,
    ],
    [
      'an option of another optimizer',
      () => rmsprop({ betas: [0, 0] } as object),
      'unsupported',
      /rmsprop: option "betas"/,
    ],
    [
      'amsgrad',
      () => adam({ amsgrad: 'yes' as unknown as boolean }),
      'argument',
      /adam: amsgrad .*got "yes"/,
    ],
    ['decay', () => adam({ weightDecay: Infinity }), 'argument', /adam: weightDecay .*got Infinity/],
    [
      'amsgrad of adamw',
      () => adamw({ amsgrad: true } as object),
      'unsupported',
      /adamw: option "amsgrad" is unknown; expected lr, betas, eps, weightDecay/,
    ],
    [
      'betas',
      () => adamw({ betas: [1, 0] }),
      'argument',
      /adamw: betas must be two numbers in \[0, 1\), got \[1, 0\]/,
    ],
  ]);
});

describe('losses', () => {
  const logits = value([4, 2, 3]);
  const labels = value([4, 2], 'i32');
  testRefusals([
    [
      'a fraction as an index',
      () => crossEntropyWith({ ignoreIndex: 0.5 }),
      'argument',
      /crossEntropyWith: ignoreIndex must be a whole number of 32 bits, got 0\.5/,
    ],
    ['a huge index', () => crossEntropyWith({ ignoreIndex: 2 ** 31 }), 'argument', /got 2147483648/],
    [
      'smoothing',
      () => crossEntropyWith({ labelSmoothing: 1.1 }),
      'argument',
      /crossEntropyWith: labelSmoothing must be a number from 0 to 1, got 1\.1/,
    ],
    ...['0.1', null].map((labelSmoothing): Refusal => [
      `smoothing of ${labelSmoothing}`,
      () => crossEntropyWith({ labelSmoothing: labelSmoothing as never }),
      'argument',
      /crossEntropyWith: labelSmoothing must be a number from 0 to 1, got ("0\.1"|null)/,
    ]),
    [
      'an unknown option',
      () => crossEntropyWith({ reduction: 'sum' } as object),
      'unsupported',
      /crossEntropyWith: option "reduction" is unknown; expected ignoreIndex, labelSmoothing/,
    ],
    [
      'smoothing of an op',
      () => softmaxCrossEntropy(logits, labels, { labelSmoothing: NaN }),
      'argument',
      /softmaxCrossEntropy: labelSmoothing .*got NaN/,
    ],
    [
      'a misspelt option of an op',
      () => softmaxCrossEntropy(logits, labels, { ignoreindex: 0 } as object),
      'unsupported',
      /softmaxCrossEntropy: option "ignoreindex" is unknown; expected ignoreIndex, labelSmoothing/,
    ],
    [
      'a mask of another shape',
      () => crossEntropy.apply(logits, labels, value([2, 4])),
      'shape',
      /crossEntropy: expected a mask of the leading axes of the target \[4, 2\], got \[2, 4\]/,
    ],
    [
      'a mask of more axes',
      () => mse.apply(value([4]), value([4]), value([4, 1])),
      'shape',
      /mse: expected a mask of the leading axes of the target \[4\], got \[4, 1\]/,
    ],
    [
      'a mask of i32',
      () => mse.apply(value([4]), value([4]), value([4], 'i32')),
      'dtype',
      /mse: mask: expected f32, got i32/,
    ],
    [
      'targets of another shape',
      () => bceWithLogits.apply(value([2, 3]), value([3, 2])),
      'shape',
      /bceWithLogits: expected a target of the output's shape \[2, 3\], got \[3, 2\]/,
    ],
  ]);
});

describe('trainers', () => {
  const recurrent = (): Layer => new GRU({ inputSize: 2, hiddenSize: 3 });
  const plain = { loss: mse, optimizer: adam() };

  test.each<[string, () => Layer, Partial<TrainerOptions> | object, ErrorCode, RegExp]>([
    [
      'a clipValue of 0',
      recurrent,
      { clipValue: 0 },
      'argument',
      /trainer: clipValue must be a number above 0 and finite in float32, got 0/,
    ],
    ['a negative seed', recurrent, { seed: -1 }, 'argument', /seed must be a whole number .* got -1/],
    ['a seed past 2^53', recurrent, { seed: 2 ** 53 }, 'argument', /seed .* 2\^53 - 1, got 9007199254740992/],
    ['a fraction as a seed', recurrent, { seed: 0.5 }, 'argument', /seed .* got 0\.5/],
    [
      'a flag that is not a boolean',
      recurrent,
      { stateful: 1 },
      'argument',
      /stateful must be true or false, got 1/,
    ],
    [
      'stateful without states',
      () => new Linear({ inputSize: 2, outputSize: 3 }),
      { stateful: true },
      'unsupported',
      /stateful needs recurrent states, and Linear has none/,
    ],
    [
      'stateful with a cell of single steps',
      () => new LSTMCell({ inputSize: 2, hiddenSize: 3 }),
      { stateful: true },
      'unsupported',
      /stateful with LSTMCell, which takes single steps and has no axis of time/,
    ],
    [
      'stateful with a bidirectional layer',
      () => new Sequential([new GRU({ inputSize: 2, hiddenSize: 3, bidirectional: true })]),
      { stateful: true },
      'unsupported',
      /stateful with Sequential, which is bidirectional/,
    ],
    [
      'stateful with states of no batch',
      () => Object.assign(recurrent(), { states: [{ name: 'h', shape: () => [3] }] }),
      { stateful: true },
      'unsupported',
      /state "h" has no axis of the batch's size/,
    ],
  ])('refuse %s', async (_, model, options, code, message) => {
    using net = await runtime.load(model());
    expect(() => new Trainer(net, { ...plain, ...options })).toThrow(failure(code, message));
  });

  const x = [[[1, 2]], [[3, 4]]];
  const y = [[[1, 2, 3]], [[4, 5, 6]]];
  test.each<[string, StepOptions | object, ErrorCode, RegExp]>([
    [
      'lengths and a mask',
      { lengths: [2], mask: [[1], [1]] },
      'argument',
      /step: lengths and mask were both given/,
    ],
    [
      'a length past T',
      { lengths: [3] },
      'argument',
      /step: length 0 must be a whole number of 1 to 2.*got 3/,
    ],
    ['too many lengths', { lengths: [1, 1] }, 'shape', /step: expected lengths of shape \[1\].*got \[2\]/],
    [
      'a mask of another shape',
      { mask: [[1, 1]] },
      'shape',
      /step: expected a mask \(T, B\) of shape \[2, 1\]/,
    ],
    [
      'a misspelt option',
      { length: [1] },
      'unsupported',
      /step: option "length" .*expected lengths, mask, states/,
    ],
    ['an unknown state', { states: { c: [[[0, 0, 0]]] } }, 'argument', /step: GRU: no state "c"; .*"h"/],
    [
      'a state of another shape',
      { states: { h: [[0, 0, 0]] } },
      'shape',
      /state.* \[1, 1, 3\], got \[1, 3\]/,
    ],
  ])('refuse in a step %s', async (_, options, code, message) => {
    using net = await runtime.load(recurrent());
    const trainer = new Trainer(net, plain);
    expect(() => trainer.step(x, y, options)).toThrow(failure(code, message));
    expect(() => tools.plan(trainer, x, y, options)).toThrow(failure(code, message));
    expect(trainer.steps).toBe(0);
  });

  test('refuse lengths for a model without an axis of time', async () => {
    using net = await runtime.load(new Linear({ inputSize: 2, outputSize: 3 }));
    expect(() => new Trainer(net, plain).step(x, y, { lengths: [1] })).toThrow(
      failure('unsupported', /step: lengths given, but Linear has no layer that knows of time/),
    );
  });

  test('refuse resetStates unless stateful, and steps with states where stateful', async () => {
    using net = await runtime.load(recurrent());
    expect(() => new Trainer(net, plain).resetStates()).toThrow(
      failure('unsupported', /resetStates\(\) without stateful: true/),
    );
    const trainer = new Trainer(net, { ...plain, stateful: true });
    expect(() => trainer.step(x, y, { states: {} })).toThrow(
      failure('argument', /states were given, but a stateful trainer begins with those of its last step/),
    );
    expect(() => trainer.step([1, 2], y)).toThrow(
      failure('shape', /a stateful trainer expects input \(T, B, …\), got \[2\]/),
    );
    trainer.dispose();
    expect(() => trainer.resetStates()).toThrow(failure('disposed', /resetStates\(\) after dispose\(\)/));
  });

  test('name a label out of range, and accept ignoreIndex', async () => {
    const model = new Sequential([
      new Embedding({ numEmbeddings: 4, embeddingDim: 2 }),
      new LSTM({ inputSize: 2, hiddenSize: 3 }),
      new Linear({ inputSize: 3, outputSize: 4 }),
    ]);
    using net = await runtime.load(model);
    const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adamw() });
    expect(await trainer.step([[0], [1]], [[-100], [3]])).toBeGreaterThan(0);
    expect(() => trainer.step([[0], [1]], [[-1], [3]])).toThrow(
      failure('argument', /step: element 0 of target is the index -1; expected 0 to 3 or -100/),
    );
    // ignoreIndex does not apply to the input.
    expect(() => trainer.step([[0], [-100]], [[1], [3]])).toThrow(
      failure('argument', /step: element 1 of input is the index -100; expected 0 to 3$/),
    );
  });

  test("name what a user's optimizer lacks", async () => {
    using net = await runtime.load(recurrent());
    const own = (update: Optimizer['update']): Optimizer => ({
      name: 'own',
      states: ['m'],
      lr: 1,
      scalars: (_, lr) => ({ lr }),
      update,
    });
    for (const [update, got] of [
      [({ p, g }, { lr }) => ({ p: sub(p, mul(g, lr)) }), /nothing as "m"/],
      [({ m }) => ({ m }), /nothing as "p"/],
      [({ m }) => ({ m, p: 1 as never }), /1 as "p"/],
      [() => undefined as never, /nothing as "p"/],
    ] satisfies [Optimizer['update'], RegExp][])
      expect(() => new Trainer(net, { loss: mse, optimizer: own(update) }).step(x, y)).toThrow(
        failure('argument', new RegExp(`the update of own gives ${got.source}; expected .*\\["p", "m"\\]`)),
      );
  });

  test('take an eps of 0, as PyTorch does', async () => {
    for (const [optimizer, first] of [
      [adam({ lr: 0.25, eps: 0 }), 0.25],
      [rmsprop({ lr: 0.25, eps: 0, alpha: 0.75 }), 0.5],
    ] as const) {
      using net = await runtime.load(new Linear({ inputSize: 1, outputSize: 1, bias: false }));
      const [before] = await net.context.weights[0].read();
      await new Trainer(net, { loss: mse, optimizer }).step([[1]], [[100]]);
      const [after] = await net.context.weights[0].read();
      expect(after - before).toBeCloseTo(first, 5);
    }
  });

  test('refuse a learning rate that is not a number', async () => {
    using net = await runtime.load(recurrent());
    const trainer = new Trainer(net, plain);
    for (const rate of [-1, NaN, '1' as unknown as number])
      expect(() => (trainer.learningRate = rate)).toThrow(
        failure(
          'argument',
          /trainer: learningRate must be a number of at least 0 .*, or a function of the step, got/,
        ),
      );
    expect(trainer.learningRate).toBe(1e-3);
  });
});
