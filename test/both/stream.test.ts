// Streams on both backends: rows that begin anew, states that are copied, saved and restored, and what cannot stream.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { Random } from '../../src/core/random.ts';
import {
  add,
  createRuntime,
  Embedding,
  GRU,
  GRUCell,
  Linear,
  LSTM,
  LSTMCell,
  parseSafetensors,
  reshape,
  RNNCell,
  Sequential,
  serializeSafetensors,
  zeros,
  type Layer,
  type Net,
  type Runtime,
  type Shape,
  type Stream,
} from '../../src/index.ts';
import { failure } from '../failure.ts';
import { backend } from '../setup/backend.ts';

const BATCH = 3;
const INPUTS = 4;
const HIDDEN = 5;

const MODELS: Record<string, () => Layer> = {
  LSTM: () => new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 2 }),
  'GRU, batchFirst': () => new GRU({ inputSize: INPUTS, hiddenSize: HIDDEN, batchFirst: true }),
  Sequential: () =>
    new Sequential([
      new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN }),
      new GRU({ inputSize: HIDDEN, hiddenSize: 2 }),
      new Linear(2, 3),
    ]),
  LSTMCell: () => new LSTMCell({ inputSize: INPUTS, hiddenSize: HIDDEN }),
  'a Sequential of cells': () =>
    new Sequential([
      new Linear(INPUTS, 3),
      new GRUCell({ inputSize: 3, hiddenSize: HIDDEN }),
      new RNNCell({ inputSize: HIDDEN, hiddenSize: 2 }),
    ]),
};

/** Adds up what it was fed: one state, of whatever shape, that holds a number for each row of the batch. */
const total = (shape: (batch: number) => Shape): Layer => ({
  name: 'Total',
  parameters: [],
  states: [{ name: 'sum', shape }],
  inputDType: 'f32',
  timeAxis: 0,
  forward: (x, _, states = {}) => {
    const sum = add(states['sum'] ?? zeros(shape(x.shape[1])), reshape(x, shape(x.shape[1])));
    return { output: reshape(sum, x.shape), states: { sum } };
  },
});

/** Standard normal steps, (BATCH, INPUTS) each, the same on every call. */
function inputs(seed: number, count: number): number[][][] {
  const random = new Random(seed, 7);
  return Array.from({ length: count }, () =>
    Array.from({ length: BATCH }, () => Array.from({ length: INPUTS }, () => random.normal())),
  );
}

/** The output for the last of some steps, as a list for each row. */
async function pushAll(stream: Stream, steps: readonly number[][][]): Promise<number[][]> {
  const outputs = steps.map((step) => stream.push(step));
  const last = outputs[outputs.length - 1];
  const [data, width] = [Array.from(await last.read()), last.shape[1]];
  return Array.from({ length: last.shape[0] }, (_, row) => data.slice(row * width, (row + 1) * width));
}

async function statesOf(stream: Stream): Promise<Record<string, number[]>> {
  const states = Object.entries(stream.states());
  const read = states.map(async ([name, state]) => [name, Array.from(await state.read())] as const);
  return Object.fromEntries(await Promise.all(read));
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  describe.each(Object.keys(MODELS))('%s', (name) => {
    const [before, after] = [inputs(1, 3), inputs(2, 2)];
    let net: Net;
    beforeAll(async () => {
      net = await runtime.load(MODELS[name](), { seed: 3 });
    });
    const stream = (): Stream => net.stream({ batch: BATCH });

    test.each<[rows: number | number[] | undefined, fresh: number[]]>([
      [0, [0]],
      [2, [2]],
      [
        [0, 2],
        [0, 2],
      ],
      [[1, 1], [1]],
      [[], []],
      [
        [2, 0, 1],
        [0, 1, 2],
      ],
      [undefined, [0, 1, 2]],
    ])('reset(%j) begins those rows anew and leaves the others as they are', async (rows, fresh) => {
      const tested = stream();
      await pushAll(tested, before);
      tested.reset(rows);
      const got = await pushAll(tested, after);
      const [begun, gone] = [await pushAll(stream(), after), await pushAll(stream(), [...before, ...after])];
      for (let row = 0; row < BATCH; row++) {
        expect(begun[row]).not.toEqual(gone[row]);
        expect(got[row]).toEqual((fresh.includes(row) ? begun : gone)[row]);
      }
    });

    test('a row whose states became NaN recovers by its reset', async () => {
      const tested = stream();
      const poisoned = before[2].map((row, i) => (i === 1 ? row.map(() => NaN) : row));
      const [, bad] = await pushAll(tested, [before[0], before[1], poisoned]);
      expect(bad.every(Number.isNaN)).toBe(true);
      tested.reset(1);
      const got = await pushAll(tested, after);
      expect(got[1]).toEqual((await pushAll(stream(), after))[1]);
      expect(got[0]).toEqual((await pushAll(stream(), [...before, ...after]))[0]);
    });

    test('a row that is not in the batch is refused, and nothing reset', async () => {
      const tested = stream();
      await pushAll(tested, before);
      for (const row of [-1, BATCH, 0.5, NaN])
        for (const rows of [row, [0, row]])
          expect(() => tested.reset(rows)).toThrow(
            failure('argument', /reset: expected rows of the batch, 0 to 2, got (-1|3|0\.5|NaN)/),
          );
      expect(await pushAll(tested, after)).toEqual(await pushAll(stream(), [...before, ...after]));
    });

    test('save and restore go on with the same bits, in another net of the same weights', async () => {
      const first = stream();
      await pushAll(first, before);
      const saving = first.save({ note: 'kept' });
      // The file holds the states of when it was asked for.
      const expected = await pushAll(first, after);
      const bytes = await saving;
      const other = await runtime.load(MODELS[name](), { weights: await net.save() });
      const second = other.stream({ batch: BATCH });
      await pushAll(second, inputs(9, 1));
      const metadata = second.restore(bytes);
      expect(metadata).toEqual({ note: 'kept', format: 'pt', model: net.model.name, batch: String(BATCH) });
      expect(await second.save({ note: 'kept' })).toEqual(bytes);
      expect(await pushAll(second, after)).toEqual(expected);
      const { tensors } = parseSafetensors(bytes);
      expect([...tensors].map(([key, { shape, dtype }]) => [key, shape, dtype])).toEqual(
        net.model.states.map((state) => [state.name, state.shape(BATCH), 'f32']),
      );
    });

    test('a fork goes on from there, and neither sees the other', async () => {
      const first = stream();
      await pushAll(first, before);
      using second = first.fork();
      expect(second.batch).toBe(BATCH);
      const expected = await pushAll(stream(), [...before, ...after]);
      const elsewhere = inputs(4, 2);
      const [one, two] = [await pushAll(first, elsewhere), await pushAll(second, after)];
      expect(two).toEqual(expected);
      expect(one).toEqual(await pushAll(stream(), [...before, ...elsewhere]));
      first.reset();
      first.dispose();
      const further = inputs(5, 1);
      expect(await pushAll(second, further)).toEqual(
        await pushAll(stream(), [...before, ...after, ...further]),
      );
    });

    test('states() are copies, which a run takes', async () => {
      const tested = stream();
      await pushAll(tested, before);
      const copies = tested.states();
      expect(Object.entries(copies).map(([key, { shape }]) => [key, shape])).toEqual(
        net.model.states.map((state) => [state.name, state.shape(BATCH)]),
      );
      const kept = await statesOf(tested);
      const pushed = await pushAll(tested, [after[0]]);
      expect(await statesOf(tested)).not.toEqual(kept);
      for (const [key, copy] of Object.entries(copies)) expect([...(await copy.read())]).toEqual(kept[key]);
      const { timeAxis } = net.model;
      const rows = timeAxis === 1 ? after[0].map((row) => [row]) : [after[0]];
      const x = timeAxis === undefined ? after[0] : rows;
      const { output, states } = net.runWithStates(x, { states: copies });
      // A push may add up in another order.
      const close = (numbers: Iterable<number>): unknown[] =>
        Array.from(numbers, (x) => expect.closeTo(x, 6));
      expect([...(await output.read())]).toEqual(close(pushed.flat()));
      // Given back, and the stream goes on.
      for (const copy of Object.values(copies)) copy.dispose();
      const next = await statesOf(tested);
      for (const [key, state] of Object.entries(states))
        expect([...(await state.read())]).toEqual(close(next[key]));
    });
  });

  test('a cell streams what its layer does', async () => {
    const sizes = { inputSize: INPUTS, hiddenSize: HIDDEN };
    using layer = await runtime.load(new LSTM(sizes), { seed: 5 });
    using cell = await runtime.load(new LSTMCell(sizes), { seed: 5 });
    const steps = inputs(6, 3);
    const [got, expected] = [cell, layer].map((net) => pushAll(net.stream({ batch: BATCH }), steps));
    expect(await got).toEqual(await expected);
    // Without a batch, too.
    const one = cell.stream();
    expect((await pushAll(one, [steps[0].slice(0, 1)]))[0]).toEqual(
      Array.from(await cell.stream().push(steps[0][0]).read()),
    );
  });

  test('reset, fork and states wait for nothing, and make no memory that is not given back', async () => {
    const net = await runtime.load(MODELS['LSTM']());
    const stream = net.stream({ batch: BATCH });
    const round = (): void => {
      stream.push(inputs(1, 1)[0]).dispose();
      stream.reset(1);
      stream.fork().dispose();
      for (const state of Object.values(stream.states())) state.dispose();
    };
    round();
    const [read, create] = [vi.spyOn(runtime.backend, 'read'), vi.spyOn(runtime.backend, 'createBuffer')];
    round();
    expect([read.mock.calls.length, create.mock.calls.length]).toEqual([0, 0]);
    vi.restoreAllMocks();
  });

  test.each<[Shape, (batch: number) => Shape]>([
    [[2], (batch) => [batch]],
    [[2, 1, 1], (batch) => [batch, 1, 1]],
    [[1, 1, 2], (batch) => [1, 1, batch]],
  ])('the batch may be any axis of a state, as in %j', async (_, shape) => {
    const stream = (await runtime.load(total(shape))).stream({ batch: 2 });
    const push = async (x: number[][]): Promise<number[]> => Array.from(await stream.push(x).read());
    expect(await push([[1], [10]])).toEqual([1, 10]);
    expect(await push([[2], [20]])).toEqual([3, 30]);
    stream.reset(1);
    expect(await push([[4], [40]])).toEqual([7, 40]);
    stream.reset(0);
    expect(await push([[8], [80]])).toEqual([8, 120]);
  });

  test('rows of a state that has none are not reset', async () => {
    // Of two rows, whatever the batch.
    const stream = (await runtime.load(total(() => [2]))).stream({ batch: 2 });
    const push = async (): Promise<number[]> => Array.from(await stream.push([[1], [10]]).read());
    expect(await push()).toEqual([1, 10]);
    expect(() => stream.reset(0)).toThrow(
      failure('unsupported', /reset: state "sum" has no axis of the batch's size/),
    );
    expect(await push()).toEqual([2, 20]);
    stream.reset();
    expect(await push()).toEqual([1, 10]);
  });

  describe('restore refuses', () => {
    const lstm = (hiddenSize = HIDDEN): Layer => new LSTM({ inputSize: INPUTS, hiddenSize });
    const sequence = (...layers: Layer[]): Layer => new Sequential(layers);
    const fileOf = async (model: Layer, batch = BATCH): Promise<Uint8Array> => {
      const net = await runtime.load(model);
      const bytes = await net.stream({ batch }).save();
      net.dispose();
      return bytes;
    };
    const written = (dtype: 'f32' | 'i32', metadata: Record<string, string>): Uint8Array => {
      const size = BATCH * HIDDEN;
      const data = dtype === 'f32' ? new Float32Array(size) : new Int32Array(size);
      const state = { shape: [1, BATCH, HIDDEN], dtype, data };
      return serializeSafetensors(new Map(['h', 'c'].map((name) => [name, state])), metadata);
    };

    test.each<[what: string, model: Layer, file: () => Promise<Uint8Array>, message: RegExp]>([
      [
        'another model',
        lstm(),
        () => fileOf(new GRU({ inputSize: INPUTS, hiddenSize: HIDDEN })),
        /restore: the file is of a stream of GRU; expected one of LSTM/,
      ],
      [
        'another batch',
        lstm(),
        () => fileOf(lstm(), 2),
        /restore: the file is of a stream of batch 2; expected 3/,
      ],
      [
        'another size',
        lstm(),
        () => fileOf(lstm(HIDDEN + 1)),
        /restore: state "h" must be f32 \[1, 3, 5\], got f32 \[1, 3, 6\]; was the file saved from another model\?/,
      ],
      [
        'a state too many',
        sequence(new GRU({ inputSize: INPUTS, hiddenSize: HIDDEN })),
        () => fileOf(sequence(lstm())),
        /restore: the model has no state "0\.c"; expected \["0\.h"\]/,
      ],
      [
        'a state too few',
        sequence(lstm()),
        () => fileOf(sequence(new GRU({ inputSize: INPUTS, hiddenSize: HIDDEN }))),
        /restore: no state "0\.c" in the file, which has \["0\.h"\]/,
      ],
      [
        "a net's weights",
        lstm(),
        async () => (await runtime.load(lstm())).save(),
        /restore: expected what stream\.save\(\) wrote, .*, got \["format"\]/,
      ],
      [
        'whole numbers',
        lstm(),
        async () => written('i32', { model: 'LSTM', batch: '3' }),
        /restore: state "h" must be f32 \[1, 3, 5\], got i32/,
      ],
      [
        'a part of a file',
        lstm(),
        async () => (await fileOf(lstm())).subarray(0, -4),
        /safetensors: .*truncated/,
      ],
    ])('%s, and keeps its states', async (_, model, file, message) => {
      const stream = (await runtime.load(model)).stream({ batch: BATCH });
      stream.push(inputs(1, 1)[0]);
      const before = await statesOf(stream);
      const bytes = await file();
      expect(() => stream.restore(bytes)).toThrow(failure('file', message));
      expect(await statesOf(stream)).toEqual(before);
    });

    test('nothing that fits', async () => {
      const stream = (await runtime.load(lstm())).stream({ batch: BATCH });
      stream.push(inputs(1, 1)[0]);
      stream.restore(written('f32', { model: 'LSTM', batch: '3' }));
      for (const state of Object.values(await statesOf(stream))) expect(new Set(state)).toEqual(new Set([0]));
    });
  });

  test('after dispose nothing but dispose is left, of a fork too where the net is disposed of', async () => {
    const net = await runtime.load(MODELS['LSTM']());
    const stream = net.stream({ batch: BATCH });
    const bytes = await stream.save();
    const fork = stream.fork();
    const expectDisposed = async (of: Stream): Promise<void> => {
      const after = (method: string): Error =>
        failure('disposed', new RegExp(`stream: ${method}\\(\\) after dispose\\(\\); make a new stream`));
      expect(() => of.push(inputs(1, 1)[0])).toThrow(after('push'));
      expect(() => of.reset()).toThrow(after('reset'));
      expect(() => of.reset(0)).toThrow(after('reset'));
      expect(() => of.states()).toThrow(after('states'));
      expect(() => of.fork()).toThrow(after('fork'));
      expect(() => of.restore(bytes)).toThrow(after('restore'));
      await expect(of.save()).rejects.toThrow(after('save'));
      of.dispose();
    };
    stream.dispose();
    await expectDisposed(stream);
    expect((await pushAll(fork, inputs(1, 1))).length).toBe(BATCH);
    net.dispose();
    await expectDisposed(fork);
  });

  describe('what waits for later steps', () => {
    const whole: Layer = {
      ...total((batch) => [batch]),
      name: 'Both',
      causal: false,
    };
    const refused = failure(
      'unsupported',
      /stream: Both is bidirectional: its output at a step depends on later steps; use run\(\)/,
    );

    test('does not stream, wherever it stands, and runs', async () => {
      const models = [
        whole,
        new Sequential([whole]),
        new Sequential([new Sequential([whole]), new Linear(1, 1)]),
      ];
      for (const model of models) {
        const net = await runtime.load(model);
        expect(() => net.stream()).toThrow(refused);
        expect(net.run([[[1], [2]]]).shape).toEqual([1, 2, 1]);
      }
    });

    test('makes a Sequential that does, and no other', () => {
      expect(new Sequential([new Linear(1, 1), whole]).causal).toBe(false);
      expect(new Sequential([new Embedding(3, 1), total((batch) => [batch])]).causal).toBe(true);
    });
  });
});
