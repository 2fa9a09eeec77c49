// Errors of recurrent layers and of ONNX's cells, before anything runs.
import { afterAll, describe, expect, test } from 'vitest';

import {
  activation,
  createRuntime,
  elmanTanh,
  GRU,
  gruResetBefore,
  LSTM,
  lstm,
  lstmProjected,
  LayerNorm,
  Linear,
  MinGRU,
  minGRU,
  MinLSTM,
  onnxGRU,
  onnxLSTM,
  onnxRNN,
  Recurrent,
  RNN,
  Value,
  withZoneout,
  type Cell,
  type DType,
  type RecurrentOptions,
  type Shape,
  type Tensor,
  type Values,
} from '../../src/index.ts';
import { failure } from '../failure.ts';
import { testRefusals, type Refusal } from '../refusals.ts';

const runtime = await createRuntime({ backend: 'cpu' });
afterAll(() => runtime.dispose());

const value = (shape: Shape, dtype: DType = 'f32'): Value => new Value({ shape, dtype });

const sizes = { inputSize: 3, hiddenSize: 4 };
/** Options that TypeScript refuses too. */
const options = (own: object): RecurrentOptions => ({ ...sizes, ...own }) as RecurrentOptions;
const layer = (own: object = {}): LSTM => new LSTM(options(own));

describe('options', () => {
  const whole = (option: string, got: string): RegExp =>
    new RegExp(`^LSTM: ${option} must be a whole number of at least 1, got ${got}$`);
  testRefusals([
    ...([0, -1, 1.5, NaN, '4'] as const).flatMap((size): Refusal[] => [
      [
        `hiddenSize ${size}`,
        () => layer({ hiddenSize: size }),
        'argument',
        whole('hiddenSize', `"?${size}"?`),
      ],
      [`inputSize ${size}`, () => layer({ inputSize: size }), 'argument', whole('inputSize', `"?${size}"?`)],
      [`numLayers ${size}`, () => layer({ numLayers: size }), 'argument', whole('numLayers', `"?${size}"?`)],
    ]),
    ...[-1, 1.5, NaN, null].map((size): Refusal => [
      `projSize ${size}`,
      () => layer({ projSize: size }),
      'argument',
      new RegExp(`^LSTM: projSize must be a whole number of at least 0, got ${size}$`),
    ]),
    ...[4, 5].map((size): Refusal => [
      `projSize ${size}`,
      () => layer({ projSize: size }),
      'argument',
      new RegExp(`^LSTM: projSize must be below hiddenSize 4, or 0 for no projection, got ${size}$`),
    ]),
    ...[1, 'yes', null].map((wavefront): Refusal => [
      `wavefront ${wavefront}`,
      () => layer({ wavefront }),
      'argument',
      new RegExp(`^LSTM: wavefront must be true, false or "auto", got "?${wavefront}"?$`),
    ]),
    ...[{ bidirectional: true }, { dropout: 0.1 }, { recurrentDropout: 0.1 }, { zoneout: { c: 0.1 } }].map(
      (own): Refusal => [
        `wavefront and ${Object.keys(own)[0]}`,
        () => layer({ numLayers: 2, wavefront: true, ...own }),
        'unsupported',
        new RegExp(
          `^LSTM: layers with ${Object.keys(own)[0]} cannot share launches; leave out wavefront or ${Object.keys(own)[0]}$`,
        ),
      ],
    ),
    ...['dropout', 'recurrentDropout'].flatMap((option): Refusal[] =>
      [-0.1, 1.1, NaN].map((p) => [
        `${option} ${p}`,
        () => layer({ [option]: p }),
        'argument',
        new RegExp(`^LSTM: ${option} must be a number from 0 to 1, got ${p}$`),
      ]),
    ),
    ['zoneout 1', () => layer({ zoneout: 1 }), 'argument', /^LSTM: zoneout .*at least 0 and below 1, got 1$/],
    ['zoneout -0.1', () => layer({ zoneout: -0.1 }), 'argument', /zoneout must be at least 0.*got -0\.1$/],
    ['zoneout of a state', () => layer({ zoneout: { c: NaN } }), 'argument', /below 1, got NaN$/],
    [
      'zoneout of an unknown state',
      () => layer({ zoneout: { q: 0.5 } }),
      'argument',
      /^LSTM: zoneout names a state "q"; expected \["h", "c"\]$/,
    ],
    [
      'zoneout of text',
      () => layer({ zoneout: '1' }),
      'argument',
      /a number or one for each state, got "1"$/,
    ],
    ['withZoneout', () => withZoneout(lstm, 2, true), 'argument', /^withZoneout: zoneout must be .*got 2$/],
    [
      'a projected GRU',
      () => new GRU(options({ projSize: 2 })),
      'unsupported',
      /^GRU: the cell "gru" has no projection; leave out projSize$/,
    ],
    ['a projected RNN', () => new RNN(options({ projSize: 2 })), 'unsupported', /^RNN: .*no projection/],
    [
      'a cell that projects, to nothing',
      () => new Recurrent('Own', lstmProjected, sizes),
      'argument',
      /^Own: the cell "lstm_projected" projects h; give projSize$/,
    ],
    [
      'recurrentDropout without a recurrent product',
      () => new Recurrent('Own', minGRU, { ...sizes, recurrentDropout: 0.5 }),
      'unsupported',
      /^Own: the cell "min_gru" has no recurrent weights; leave out recurrentDropout$/,
    ],
    [
      'recurrentDropout of a cell with a late gate',
      () => new Recurrent('Own', gruResetBefore, { ...sizes, recurrentDropout: 0.5 }),
      'unsupported',
      /^Own: the cell "gru_reset_before" computes itself what the weights of its gate "n" multiply; leave out recurrentDropout$/,
    ],
    [
      'a misspelt option',
      () => layer({ projsize: 2 }),
      'unsupported',
      /^LSTM: option "projsize" is unknown; expected .*projSize/,
    ],
    [
      'a flag that is not a boolean',
      () => layer({ bidirectional: 1 }),
      'argument',
      /bidirectional must be true or false, got 1/,
    ],
    ...['bias', 'batchFirst', 'bidirectional'].flatMap((option) =>
      ['no', 1, null].flatMap((flag) =>
        [LSTM, MinGRU, MinLSTM].map((Layer): Refusal => [
          `${Layer.name} with ${option} ${flag}`,
          () => new Layer(options({ [option]: flag })),
          'argument',
          new RegExp(`^${Layer.name}: ${option} must be true or false, got "?${flag}"?$`),
        ]),
      ),
    ),
    [
      'a bias of Linear that is not a boolean',
      () => new Linear({ inputSize: 3, outputSize: 4, bias: 'no' as never }),
      'argument',
      /^Linear: bias must be true or false, got "no"$/,
    ],
    [
      'elementwiseAffine of LayerNorm that is not a boolean',
      () => new LayerNorm({ normalizedShape: 3, elementwiseAffine: 1 as never }),
      'argument',
      /^LayerNorm: elementwiseAffine must be true or false, got 1$/,
    ],
    [
      'a bias of LayerNorm that is not a boolean',
      () => new LayerNorm({ normalizedShape: 3, bias: null as never }),
      'argument',
      /^LayerNorm: bias must be true or false, got null$/,
    ],
    ...['1', null, -1, NaN].map((eps): Refusal => [
      `LayerNorm with an eps of ${eps}`,
      () => new LayerNorm({ normalizedShape: 3, eps: eps as never }),
      'argument',
      /^LayerNorm: eps must be a number of at least 0 and finite in float32, got ("1"|null|-1|NaN)$/,
    ]),
    [
      'a declaration instead of a cell',
      () => new Recurrent('Own', elmanTanh.declaration as never, sizes),
      'argument',
      /^Own: cell must be a cell, such as lstm or what defineCell returns, got Object$/,
    ],
    [
      'no name',
      () => new Recurrent(lstm as never, sizes as never, undefined as never),
      'argument',
      /^Recurrent: expected a name, a cell and options, got Object first$/,
    ],
  ]);

  test('values at the bounds are accepted', () => {
    layer({ dropout: 0, recurrentDropout: 1, zoneout: 0.999, projSize: 3 });
    layer({ dropout: 1, projSize: 0, zoneout: { h: 0 } });
    expect(new Recurrent('Own', gruResetBefore, { ...sizes, recurrentDropout: 0 }).outputSize).toBe(4);
    expect(layer({ numLayers: undefined }).numLayers).toBe(1);
  });
});

describe('a call', () => {
  const x = (): Value => value([5, 2, 3]);
  const own = layer({ bidirectional: true, numLayers: 2 });
  const parameters = Object.fromEntries(own.parameters.map(({ name, shape }) => [name, value(shape)]));
  testRefusals([
    ['no steps', () => own.forward(value([0, 2, 3]), parameters), 'shape', /at least 1, got \[0, 2, 3\]$/],
    [
      'another width',
      () => own.forward(value([5, 2, 4]), parameters),
      'shape',
      /^LSTM: expected input \(T, B, 3\), or \(T, 3\) without a batch, got \[5, 2, 4\]$/,
    ],
    [
      'another width, batch first',
      () => layer({ batchFirst: true }).forward(value([5, 4]), {}),
      'shape',
      /^LSTM: expected input \(B, T, 3\), or \(T, 3\) without a batch, got \[5, 4\]$/,
    ],
    [
      'lengths without a batch',
      () => own.forward(value([5, 3]), parameters, {}, { lengths: value([1], 'i32') }),
      'shape',
      /^LSTM: lengths or a mask were given for one sequence without a batch, \[5, 3\]; give the input a batch of 1$/,
    ],
    [
      'a state with a batch for an input without',
      () => own.forward(value([5, 3]), parameters, { h: value([4, 1, 4]) }),
      'shape',
      /^LSTM: state "h" of one sequence without a batch: expected shape \[4, 4\], got \[4, 1, 4\]$/,
    ],
    [
      'an unknown state for an input without a batch',
      () => own.forward(value([5, 3]), parameters, { z: value([4, 4]) }),
      'argument',
      /^LSTM: no state "z"; expected \["h", "c"\]$/,
    ],
    [
      'indices',
      () => own.forward(value([5, 2, 3], 'i32'), parameters),
      'dtype',
      /^LSTM: input: expected f32, got i32$/,
    ],
    [
      'a state of one direction',
      () => own.forward(x(), parameters, { c: value([2, 2, 4]) }),
      'shape',
      /^LSTM: state "c": expected shape \[4, 2, 4\], got \[2, 2, 4\]$/,
    ],
    [
      'an unknown state',
      () => own.forward(x(), parameters, { z: value([4, 2, 4]) }),
      'argument',
      /^LSTM: no state "z"; expected \["h", "c"\]$/,
    ],
    [
      'lengths of floats',
      () => own.forward(x(), parameters, {}, { lengths: value([2]) }),
      'dtype',
      /^LSTM: lengths: expected i32, got f32$/,
    ],
    [
      'too many lengths',
      () => own.forward(x(), parameters, {}, { lengths: value([3], 'i32') }),
      'shape',
      /^LSTM: lengths: expected shape \[2\], got \[3\]$/,
    ],
    [
      'a transposed mask',
      () => own.forward(x(), parameters, {}, { mask: value([2, 5]) }),
      'shape',
      /^LSTM: mask: expected shape \[5, 2\], got \[2, 5\]$/,
    ],
    [
      'lengths and a mask',
      () => own.forward(x(), parameters, {}, { lengths: value([2], 'i32'), mask: value([5, 2]) }),
      'argument',
      /^LSTM: lengths and mask were both given; give one of them$/,
    ],
    [
      'a missing parameter',
      () => own.forward(x(), {}),
      'argument',
      /^LSTM: no parameter "weight_ih_l0"; expected \["weight_ih_l0", "weight_hh_l0"/,
    ],
  ]);

  test('lengths on the host are checked before anything runs', async () => {
    const net = await runtime.load(layer());
    const input = [1, 2, 3].map(() => [
      [1, 2, 3],
      [4, 5, 6],
    ]);
    for (const [lengths, code, message] of [
      [[0, 3], 'argument', /^run: length 0 must be a whole number of 1 to 3, .*got 0$/],
      [[3, 4], 'argument', /^run: length 1 must .* 1 to 3, .*got 4$/],
      [[1.5, 3], 'argument', /^run: length 0 must be a whole number .*got 1\.5$/],
      [[3], 'shape', /^run: expected lengths of shape \[2\], .*got \[1\]$/],
    ] as const)
      expect(() => net.run(input, { lengths })).toThrow(failure(code, message));
    expect(() => net.run([], {})).toThrow(failure('shape', /every size must be at least 1/));
  });
});

describe.each([
  ['LSTM', new LSTM({ inputSize: 1, hiddenSize: 2, bidirectional: true })],
  ['MinGRU', new MinGRU({ inputSize: 1, hiddenSize: 2, batchFirst: true })],
])('a compiled %s', (_, model) => {
  const parameters = Object.fromEntries(
    model.parameters.map(({ name, shape }) => [
      name,
      runtime.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape }),
    ]),
  );
  const forward = runtime.compile(
    (p: Values, x: Value, lengths: Value) => model.forward(x, p, {}, { lengths }).output,
  );
  const run = (lengths: Int32Array | Tensor): Tensor =>
    forward(
      parameters,
      [
        [[1], [2]],
        [[3], [4]],
      ],
      lengths,
    );

  test.each([0, 3, 99, -3])('refuses a length of %d', (length) => {
    expect(() => run(Int32Array.of(2, length))).toThrow(
      failure('argument', new RegExp(`element 1 of arg\\d is the length ${length}; expected 1 to 2$`)),
    );
    expect(() => run(runtime.tensor(Int32Array.of(2, length)))).toThrow(
      failure('argument', /is a tensor of lengths from -?\d+ to \d+; expected 1 to 2\. A tensor is checked/),
    );
  });

  test('takes all other lengths', () => {
    expect(run(Int32Array.of(1, 2)).shape).toEqual([2, 2, model.bidirectional ? 4 : 2]);
    expect(run(runtime.tensor(Int32Array.of(2, 1))).shape[0]).toBe(2);
  });
});

describe('ONNX', () => {
  testRefusals([
    [
      'clip',
      () => onnxLSTM({ clip: 0 }),
      'argument',
      /^onnxLSTM: clip must be a number above 0 and finite in float32, got 0$/,
    ],
    [
      'clip of NaN',
      () => onnxRNN({ clip: NaN }),
      'argument',
      /^onnxRNN: clip must be a number above 0 and finite in float32, got NaN$/,
    ],
    ['clip of text', () => onnxRNN({ clip: '3' as never }), 'argument', /clip must be .*got "3"$/],
    ['clip of infinity', () => onnxGRU({ clip: Infinity }), 'argument', /clip must be .*got Infinity$/],
    ...[onnxRNN, onnxGRU, onnxLSTM].map((make): Refusal => [
      `${make.name} of nothing`,
      () => make(null as never),
      'argument',
      new RegExp(`^${make.name}: expected options .*got null$`),
    ]),
    ...[onnxRNN, onnxGRU, onnxLSTM].flatMap((make) =>
      ['linear_before_reset', 'peephole', 'activation_alpha', 'direction'].map((option): Refusal => [
        `${make.name} with ${option}`,
        () => make({ [option]: 1 }),
        'unsupported',
        new RegExp(`^${make.name}: option "${option}" is unknown; expected activations, clip`),
      ]),
    ),
    ...[onnxRNN, onnxGRU, onnxLSTM].flatMap((make) =>
      [null, 'Tanh', 5].map((activations): Refusal => [
        `${make.name} with activations ${activations}`,
        () => make({ activations: activations as never }),
        'argument',
        /expected \d activations for one direction, got (null|"Tanh"|5)$/,
      ]),
    ),
    ...[2, 'yes', null].flatMap((flag): Refusal[] => [
      [
        `linearBeforeReset ${flag}`,
        () => onnxGRU({ linearBeforeReset: flag as never }),
        'argument',
        /^onnxGRU: linearBeforeReset must be true, false, 1 or 0, got (2|"yes"|null)$/,
      ],
      [`inputForget ${flag}`, () => onnxLSTM({ inputForget: flag as never }), 'argument', /inputForget must/],
      [`peepholes ${flag}`, () => onnxLSTM({ peepholes: flag as never }), 'argument', /peepholes must/],
    ]),
    [
      'a value that is not an activation',
      () => onnxRNN({ activations: [null as never] }),
      'argument',
      /^onnxRNN: an activation: expected options { name, alpha, beta }, got null$/,
    ],
    [
      'a misspelt alpha',
      () => onnxRNN({ activations: [{ name: 'Elu', apha: 1 } as never] }),
      'unsupported',
      /^onnxRNN: an activation: option "apha" is unknown; expected name, alpha, beta$/,
    ],
    [
      'an alpha past float32',
      () => onnxRNN({ activations: [{ name: 'Elu', alpha: 1e39 }] }),
      'argument',
      /^onnxRNN: Elu has no alpha of 1e\+39$/,
    ],
    [
      'an alpha of text',
      () => onnxRNN({ activations: [{ name: 'Elu', alpha: '1' as never }] }),
      'argument',
      /"1"/,
    ],
    ['no activation', () => (activation as () => unknown)(), 'argument', /expected options .*got nothing$/],
    [
      'activations of both directions',
      () => onnxRNN({ activations: ['Tanh', 'Relu'] }),
      'argument',
      /^onnxRNN: expected 1 activations for one direction, got \["Tanh", "Relu"\]$/,
    ],
    [
      'too few activations',
      () => onnxLSTM({ activations: ['Sigmoid', 'Tanh'] }),
      'argument',
      /^onnxLSTM: expected 3 activations/,
    ],
    [
      'an unknown activation',
      () => onnxGRU({ activations: ['Sigmoid', 'Gelu'] }),
      'unsupported',
      /^onnxGRU: unknown activation "Gelu"; expected one of Affine, .*ThresholdedRelu$/,
    ],
    [
      'an alpha of an activation without one',
      () => onnxRNN({ activations: [{ name: 'Tanh', alpha: 1 }] }),
      'argument',
      /^onnxRNN: Tanh has no alpha of 1$/,
    ],
    [
      'a beta of NaN',
      () => onnxRNN({ activations: [{ name: 'Affine', beta: NaN }] }),
      'argument',
      /^onnxRNN: Affine has no beta of NaN$/,
    ],
  ]);

  test('takes flags as 0 and 1, as ONNX stores them', () => {
    const kinds = (cell: Cell): (readonly [string, string])[] =>
      cell.gates.map(({ name, kind }) => [name, kind]);
    expect(kinds(onnxGRU({ linearBeforeReset: 1 }))).toEqual(kinds(onnxGRU({ linearBeforeReset: true })));
    expect(kinds(onnxGRU({ linearBeforeReset: 0 }))).toEqual(kinds(onnxGRU()));
    expect(kinds(onnxGRU())).not.toEqual(kinds(onnxGRU({ linearBeforeReset: true })));
    expect(onnxLSTM({ inputForget: 1, peepholes: 1 }).name).toBe('onnx_lstm_coupled_peephole');
    expect(onnxLSTM({ inputForget: 0, peepholes: 0 }).name).toBe('onnx_lstm');
  });
});
