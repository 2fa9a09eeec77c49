// Every mistake of a caller is a GatewiseError with a code, whose message says what was expected and what was given.
import { describe, expect, test, vi } from 'vitest';

import {
  adam,
  crossEntropy,
  crossEntropyWith,
  grad,
  mse,
  sgd,
  softmaxCrossEntropy,
  valueAndGrad,
  Trainer,
} from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  add,
  concat,
  createRuntime,
  Embedding,
  gather,
  GRU,
  Linear,
  LSTM,
  matmul,
  mul,
  reshape,
  RNN,
  Sequential,
  slice,
  chunk,
  split,
  sum,
  transpose,
  Value,
  type ErrorCode,
  type Layer,
  type Net,
  type Runtime,
} from '../../src/index.ts';
import { failure } from '../failure.ts';
import { testRefusals, type Refusal } from '../refusals.ts';

const runtime = await createRuntime({ backend: 'cpu' });
const value = (shape: readonly number[], dtype: 'f32' | 'i32' = 'f32'): Value => new Value({ shape, dtype });
const zeros = (...shape: number[]): ReturnType<Runtime['tensor']> =>
  runtime.tensor(new Float32Array(shape.reduce((product, n) => product * n, 1)), { shape });
const lstm = (): LSTM => new LSTM({ inputSize: 3, hiddenSize: 4 });
const characters = (): Layer =>
  new Sequential([
    new Embedding({ numEmbeddings: 5, embeddingDim: 3 }),
    new GRU({ inputSize: 3, hiddenSize: 4 }),
    new Linear({ inputSize: 4, outputSize: 5 }),
  ]);

describe('ops', () => {
  testRefusals([
    ['broadcast', () => add(value([2, 3]), value([4, 3])), 'shape', /add: .*\[2, 3\] and \[4, 3\].*axis -2/],
    ['matmul', () => matmul(value([2, 3]), value([4, 5])), 'shape', /matmul: .*\[2, 3\].*\[4, 5\]/],
    [
      'reshape',
      () => reshape(value([2, 3]), [4, 2]),
      'shape',
      /reshape: \[4, 2\] has 8 elements, the input \[2, 3\] has 6/,
    ],
    ['slice', () => slice(value([2, 3]), 1, 2, 5), 'shape', /slice: elements 2 to 5 of axis 1 .*3/],
    ['axis', () => sum(value([2, 3]), [2]), 'shape', /sum.*: axis 2 .*rank 2; expected -2 to 1/],
    ['transpose', () => transpose(value([2, 3]), [0, 0]), 'shape', /transpose: .*\[0, 0\]/],
    [
      'concat',
      () => concat([value([2, 3]), value([2, 4])]),
      'shape',
      /concat along axis 0: .*\[2, 3\], \[2, 4\]/,
    ],
    ['concat of nothing', () => concat([]), 'argument', /concat: expected at least one/],
    ['split', () => split(value([2, 3]), [2, 2], 1), 'shape', /split: .*3.*2/],
    ['chunk', () => chunk(value([2, 3]), 2, 1), 'shape', /chunk: .*3.*2/],
    ['dtype', () => add(value([2], 'i32'), 1), 'dtype', /add: expected f32, got i32/],
    ['matmul dtype', () => matmul(value([2, 3], 'i32'), value([3, 2])), 'dtype', /expected f32, got i32/],
    ['gather dtype', () => gather(value([4, 3]), value([2])), 'dtype', /gather.*: expected i32, got f32/],
    [
      'targets that are not indices',
      () => softmaxCrossEntropy(value([2, 3]), value([2])),
      'dtype',
      /expected i32, got f32/,
    ],
    [
      'targets of another shape',
      () => softmaxCrossEntropy(value([2, 3]), value([4], 'i32')),
      'shape',
      /\[2\].*got \[4\]|\[4\].*\[2\]/,
    ],
    ['mse', () => mse.apply(value([2, 3]), value([3, 2])), 'shape', /mse: .*\[2, 3\], got \[3, 2\]/],
    ['no value', () => matmul([1] as unknown as Value, value([1])), 'argument', /traced value, got \[1\]/],
    ['no operand', () => add('1' as unknown as Value, 1), 'argument', /add: expected .*, got "1"/],
    ['only numbers', () => add<Value>(1, 2), 'argument', /add: at least one operand .*, got 1, 2/],
  ]);
});

describe('layers', () => {
  const options = { inputSize: 3, hiddenSize: 4 };
  const unknown = (extra: object): object => ({ ...options, ...extra });
  testRefusals([
    [
      'a misspelt option',
      () => new GRU(unknown({ numLayer: 2 }) as typeof options),
      'unsupported',
      /GRU: option "numLayer" .*expected .*numLayers/,
    ],
    [
      'an option of another layer',
      () => new LSTM(unknown({ nonlinearity: 'relu' }) as typeof options),
      'unsupported',
      /LSTM: option "nonlinearity"/,
    ],
    [
      'a misspelt option of Linear',
      () => new Linear({ inputSize: 2, outputSize: 3, ...({ biass: false } as object) }),
      'unsupported',
      /Linear: option "biass" .*expected inputSize, outputSize, bias/,
    ],
    ['hiddenSize 0', () => new LSTM({ ...options, hiddenSize: 0 }), 'argument', /LSTM: hiddenSize .*got 0/],
    ['inputSize 1.5', () => new RNN({ ...options, inputSize: 1.5 }), 'argument', /RNN: inputSize .*got 1\.5/],
    ['numLayers -1', () => new GRU({ ...options, numLayers: -1 }), 'argument', /GRU: numLayers .*got -1/],
    ['no size', () => new GRU({ inputSize: 2 } as typeof options), 'argument', /hiddenSize .*got nothing/],
    [
      'Linear',
      () => new Linear({ inputSize: 0, outputSize: 2 }),
      'argument',
      /Linear: inputSize .*at least 1, got 0/,
    ],
    [
      'Embedding',
      () => new Embedding({ numEmbeddings: 3, embeddingDim: NaN }),
      'argument',
      /Embedding: embeddingDim .*got NaN/,
    ],
    [
      'a nonlinearity',
      () => new RNN({ ...options, nonlinearity: 'sin' as 'tanh' }),
      'argument',
      /RNN: nonlinearity must be "tanh" or "relu", got "sin"/,
    ],
    ['no layers', () => new Sequential([]), 'argument', /Sequential: expected at least one layer/],
    ...[undefined, null, {}, 5].map((layers): Refusal => [
      `${layers} for layers`,
      () => new Sequential(layers as never),
      'argument',
      /Sequential: expected a list of layers, got (nothing|null|Object|5)/,
    ]),
    [
      'two orders of axes',
      () => new Sequential([lstm(), new GRU({ inputSize: 4, hiddenSize: 2, batchFirst: true })]),
      'argument',
      /Sequential: some layers are batchFirst and some are not/,
    ],
    [
      'parameters that are missing',
      () => new Linear({ inputSize: 2, outputSize: 3 }).forward(value([1, 2]), {}),
      'argument',
      /Linear: no parameter "weight"; expected \["weight", "bias"\]/,
    ],
  ]);
});

describe('optimizers and trainers', () => {
  testRefusals([
    [
      'lr',
      () => sgd({ lr: -1 }),
      'argument',
      /sgd: lr must be a number of at least 0 and finite in float32, or a function of the step, got -1/,
    ],
    ['no lr', () => sgd({} as { lr: number }), 'argument', /sgd: lr .*got nothing/],
    ['momentum', () => sgd({ lr: 1, momentum: NaN }), 'argument', /sgd: momentum .*got NaN/],
    [
      'eps',
      () => adam({ eps: -1 }),
      'argument',
      /adam: eps must be a number of at least 0 and finite in float32, got -1/,
    ],
    [
      'betas',
      () => adam({ betas: [0.9, 1] }),
      'argument',
      /adam: betas must be two numbers in \[0, 1\), got \[0\.9, 1\]/,
    ],
    ...[5, null, [0.9], 'ab'].map((betas): Refusal => [
      `betas of ${betas}`,
      () => adam({ betas: betas as never }),
      'argument',
      /adam: betas must be two numbers in \[0, 1\), got (5|null|\[0\.9\]|"ab")/,
    ]),
    [
      'betas of text',
      () => adam({ betas: ['0.9', 0.9] as never }),
      'argument',
      /adam: betas must be two numbers in \[0, 1\), got \["0\.9", 0\.9\]/,
    ],
    [
      'a misspelt option of adam',
      () => adam({ learningRate: 0.1 } as object),
      'unsupported',
      /adam: option "learningRate" is unknown; expected lr, betas, eps/,
    ],
    [
      'an option that sgd does not have',
      () => sgd({ lr: 1, maximize: true } as { lr: number }),
      'unsupported',
      /sgd: option "maximize" .*expected lr, momentum/,
    ],
  ]);

  test('clipNorm, and options that a trainer does not have', async () => {
    using net = await runtime.load(new Linear({ inputSize: 2, outputSize: 3 }));
    for (const clipNorm of [0, -1, NaN, '1', true, null, Infinity, 1e39])
      expect(() => new Trainer(net, { loss: mse, optimizer: adam(), clipNorm: clipNorm as never })).toThrow(
        failure(
          'argument',
          /clipNorm must be a number above 0 and finite in float32, got (0|-1|NaN|"1"|true|null|Infinity|1e\+39)$/,
        ),
      );
    for (const loss of [crossEntropyWith, (x: Value) => x])
      expect(() => new Trainer(net, { loss: loss as never, optimizer: adam() })).toThrow(
        failure('argument', /trainer: loss must be a loss such as crossEntropy or mse, got function/),
      );
    const misspelt = { loss: mse, optimizer: adam(), clipnorm: 1 };
    expect(() => new Trainer(net, misspelt)).toThrow(
      failure('unsupported', /trainer: option "clipnorm" .*expected loss, optimizer, .*clipNorm/),
    );
  });

  test('a learning rate that is not a number', async () => {
    using net = await runtime.load(new Linear({ inputSize: 2, outputSize: 3 }));
    const trainer = new Trainer(net, { loss: mse, optimizer: adam() });
    for (const rate of [NaN, -1, Infinity])
      expect(() => {
        trainer.learningRate = rate;
      }).toThrow(failure('argument', /trainer: learningRate must be .*at least 0 .*, got (NaN|-1|Infinity)/));
    expect(trainer.learningRate).toBe(1e-3);
  });
});

describe('a net', () => {
  test('refuses an input that its first layer does not read', async () => {
    using net = await runtime.load(lstm());
    expect(() => net.run(zeros(5, 2))).toThrow(
      failure('shape', /LSTM: expected input \(T, B, 3\), or \(T, 3\) .*got \[5, 2\]/),
    );
    expect(() => net.run(zeros(5, 2, 4))).toThrow(failure('shape', /\(T, B, 3\), or .*, got \[5, 2, 4\]/));
    expect(() => net.run([[1, 2], [3]])).toThrow(failure('shape', /run: input: lists side by side/));
    const indices = runtime.tensor(new Int32Array(6), { shape: [1, 2, 3] });
    expect(() => net.run(indices)).toThrow(failure('dtype', /run: input: expected f32, got .*i32/));
    using swapped = await runtime.load(new GRU({ inputSize: 3, hiddenSize: 4, batchFirst: true }));
    expect(() => swapped.run(zeros(5, 2))).toThrow(failure('shape', /GRU: expected input \(B, T, 3\)/));
    using linear = await runtime.load(new Linear({ inputSize: 3, outputSize: 1 }));
    expect(() => linear.run(zeros(2, 4))).toThrow(
      failure('shape', /Linear: expected input \(…, 3\), got \[2, 4\]/),
    );
  });

  test('refuses indices outside its table', async () => {
    using net = await runtime.load(characters());
    expect(() => net.run([[0, 5]])).toThrow(failure('argument', /element 1 .*index 5; expected 0 to 4/));
    expect(() => net.run([[-1, 0]])).toThrow(failure('argument', /element 0 .*index -1; expected 0 to 4/));
    expect(() => net.run([[0.5, 0]])).toThrow(
      failure('dtype', /run: input: expected whole numbers.*got 0\.5/),
    );
    expect(() => net.run(zeros(1, 2))).toThrow(failure('dtype', /run: input: expected i32, got .*f32/));
    const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam() });
    const step = (x: number[][], y: number[][]) => () => trainer.step(x, y);
    expect(step([[0, 1]], [[0, 5]])).toThrow(failure('argument', /element 1 .*index 5; expected 0 to 4/));
    expect(step([[0, 7]], [[0, 1]])).toThrow(failure('argument', /element 1 .*index 7; expected 0 to 4/));
    expect(step([[0, 1]], [[0.5, 1]])).toThrow(
      failure('dtype', /step: target: expected whole numbers.*got 0\.5/),
    );
    expect(step([[0, 1]], [[0], [1]])).toThrow(failure('shape', /\[1, 2\].*\[2, 1\]|\[2, 1\].*\[1, 2\]/));
    expect(trainer.steps).toBe(0);
    expect(await trainer.step([[0, 1]], [[1, 2]])).toBeGreaterThan(0);
    expect(trainer.steps).toBe(1);
  });

  test('refuses unknown states, and states of other shapes', async () => {
    using net = await runtime.load(lstm());
    const x = zeros(2, 1, 3);
    expect(() => net.run(x, { states: { hidden: zeros(1, 1, 4) } })).toThrow(
      failure('argument', /no state "hidden"; expected \["h", "c"\]/),
    );
    expect(() => net.run(x, { states: { h: zeros(1, 2, 4) } })).toThrow(
      failure('shape', /LSTM: state "h": expected shape \[1, 1, 4\], got \[1, 2, 4\]/),
    );
    const indices = runtime.tensor(new Int32Array(4), { shape: [1, 1, 4] });
    expect(() => net.run(x, { states: { c: indices } })).toThrow(
      failure('dtype', /state c: expected f32.*i32/),
    );
  });

  test('refuses states that are not tensors', async () => {
    using net = await runtime.load(lstm());
    const x = zeros(2, 1, 3);
    const trainer = new Trainer(net, { loss: mse, optimizer: adam() });
    for (const states of [null, 5, 'h', [1], zeros(1)]) {
      const refused = (what: string): Error =>
        failure('argument', new RegExp(`${what}: expected states by name, such as { h: … }, got`));
      expect(() => net.run(x, { states: states as never })).toThrow(refused('run'));
      expect(() => trainer.step(x, zeros(2, 1, 4), { states: states as never })).toThrow(refused('step'));
    }
  });

  test('saves metadata of strings only', async () => {
    using net = await runtime.load(lstm());
    const trainer = new Trainer(net, { loss: mse, optimizer: adam() });
    for (const item of [net, trainer, net.stream()]) {
      for (const metadata of ['x', null, 5, ['a']])
        await expect(item.save(metadata as never)).rejects.toThrow(
          failure('argument', /save: expected metadata as an object of strings, got ("x"|null|5|\["a"\])/),
        );
      await expect(item.save({ a: 1 } as never)).rejects.toThrow(
        failure('argument', /save: expected metadata as an object of strings, got 1 as "a"/),
      );
      expect((await item.save({ a: '1' })).length).toBeGreaterThan(0);
    }
  });

  test('refuses seeds and weights that do not fit', async () => {
    for (const seed of [-1, 0.5, NaN])
      await expect(runtime.load(lstm(), { seed })).rejects.toThrow(
        failure('argument', /load: seed must be a whole number from 0 to 2\^53 - 1, got (-1|0\.5|NaN)/),
      );
    const saved = async (model: Layer): Promise<Uint8Array> => {
      using net = await runtime.load(model);
      return net.save();
    };
    const load = async (weights: Uint8Array): Promise<Net> => runtime.load(lstm(), { weights });
    const wider = await saved(new LSTM({ inputSize: 3, hiddenSize: 5 }));
    await expect(load(wider)).rejects.toThrow(
      failure('file', /"weight_ih_l0" must have shape \[16, 3\], got \[20, 3\]/),
    );
    const deeper = await saved(new LSTM({ inputSize: 3, hiddenSize: 4, numLayers: 2 }));
    await expect(load(deeper)).rejects.toThrow(
      failure('file', /no parameter "weight_ih_l1"; expected "weight_ih_l0"/),
    );
    const bare = await saved(new LSTM({ inputSize: 3, hiddenSize: 4, bias: false }));
    await expect(load(bare)).rejects.toThrow(
      failure('file', /no tensor "bias_ih_l0"; the file has "weight_ih_l0"/),
    );
  });

  test('streams models with states only, whole numbers of sequences, and one step at a time', async () => {
    using linear = await runtime.load(new Linear({ inputSize: 2, outputSize: 1 }));
    expect(() => linear.stream()).toThrow(
      failure('unsupported', /stream: Linear has no recurrent state; use run\(\)/),
    );
    using net = await runtime.load(lstm());
    expect(() => net.stream({ batch: 0 })).toThrow(failure('argument', /stream: batch .*got 0/));
    expect(() => net.stream({ batch: null as never })).toThrow(
      failure('argument', /stream: batch .*got null/),
    );
    const stream = net.stream({ batch: 2 });
    const trainer = new Trainer(net, { loss: mse, optimizer: adam(), stateful: true });
    for (const rows of [null, {}, true, '0', [null]]) {
      expect(() => stream.reset(rows as never)).toThrow(
        failure('argument', /reset: expected rows of the batch, 0 to 1, got (null|Object|true|"0")/),
      );
      expect(() => trainer.resetStates(rows as never)).toThrow(
        failure('argument', /resetStates: expected rows of the batch, .*got (null|Object|true|"0")/),
      );
    }
    expect(() => stream.push(zeros(3, 3))).toThrow(
      failure('shape', /push: expected one step of \(2, features\), got shape \[3, 3\]/),
    );
    expect(() => stream.push(zeros(2, 4))).toThrow(failure('shape', /LSTM: expected input \(T, B, 3\)/));
    using text = await runtime.load(characters());
    expect(() => text.stream({ batch: 2 }).push([1])).toThrow(
      failure('shape', /one step of 2 tokens, got shape \[1\]/),
    );
    expect(() => text.stream().push(9)).toThrow(failure('argument', /index 9; expected 0 to 4/));
  });
});

describe('compiled functions', () => {
  testRefusals([
    [
      'an argument',
      () => runtime.compile((x: Value) => x)('text' as unknown as number),
      'argument',
      /arg0 must be a tensor or numbers, got "text"/,
    ],
    [
      'one inside',
      () => runtime.compile(({ w }: { w: Value }) => w)({ w: null as unknown as number }),
      'argument',
      /arg0\.w must be .*got null/,
    ],
    [
      'no result',
      () => runtime.compile((x: Value) => void x)([1]),
      'argument',
      /expected traced values as the result, got nothing/,
    ],
    [
      'a result',
      () =>
        runtime.compile(function named(x: Value) {
          return x.dtype;
        })([1]),
      'argument',
      /named: expected traced values as the result, got "f32"/,
    ],
    [
      'an index',
      () => runtime.compile((i: Value) => gather(value([1]), i))([1]),
      'dtype',
      /expected i32, got f32/,
    ],
  ]);

  test('indices outside their table', () => {
    const look = runtime.compile((table: Value, i: Value) => gather(table, i));
    expect(() =>
      look(
        [
          [1, 2],
          [3, 4],
        ],
        Int32Array.of(0, 2),
      ),
    ).toThrow(failure('argument', /element 1 of arg1 is the index 2; expected 0 to 1/));
  });

  test('a tensor of another runtime', async () => {
    using other = await createRuntime({ backend: 'cpu' });
    const foreign = other.tensor([1, 2]);
    expect(() => runtime.compile((x: Value) => sum(x))(foreign)).toThrow(
      failure('argument', /arg0 is a tensor of another runtime; read\(\) it there/),
    );
  });

  test('a value of another trace', () => {
    let leaked: Value | undefined;
    runtime.compile((x: Value) => (leaked = x))([1, 2]);
    const captured = leaked as Value;
    const uses = [() => captured, (x: Value) => mul(x, captured), (x: Value) => sum(add(sum(captured), x))];
    for (const fn of uses)
      expect(() => runtime.compile(fn)([1, 2])).toThrow(
        failure('argument', /traced value of shape \[2\] that is not one of its arguments; pass it in/),
      );
  });

  test('item() of more than one element', async () => {
    await expect(runtime.tensor([1, 2]).item()).rejects.toThrow(
      failure('shape', /item: expected a tensor with one element, got shape \[2\]; use read\(\)/),
    );
  });
});

describe('grad', () => {
  testRefusals([
    [
      'of more than one element',
      () => grad((x: Value) => mul(x, 2))(value([2, 3])),
      'shape',
      /grad: expected a loss with one f32 element, got f32 \[2, 3\]; reduce it with sum or mean/,
    ],
    ['of an index', () => grad((x: Value) => x)(value([], 'i32')), 'shape', /one f32 element, got i32/],
    [
      'of a number',
      () => grad(() => 3 as unknown as Value)(value([2])),
      'argument',
      /grad: expected the function to return a traced value, got 3/,
    ],
    [
      'with respect to numbers',
      () => valueAndGrad((list: readonly number[]) => sum(value([list.length])))([1, 2]),
      'argument',
      /grad: expected the first argument to consist of traced values/,
    ],
    [
      'with respect to nothing',
      () => valueAndGrad((list: readonly Value[]) => sum(value([list.length + 1])))([]),
      'argument',
      /first argument to consist of traced values/,
    ],
  ]);
});

describe('after dispose', () => {
  const disposed = (message: RegExp): Error => failure('disposed', message);

  test('a tensor', async () => {
    const tensor = runtime.tensor([1, 2]);
    tensor.dispose();
    tensor.dispose();
    expect(tensor.isDisposed).toBe(true);
    await expect(tensor.read()).rejects.toThrow(disposed(/tensor \[2\]: used after dispose\(\)/));
    expect(() => runtime.compile((x: Value) => sum(x))(tensor)).toThrow(disposed(/tensor \[2\]: used after/));
  });

  test('a compiled function; its results stay valid', async () => {
    const compiled = runtime.compile((x: Value) => sum(x));
    const result = compiled([1, 2]);
    compiled.dispose();
    compiled.dispose();
    for (const use of [
      () => compiled([1]),
      () => tools.plan(compiled, [1]),
      () => tools.explain(compiled, [1]),
    ])
      expect(use).toThrow(disposed(/called after dispose\(\); compile it again/));
    expect(await result.item()).toBe(3);
  });

  test('a stream', async () => {
    using net = await runtime.load(lstm());
    const stream = net.stream();
    stream.push([1, 2, 3]);
    stream.dispose();
    stream.dispose();
    expect(() => stream.push([1, 2, 3])).toThrow(
      disposed(/stream: push\(\) after dispose\(\); make a new stream/),
    );
    expect(() => stream.reset()).toThrow(disposed(/stream: reset\(\) after dispose\(\); make a new stream/));
    expect(net.run(zeros(1, 1, 3)).shape).toEqual([1, 1, 4]);
  });

  test.each([
    ['sgd', sgd({ lr: 0.1 })],
    ['adam', adam()],
  ])('a trainer of %s', async (_, optimizer) => {
    using net = await runtime.load(new Linear({ inputSize: 2, outputSize: 1 }));
    const trainer = new Trainer(net, { loss: mse, optimizer });
    const [x, y] = [[[1, 2]], [[3]]];
    await trainer.step(x, y);
    const [before, bytes] = [await net.save(), await trainer.save()];
    trainer.dispose();
    trainer.dispose();
    expect(() => trainer.step(x, y)).toThrow(
      disposed(/trainer: step\(\) after dispose\(\); make a new trainer/),
    );
    expect(() => tools.plan(trainer, x, y)).toThrow(disposed(/trainer: plan\(\) after dispose\(\)/));
    expect(() => tools.explain(trainer, x, y)).toThrow(disposed(/trainer: \w+\(\) after dispose\(\)/));
    expect(() => trainer.load(bytes)).toThrow(disposed(/trainer: load\(\) after dispose\(\)/));
    await expect(trainer.save()).rejects.toThrow(disposed(/trainer: save\(\) after dispose\(\)/));
    expect(await net.save()).toEqual(before);
  });

  test('a net, and its streams and trainers', async () => {
    const net = await runtime.load(lstm());
    const [stream, trainer] = [net.stream(), new Trainer(net, { loss: mse, optimizer: sgd({ lr: 1 }) })];
    const output = net.run(zeros(1, 1, 3));
    net.dispose();
    net.dispose();
    const after = disposed(/LSTM: the net was used after dispose\(\)/);
    const x = zeros(1, 1, 3);
    const uses = [
      () => net.run(x),
      () => net.runWithStates(x),
      () => tools.plan(net, x),
      () => tools.explain(net, x),
      () => net.stream(),
      () => new Trainer(net, { loss: mse, optimizer: adam() }),
    ];
    for (const use of uses) expect(use).toThrow(after);
    await expect(net.save()).rejects.toThrow(after);
    expect(() => stream.push([1, 2, 3])).toThrow(disposed(/stream: push\(\) after dispose/));
    expect(() => trainer.step(x, zeros(1, 1, 4))).toThrow(disposed(/trainer: step\(\) after dispose/));
    expect((await output.read()).length).toBe(4);
  });

  test('a runtime, and everything made on it', async () => {
    const own = await createRuntime({ backend: 'cpu' });
    const compiled = own.compile((x: Value) => sum(x));
    const net = await own.load(lstm());
    const stream = net.stream();
    const trainer = new Trainer(net, { loss: mse, optimizer: adam() });
    const tensor = own.tensor([1, 2]);
    own.dispose();
    own.dispose();
    const after = disposed(/runtime: used after dispose\(\); create a new one/);
    expect(() => own.tensor([1])).toThrow(after);
    expect(() => own.compile((x: Value) => x)).toThrow(after);
    await expect(own.load(lstm())).rejects.toThrow(after);
    expect(() => compiled([1])).toThrow(disposed(/called after dispose/));
    expect(() => net.run(zeros(1, 1, 3))).toThrow(disposed(/the net was used after dispose/));
    expect(() => stream.push([1, 2, 3])).toThrow(disposed(/stream: push\(\)/));
    expect(() => trainer.step([[[1, 2, 3]]], [[[1, 2, 3, 4]]])).toThrow(disposed(/trainer: step\(\)/));
    // A tensor may be disposed of after its runtime, as with `using`.
    tensor.dispose();
  });
});

test('an unknown backend', async () => {
  const ask = createRuntime({ backend: 'gpu' as 'cpu' });
  await expect(ask).rejects.toThrow(failure('argument', /backend must be "webgpu" or "cpu", got "gpu"/));
});

test.each<[options: unknown, code: ErrorCode, message: RegExp]>([
  [null, 'argument', /createRuntime: expected options .*got null/],
  [{ arithmetic: 'float16' }, 'argument', /arithmetic must be "float32" or "float64", got "float16"/],
  [{ powerPreference: 'x' }, 'argument', /powerPreference must be "low-power" or .*, got "x"/],
  [{ check: 1 }, 'argument', /createRuntime: check must be true or false, got 1/],
  [{ backends: 'cpu' }, 'unsupported', /createRuntime: option "backends" is unknown/],
])('a runtime of %o', async (options, code, message) => {
  await expect(createRuntime(options as never)).rejects.toThrow(failure(code, message));
});

test.each<[options: unknown, code: ErrorCode, message: RegExp]>([
  [null, 'argument', /tensor: expected options { shape, dtype }, got null/],
  [{ shapes: [1] }, 'unsupported', /tensor: option "shapes" is unknown; expected shape, dtype/],
  [{ shape: 1 }, 'argument', /tensor: shape must be a list of sizes, got 1/],
  [{ shape: null }, 'argument', /tensor: shape must be a list of sizes, got null/],
  [{ shape: '1' }, 'argument', /tensor: shape must be a list of sizes, got "1"/],
  [{ dtype: 'f16' }, 'argument', /tensor: dtype must be "f32" or "i32", got "f16"/],
])('a tensor of %o', (options, code, message) => {
  expect(() => runtime.tensor([1], options as never)).toThrow(failure(code, message));
});

test('WebGPU where it does not exist', async () => {
  const none = { requestAdapter: async () => null } as unknown as GPU;
  await expect(createRuntime({ backend: 'webgpu', gpu: none })).rejects.toThrow(
    failure('no-adapter', /no adapter: .*not supported/),
  );
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  using fallback = await createRuntime({ gpu: none });
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    expect.stringMatching(/^gatewise: on the CPU, since .*no adapter/),
  );
  expect([fallback.backend.kind, fallback.fallbackReason]).toEqual([
    'cpu',
    expect.stringMatching(/no adapter/),
  ]);
});

describe('arguments that are not objects of the library', () => {
  const model = new Linear({ inputSize: 1, outputSize: 1 });

  test('options that are not an object, or misspelt', async () => {
    // @ts-expect-error a number instead of options
    expect(() => adam(0.01)).toThrow(failure('argument', /adam: expected options .*got 0.01/));
    // @ts-expect-error a number instead of a flag
    expect(() => runtime.calibrate({ again: 1 })).toThrow(
      failure('argument', /calibrate: again must be true or false, got 1/),
    );
    // @ts-expect-error a misspelt option
    await expect(runtime.load(model, { sed: 1 })).rejects.toThrow(
      failure('unsupported', /load: option "sed" is unknown/),
    );
  });

  test('layers, losses, optimizers, GPUs', async () => {
    // @ts-expect-error a class instead of a layer
    expect(() => new Sequential([Linear])).toThrow(
      failure('argument', /Sequential: layer 0: expected a layer/),
    );
    // @ts-expect-error a class instead of a layer
    await expect(runtime.load(Linear)).rejects.toThrow(failure('argument', /load: expected a layer/));
    const net = await runtime.load(model);
    // @ts-expect-error no optimizer
    expect(() => new Trainer(net, { loss: mse })).toThrow(
      failure('argument', /trainer: optimizer must be an optimizer such as/),
    );
    // @ts-expect-error no loss
    expect(() => new Trainer(net, { optimizer: adam() })).toThrow(
      failure('argument', /trainer: loss must be a loss such as/),
    );
    // @ts-expect-error a promise that was not awaited
    await expect(createRuntime({ gpu: Promise.resolve() })).rejects.toThrow(
      failure('argument', /await nodeGPU/),
    );
  });

  test('an index out of range is named by its position in the argument', async () => {
    const net = await runtime.load(new Sequential([new Embedding({ numEmbeddings: 4, embeddingDim: 2 })]));
    expect(() => net.run([[9]])).toThrow(
      failure('argument', /run: element 0 of input is the index 9; expected 0 to 3/),
    );
  });
});
