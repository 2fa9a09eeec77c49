// The table of weight layouts: each against weights laid out by hand, round trips, and what is refused.
import { assert, boolean, constantFrom, integer, property, record } from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  add,
  convertWeights,
  createRuntime,
  defineCell,
  layouts,
  mul,
  Random,
  Recurrent,
  serializeSafetensors,
  sigmoid,
  tanh,
  type NamedTensor,
  type Shape,
  type WeightLayout,
} from '../../src/index.ts';

type Tensors = ReadonlyMap<string, NamedTensor>;

const all: WeightLayout[] = Object.values(layouts).flatMap((kinds) => Object.values(kinds));
const ownOf = ({ kind, outputPeephole }: WeightLayout): WeightLayout =>
  layouts.pytorch[outputPeephole === 'before' && kind === 'lstm' ? 'lstm_peephole_before' : kind];

/** Random weights under PyTorch's names, in its shapes. */
function named(entries: readonly (readonly [string, Shape, ArrayLike<number>])[]): Tensors {
  return new Map(
    entries.map(([name, shape, data]) => [name, { shape, dtype: 'f32', data: Float32Array.from(data) }]),
  );
}
const plain = (tensors: Tensors): Record<string, { shape: Shape; data: number[] }> =>
  Object.fromEntries([...tensors].map(([name, { shape, data }]) => [name, { shape, data: [...data] }]));

describe('each layout, by hand', () => {
  // H 2, I 1. Each gate has its own tens; the ones count units and columns.
  const lstmWeights = named([
    ['weight_ih_l0', [8, 1], [10, 11, 20, 21, 30, 31, 40, 41]],
    [
      'weight_hh_l0',
      [8, 2],
      [110, 111, 112, 113, 120, 121, 122, 123, 130, 131, 132, 133, 140, 141, 142, 143],
    ],
    ['bias_ih_l0', [8], [210, 211, 220, 221, 230, 231, 240, 241]],
    ['bias_hh_l0', [8], [0.5, 0.5, 0.25, 0.25, 0, 0, 1, 1]],
  ]);
  const peepholes = named([
    ['weight_ci_l0', [2], [51, 52]],
    ['weight_cf_l0', [2], [61, 62]],
    ['weight_co_l0', [2], [71, 72]],
  ]);
  const peepholeLSTM = new Map([...lstmWeights, ...peepholes]);
  const gruWeights = named([
    ['weight_ih_l0', [3, 2], [10, 11, 20, 21, 30, 31]],
    ['weight_hh_l0', [3, 1], [110, 120, 130]],
    ['bias_ih_l0', [3], [210, 220, 230]],
    ['bias_hh_l0', [3], [0.5, 0.25, 0.125]],
  ]);

  test('onnx lstm: i o f c, biases concatenated, peepholes i o f', () => {
    expect(plain(convertWeights(peepholeLSTM, layouts.pytorch.lstm, layouts.onnx.lstm))).toEqual({
      W: { shape: [1, 8, 1], data: [10, 11, 40, 41, 20, 21, 30, 31] },
      R: {
        shape: [1, 8, 2],
        data: [110, 111, 112, 113, 140, 141, 142, 143, 120, 121, 122, 123, 130, 131, 132, 133],
      },
      B: {
        shape: [1, 16],
        data: [210, 211, 240, 241, 220, 221, 230, 231, 0.5, 0.5, 1, 1, 0.25, 0.25, 0, 0],
      },
      P: { shape: [1, 6], data: [51, 52, 71, 72, 61, 62] },
    });
  });

  test('webnn lstm: the order of onnx with iofg, of pytorch with ifgo, peepholes i o f in both', () => {
    const iofg = convertWeights(peepholeLSTM, layouts.pytorch.lstm_peephole_before, layouts.webnn.lstm);
    const onnx = convertWeights(peepholeLSTM, layouts.pytorch.lstm, layouts.onnx.lstm);
    expect(iofg.get('weight')).toEqual(onnx.get('W'));
    expect(iofg.get('recurrentWeight')).toEqual(onnx.get('R'));
    expect(plain(iofg)['bias']).toEqual({ shape: [1, 8], data: [210, 211, 240, 241, 220, 221, 230, 231] });
    expect(plain(iofg)['recurrentBias']).toEqual({ shape: [1, 8], data: [0.5, 0.5, 1, 1, 0.25, 0.25, 0, 0] });
    const ifgo = convertWeights(peepholeLSTM, layouts.pytorch.lstm_peephole_before, layouts.webnn.lstm_ifgo);
    expect(ifgo.get('weight')?.data).toEqual(lstmWeights.get('weight_ih_l0')?.data);
    for (const tensors of [iofg, ifgo])
      expect(plain(tensors)['peepholeWeight']).toEqual({ shape: [1, 6], data: [51, 52, 71, 72, 61, 62] });
  });

  test('keras lstm: i f c o, transposed, one bias', () => {
    expect(plain(convertWeights(lstmWeights, layouts.pytorch.lstm, layouts.keras.lstm))).toEqual({
      kernel: { shape: [1, 8], data: [10, 11, 20, 21, 30, 31, 40, 41] },
      recurrent_kernel: {
        shape: [2, 8],
        data: [110, 112, 120, 122, 130, 132, 140, 142, 111, 113, 121, 123, 131, 133, 141, 143],
      },
      bias: { shape: [8], data: [210.5, 211.5, 220.25, 221.25, 230, 231, 241, 242] },
    });
  });

  test('tensorflow lstm: i j f o, [x; h] in one kernel, the forget bias subtracted, separate peepholes', () => {
    expect(plain(convertWeights(peepholeLSTM, layouts.pytorch.lstm, layouts.tensorflow.lstm))).toEqual({
      kernel: {
        shape: [3, 8],
        data: [
          [10, 11, 30, 31, 20, 21, 40, 41],
          [110, 112, 130, 132, 120, 122, 140, 142],
          [111, 113, 131, 133, 121, 123, 141, 143],
        ].flat(),
      },
      bias: { shape: [8], data: [210.5, 211.5, 230, 231, 219.25, 220.25, 241, 242] },
      w_i_diag: { shape: [2], data: [51, 52] },
      w_f_diag: { shape: [2], data: [61, 62] },
      w_o_diag: { shape: [2], data: [71, 72] },
    });
  });

  test('tensorflow lstm: a projection is (H, R), and the kernel (I + R, 4·H)', () => {
    const projected = named([
      ['weight_ih_l0', [8, 1], [10, 11, 20, 21, 30, 31, 40, 41]],
      ['weight_hh_l0', [8, 1], [110, 111, 120, 121, 130, 131, 140, 141]],
      ['weight_hr_l0', [1, 2], [5, 6]],
    ]);
    expect(plain(convertWeights(projected, layouts.pytorch.lstm, layouts.tensorflow.lstm))).toEqual({
      kernel: {
        shape: [2, 8],
        data: [10, 11, 30, 31, 20, 21, 40, 41, 110, 111, 130, 131, 120, 121, 140, 141],
      },
      bias: { shape: [8], data: [0, 0, 0, 0, -1, -1, 0, 0] },
      'projection/kernel': { shape: [2, 1], data: [5, 6] },
    });
  });

  test('gru: z r h of onnx, keras and webnn; r z n of webnn', () => {
    const to = (layout: WeightLayout): ReturnType<typeof plain> =>
      plain(convertWeights(gruWeights, layouts.pytorch.gru, layout));
    expect(to(layouts.onnx.gru)).toEqual({
      W: { shape: [1, 3, 2], data: [20, 21, 10, 11, 30, 31] },
      R: { shape: [1, 3, 1], data: [120, 110, 130] },
      B: { shape: [1, 6], data: [220, 210, 230, 0.25, 0.5, 0.125] },
    });
    expect(to(layouts.keras.gru)).toEqual({
      kernel: { shape: [2, 3], data: [20, 10, 30, 21, 11, 31] },
      recurrent_kernel: { shape: [1, 3], data: [120, 110, 130] },
      bias: { shape: [2, 3], data: [220, 210, 230, 0.25, 0.5, 0.125] },
    });
    expect(to(layouts.webnn.gru)['weight'].data).toEqual([20, 21, 10, 11, 30, 31]);
    expect(to(layouts.webnn.gru_rzn)['weight'].data).toEqual([10, 11, 20, 21, 30, 31]);
  });

  test('gru_reset_before: one bias in keras, two kernels in tensorflow', () => {
    const to = (layout: WeightLayout): ReturnType<typeof plain> =>
      plain(convertWeights(gruWeights, layouts.pytorch.gru_reset_before, layout));
    expect(to(layouts.keras.gru_reset_before)['bias']).toEqual({
      shape: [3],
      data: [220.25, 210.5, 230.125],
    });
    expect(to(layouts.tensorflow.gru_reset_before)).toEqual({
      'gates/kernel': { shape: [3, 2], data: [10, 20, 11, 21, 110, 120] },
      'gates/bias': { shape: [2], data: [210.5, 220.25] },
      'candidate/kernel': { shape: [3, 1], data: [30, 31, 130] },
      'candidate/bias': { shape: [1], data: [230.125] },
    });
  });

  test('onnx lstm with input_forget: rows of an unused forget gate', () => {
    const own = convertWeights(
      named([
        ['W', [1, 4, 1], [1, 2, 3, 4]],
        ['R', [1, 4, 1], [5, 6, 7, 8]],
        ['P', [1, 3], [9, 10, 11]],
      ]),
      layouts.onnx.lstm_coupled,
      layouts.pytorch.lstm_coupled,
    );
    expect(plain(own)).toEqual({
      weight_ih_l0: { shape: [3, 1], data: [1, 4, 2] },
      weight_hh_l0: { shape: [3, 1], data: [5, 8, 6] },
      weight_ci_l0: { shape: [1], data: [9] },
      weight_co_l0: { shape: [1], data: [10] },
    });
    expect(plain(convertWeights(own, layouts.pytorch.lstm_coupled, layouts.onnx.lstm_coupled))).toEqual({
      W: { shape: [1, 4, 1], data: [1, 2, 0, 4] },
      R: { shape: [1, 4, 1], data: [5, 6, 0, 8] },
      P: { shape: [1, 3], data: [9, 10, 0] },
    });
  });

  test('two directions: as an axis, or by names', () => {
    const rnn = named([
      ['weight_ih_l3', [1, 1], [1]],
      ['weight_hh_l3', [1, 1], [2]],
      ['weight_ih_l3_reverse', [1, 1], [3]],
      ['weight_hh_l3_reverse', [1, 1], [4]],
    ]);
    const to = (layout: WeightLayout): ReturnType<typeof plain> =>
      plain(convertWeights(rnn, layouts.pytorch.rnn, layout, 3));
    expect(to(layouts.onnx.rnn)).toEqual({
      W: { shape: [2, 1, 1], data: [1, 3] },
      R: { shape: [2, 1, 1], data: [2, 4] },
    });
    expect(to(layouts.keras.rnn)).toEqual({
      'forward/kernel': { shape: [1, 1], data: [1] },
      'forward/recurrent_kernel': { shape: [1, 1], data: [2] },
      'backward/kernel': { shape: [1, 1], data: [3] },
      'backward/recurrent_kernel': { shape: [1, 1], data: [4] },
    });
    expect(Object.keys(to(layouts.tensorflow.rnn))).toEqual(['fw/kernel', 'fw/bias', 'bw/kernel', 'bw/bias']);
  });

  test('the layer of a PyTorch net that is asked for', () => {
    const net = named(
      [0, 1, 10].flatMap((layer) => [
        [`weight_ih_l${layer}`, [1, 1], [layer + 0.25]] as const,
        [`weight_hh_l${layer}`, [1, 1], [layer + 0.5]] as const,
      ]),
    );
    const { W, R } = plain(convertWeights(net, layouts.pytorch.rnn, layouts.onnx.rnn, 1));
    expect([W.data, R.data]).toEqual([[1.25], [1.5]]);
  });

  test('either bias of webnn may be missing, and is 0', () => {
    const given = named([
      ['weight', [1, 3, 1], [1, 2, 3]],
      ['recurrentWeight', [1, 3, 1], [4, 5, 6]],
      ['recurrentBias', [1, 3], [7, 8, 9]],
    ]);
    const own = plain(convertWeights(given, layouts.webnn.gru, layouts.pytorch.gru));
    expect(own['bias_ih_l0'].data).toEqual([0, 0, 0]);
    expect(own['bias_hh_l0'].data).toEqual([8, 7, 9]);
  });
});

describe('round trips', () => {
  interface Draw {
    readonly inputs: number;
    readonly units: number;
    readonly directions: number;
    readonly layer: number;
    readonly bias: boolean;
    readonly peepholes: boolean;
    readonly projection: boolean;
    readonly seed: number;
  }
  const has = (layout: WeightLayout, part: string): boolean =>
    Object.values(layout.tensors).some(({ blocks }) => blocks[0][0].part === part);

  /** Weights under PyTorch's names: those that `layout` has. */
  function draw(layout: WeightLayout, given: Draw): Tensors {
    const { inputs: I, units: H, directions, layer, seed } = given;
    const rows = { rnn: 1, lstm: 4, lstm_coupled: 3, gru: 3, gru_reset_before: 3 }[layout.kind] * H;
    const R = given.projection && has(layout, 'weight_hr') ? Math.ceil(H / 2) : undefined;
    const shapes: [string, Shape][] = [
      ['weight_ih', [rows, I]],
      ['weight_hh', [rows, R ?? H]],
    ];
    if (given.bias) shapes.push(['bias_ih', [rows]], ['bias_hh', [rows]]);
    if (R !== undefined) shapes.push(['weight_hr', [R, H]]);
    if (given.peepholes && has(layout, 'weight_c'))
      shapes.push(
        ...[...(layout.kind === 'lstm' ? 'ifo' : 'io')].map((gate): [string, Shape] => [
          `weight_c${gate}`,
          [H],
        ]),
      );
    const random = new Random(seed);
    return named(
      ['', '_reverse'].slice(0, directions).flatMap((suffix) =>
        shapes.map(([name, shape]) => {
          const length = shape.reduce((a, b) => a * b, 1);
          return [
            `${name}_l${layer}${suffix}`,
            shape,
            Array.from({ length }, () => random.normal()),
          ] as const;
        }),
      ),
    );
  }

  const isBias = (name: string): boolean => name.startsWith('bias_');
  const others = (tensors: Tensors): unknown => [...tensors].filter(([name]) => !isBias(name));
  /** The sum of each gate's two biases, for all directions. */
  const biasSums = (tensors: Tensors): number[] =>
    [...tensors]
      .filter(([name]) => name.startsWith('bias_ih'))
      .flatMap(([name, { data }]) => {
        const second = tensors.get(name.replace('_ih', '_hh'));
        return [...data].map((value, i) => value + (second?.data[i] ?? NaN));
      });

  const draws = record({
    inputs: integer({ min: 1, max: 5 }),
    units: integer({ min: 1, max: 5 }),
    directions: integer({ min: 1, max: 2 }),
    layer: constantFrom(0, 1, 12),
    bias: boolean(),
    peepholes: boolean(),
    projection: boolean(),
    seed: integer({ min: 0, max: 2 ** 31 }),
  });

  test.each(all.map((layout) => [layout.name, layout] as const))('%s', (_, layout) => {
    assert(
      property(draws, (given) => {
        const own = draw(layout, given);
        const theirs = convertWeights(own, ownOf(layout), layout, given.layer);
        const back = convertWeights(theirs, layout, ownOf(layout), given.layer);
        // The framework's weights bit for bit. PyTorch's too, but for the two biases, whose sum stays.
        expect(convertWeights(back, ownOf(layout), layout, given.layer)).toEqual(theirs);
        expect(others(back)).toEqual(others(own));
        const expected = biasSums(own);
        biasSums(back).forEach((sum, i) => expect(sum).toBeCloseTo(expected[i] ?? 0, 5));
      }),
    );
  });

  test('from each framework to each other', () => {
    const own = draw(layouts.keras.lstm, {
      inputs: 3,
      units: 2,
      directions: 2,
      layer: 0,
      bias: true,
      peepholes: false,
      projection: false,
      seed: 1,
    });
    const lstms = all.filter(({ kind }) => kind === 'lstm');
    for (const from of lstms) {
      for (const to of lstms) {
        const direct = convertWeights(convertWeights(own, layouts.pytorch.lstm, from), from, to);
        const back = convertWeights(direct, to, layouts.pytorch.lstm);
        expect(others(back)).toEqual(others(own));
        const expected = biasSums(own);
        biasSums(back).forEach((sum, i) => expect(sum).toBeCloseTo(expected[i], 5));
      }
    }
  });
});

test("peepholes of webnn load into a cell whose gate o reads the old state, which computes WebNN's formula", async () => {
  const cell = defineCell({
    name: 'lstm_peephole_before',
    gates: ['i', 'f', 'g', 'o'],
    states: ['h', 'c'],
    weights: { weight_ci: 'uniform', weight_cf: 'uniform', weight_co: 'uniform' },
    update: ({ i, f, g, o }, { c }, { weight_ci, weight_cf, weight_co }) => {
      const [input, forget] = [sigmoid(add(i, mul(weight_ci, c))), sigmoid(add(f, mul(weight_cf, c)))];
      const next = add(mul(forget, c), mul(input, tanh(g)));
      return { c: next, h: mul(sigmoid(add(o, mul(weight_co, c))), tanh(next)) };
    },
  });
  const [w, r, p] = [
    [0.1, 0.2, 0.3, 0.4],
    [0.5, -0.4, 0.3, -0.2],
    [0.7, 2, -0.6],
  ];
  const theirs = named([
    ['weight', [1, 4, 1], w],
    ['recurrentWeight', [1, 4, 1], r],
    ['peepholeWeight', [1, 3], p],
  ]);
  const own = convertWeights(theirs, layouts.webnn.lstm_ifgo, layouts.pytorch.lstm_peephole_before);
  const runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
  const model = new Recurrent('Own', cell, { inputSize: 1, hiddenSize: 1, bias: false });
  const net = await runtime.load(model, { weights: serializeSafetensors(own) });
  const got = await net.run([[[1]], [[-2]], [[0.5]]]).read();
  // WebNN's specification: peepholes i, o, f, all of the state before the step.
  const at = (x: number): number => 1 / (1 + Math.exp(-x));
  const f32 = Math.fround;
  let [h, c] = [0, 0];
  const expected = [1, -2, 0.5].map((x) => {
    const [i, f, g, o] = w.map((weight, gate) => f32(weight) * x + f32(r[gate]) * h);
    const next = at(f + f32(p[2]) * c) * c + at(i + f32(p[0]) * c) * Math.tanh(g);
    h = at(o + f32(p[1]) * c) * Math.tanh(next);
    c = next;
    return h;
  });
  expect(Array.from(got)).toEqual(expected.map((value) => expect.closeTo(value, 12) as number));
  runtime.dispose();
});

describe('refused', () => {
  const zeros = (shape: Shape): NamedTensor => ({
    shape,
    dtype: 'f32',
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  const good = (): Map<string, NamedTensor> =>
    new Map([
      ['kernel', zeros([3, 8])],
      ['recurrent_kernel', zeros([2, 8])],
      ['bias', zeros([8])],
    ]);

  test.each<[string, (tensors: Map<string, NamedTensor>) => void, RegExp]>([
    [
      'no matrix',
      (t) => t.delete('recurrent_kernel'),
      /keras lstm.*no tensor "recurrent_kernel"; got kernel, bias/,
    ],
    [
      'an unknown tensor',
      (t) => t.set('Bias', zeros([8])),
      /unknown tensor "Bias"; expected kernel, recurrent_kernel/,
    ],
    [
      'one direction of two',
      (t) => t.set('backward/bias', zeros([8])),
      /unknown tensor "kernel"; expected forward\/kernel/,
    ],
    [
      'another rank',
      (t) => t.set('kernel', zeros([1, 3, 8])),
      /"kernel": expected f32 \[I, 4·H\], got f32 \[1, 3, 8\]/,
    ],
    [
      'a transposed matrix',
      (t) => t.set('kernel', zeros([8, 3])),
      /"kernel": expected f32 \[I, 4·H\].*\[8, 3\]/,
    ],
    [
      'another number of units',
      (t) => t.set('bias', zeros([12])),
      /"bias": expected f32 \[4·H\] = \[8\], got f32 \[12\]/,
    ],
    [
      'no inputs',
      (t) => t.set('kernel', zeros([0, 8])),
      /"kernel": expected f32 \[I, 4·H\], got f32 \[0, 8\]/,
    ],
    ['two biases', (t) => t.set('bias', zeros([2, 8])), /"bias": expected f32 \[4·H\], got f32 \[2, 8\]/],
    [
      'i32 weights',
      (t) => t.set('bias', { shape: [8], dtype: 'i32', data: new Int32Array(8) }),
      /"bias": expected f32 \[4·H\], got i32 \[8\]/,
    ],
    [
      'too few numbers',
      (t) => t.set('bias', { shape: [8], dtype: 'f32', data: new Float32Array(7) }),
      /"bias": expected f32 \[4·H\], 8 numbers and not 7/,
    ],
  ])('keras lstm weights with %s', (_, change, message) => {
    const tensors = good();
    expect(convertWeights(tensors, layouts.keras.lstm, layouts.pytorch.lstm).size).toBe(4);
    change(tensors);
    expect(() => convertWeights(tensors, layouts.keras.lstm, layouts.pytorch.lstm)).toThrow(
      expect.objectContaining({ code: 'file', message: expect.stringMatching(message) as string }) as Error,
    );
  });

  test('more than two directions', () => {
    const tensors = new Map([
      ['W', zeros([3, 2, 1])],
      ['R', zeros([3, 2, 2])],
    ]);
    expect(() => convertWeights(tensors, layouts.onnx.rnn, layouts.pytorch.rnn)).toThrow(
      /"W": expected f32 \[directions, H, I\] with 1 or 2 directions, got f32 \[3, 2, 1\]/,
    );
  });

  test('tensors of different directions', () => {
    const tensors = new Map([
      ['W', zeros([2, 2, 1])],
      ['R', zeros([1, 2, 2])],
    ]);
    expect(() => convertWeights(tensors, layouts.onnx.rnn, layouts.pytorch.rnn)).toThrow(
      /"R": expected f32 \[directions, H, H\] = \[2, 2, 2\], got f32 \[1, 2, 2\]/,
    );
  });

  test('one peephole of three', () => {
    const tensors = new Map([
      ['weight_ih_l0', zeros([8, 3])],
      ['weight_hh_l0', zeros([8, 2])],
      ['weight_ci_l0', zeros([2])],
    ]);
    expect(() => convertWeights(tensors, layouts.pytorch.lstm, layouts.onnx.lstm)).toThrow(
      /pytorch lstm weights: no tensor "weight_cf_l0"/,
    );
  });

  test('peepholes and projections in a layout without them', () => {
    const tensors = new Map([
      ['weight_ih_l0', zeros([8, 3])],
      ['weight_hh_l0', zeros([8, 1])],
      ['weight_hr_l0', zeros([1, 2])],
    ]);
    expect(() => convertWeights(tensors, layouts.pytorch.lstm, layouts.onnx.lstm)).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: 'onnx lstm weights: the layer has projections, for which there is no place',
      }) as Error,
    );
  });

  test('peepholes that read another state', () => {
    const tensors = new Map([
      ['weight', zeros([1, 8, 3])],
      ['recurrentWeight', zeros([1, 8, 2])],
    ]);
    const { webnn, pytorch, onnx } = layouts;
    expect(convertWeights(tensors, webnn.lstm, pytorch.lstm).size).toBe(2);
    const refused = expect.objectContaining({
      code: 'unsupported',
      message: expect.stringMatching(
        /peephole of gate o reads the cell state before the step in webnn lstm \(iofg\) and after it in \w+ lstm; .*layouts\.pytorch\.lstm_peephole_before/,
      ) as string,
    }) as Error;
    tensors.set('peepholeWeight', zeros([1, 6]));
    expect(() => convertWeights(tensors, webnn.lstm, pytorch.lstm)).toThrow(refused);
    expect(() => convertWeights(tensors, webnn.lstm, onnx.lstm)).toThrow(refused);
    const own = convertWeights(tensors, webnn.lstm, pytorch.lstm_peephole_before);
    expect(() => convertWeights(own, pytorch.lstm, webnn.lstm)).toThrow(
      /after the step in pytorch lstm and before it in webnn lstm \(iofg\); .*layouts\.pytorch\.lstm$/,
    );
  });

  test.each<[string, readonly unknown[], string, RegExp]>([
    [
      'an object',
      [Object.fromEntries(good()), layouts.keras.lstm, layouts.pytorch.lstm],
      'argument',
      /a Map of tensors by name, got Object/,
    ],
    ['no tensors', [], 'argument', /a Map of tensors by name, got nothing/],
    ['no layouts', [good()], 'argument', /from: expected a layout, .*got nothing/],
    ['one layout', [good(), layouts.keras.lstm, null], 'argument', /to: expected a layout, .*got null/],
    ['a framework', [good(), layouts.keras, layouts.pytorch.lstm], 'argument', /from: expected a layout/],
    ...[-1, 1.5, NaN, '0', null].map((layer): [string, readonly unknown[], string, RegExp] => [
      `layer ${layer}`,
      [good(), layouts.keras.lstm, layouts.pytorch.lstm, layer],
      'argument',
      /convertWeights: layer must be a whole number of at least 0, got/,
    ]),
    [
      'a tensor of nothing',
      [new Map([...good(), ['bias', null]]), layouts.keras.lstm, layouts.pytorch.lstm],
      'file',
      /keras lstm weights: tensor "bias": expected { shape, dtype, data }, got null/,
    ],
  ])('%s', (_, given, code, message) => {
    expect(() => (convertWeights as (...given: readonly unknown[]) => unknown)(...given)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error,
    );
  });

  test('layouts of two kinds of cell', () => {
    expect(() => convertWeights(good(), layouts.keras.lstm, layouts.pytorch.gru)).toThrow(
      expect.objectContaining({
        code: 'argument',
        message: expect.stringMatching(/keras lstm and pytorch gru/) as string,
      }) as Error,
    );
  });

  test("a GRU's recurrent bias of n other than 0, in a layout with one bias", () => {
    const single: WeightLayout = {
      ...layouts.keras.gru_reset_before,
      name: 'a gru of one bias',
      kind: 'gru',
    };
    const tensors = (n: number): Tensors =>
      named([
        ['weight_ih_l0', [3, 1], [1, 2, 3]],
        ['weight_hh_l0', [3, 1], [4, 5, 6]],
        ['bias_ih_l0', [3], [10, 20, 30]],
        ['bias_hh_l0', [3], [1, 2, n]],
      ]);
    expect(() => convertWeights(tensors(3), layouts.pytorch.gru, single)).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: expect.stringMatching(/a gru of one bias weights: .*needs two for the gate n/) as string,
      }) as Error,
    );
    const one = convertWeights(tensors(0), layouts.pytorch.gru, single);
    expect(plain(one)['bias'].data).toEqual([22, 11, 30]);
    expect(plain(convertWeights(one, single, layouts.pytorch.gru))['bias_hh_l0'].data).toEqual([0, 0, 0]);
  });
});
