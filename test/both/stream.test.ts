// Streams on both backends: rows that are reset, states that are copied, saved and restored, and models that cannot stream.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import {
  add,
  createRuntime,
  Embedding,
  GRU,
  Linear,
  LSTM,
  LSTMCell,
  parseSafetensors,
  reshape,
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
import { BATCH, drawSteps, HIDDEN, INPUTS, pushAll, readStates, streamModels } from '../stream_models.ts';

/** A running sum of each row. Its state has one number per row, in any shape. */
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

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  describe.each(Object.keys(streamModels) as (keyof typeof streamModels)[])('%s', (name) => {
    const [before, after] = [drawSteps(1, 3), drawSteps(2, 2)];
    let net: Net;
    beforeAll(async () => {
      net = await runtime.load(streamModels[name](), { seed: 3 });
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
    ])('reset(%j) resets those rows and leaves the others unchanged', async (rows, fresh) => {
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

    test('a row with NaN states is as new after its reset', async () => {
      const tested = stream();
      const poisoned = before[2].map((row, i) => (i === 1 ? row.map(() => NaN) : row));
      const [, bad] = await pushAll(tested, [before[0], before[1], poisoned]);
      expect(bad.every(Number.isNaN)).toBe(true);
      tested.reset(1);
      const got = await pushAll(tested, after);
      expect(got[1]).toEqual((await pushAll(stream(), after))[1]);
      expect(got[0]).toEqual((await pushAll(stream(), [...before, ...after]))[0]);
    });

    test('reset refuses a row that is not in the batch and changes nothing', async () => {
      const tested = stream();
      await pushAll(tested, before);
      for (const row of [-1, BATCH, 0.5, NaN])
        for (const rows of [row, [0, row]])
          expect(() => tested.reset(rows)).toThrow(
            failure('argument', /reset: expected rows of the batch, 0 to 2, got (-1|3|0\.5|NaN)/),
          );
      expect(await pushAll(tested, after)).toEqual(await pushAll(stream(), [...before, ...after]));
    });

    test('a stream restored in another net of the same weights gives the same bits', async () => {
      const first = stream();
      await pushAll(first, before);
      const saving = first.save({ note: 'any text' });
      // The file has the states of the time of the call.
      const expected = await pushAll(first, after);
      const bytes = await saving;
      const other = await runtime.load(streamModels[name](), { weights: await net.save() });
      const second = other.stream({ batch: BATCH });
      await pushAll(second, drawSteps(9, 1));
      const metadata = second.load(bytes);
      expect(metadata).toEqual({
        note: 'any text',
        format: 'pt',
        model: net.model.name,
        batch: String(BATCH),
      });
      expect(await second.save({ note: 'any text' })).toEqual(bytes);
      expect(await pushAll(second, after)).toEqual(expected);
      const { tensors } = parseSafetensors(bytes);
      expect([...tensors].map(([key, { shape, dtype }]) => [key, shape, dtype])).toEqual(
        net.model.states.map((state) => [state.name, state.shape(BATCH), 'f32']),
      );
    });

    test('a fork starts from the same states and is independent', async () => {
      const first = stream();
      await pushAll(first, before);
      using second = first.fork();
      expect(second.batch).toBe(BATCH);
      const expected = await pushAll(stream(), [...before, ...after]);
      const elsewhere = drawSteps(4, 2);
      const [one, two] = [await pushAll(first, elsewhere), await pushAll(second, after)];
      expect(two).toEqual(expected);
      expect(one).toEqual(await pushAll(stream(), [...before, ...elsewhere]));
      first.reset();
      first.dispose();
      const further = drawSteps(5, 1);
      expect(await pushAll(second, further)).toEqual(
        await pushAll(stream(), [...before, ...after, ...further]),
      );
    });

    test('states() returns copies, which run accepts', async () => {
      const tested = stream();
      await pushAll(tested, before);
      const copies = tested.states();
      expect(Object.entries(copies).map(([key, { shape }]) => [key, shape])).toEqual(
        net.model.states.map((state) => [state.name, state.shape(BATCH)]),
      );
      const copied = await readStates(tested);
      const pushed = await pushAll(tested, [after[0]]);
      expect(await readStates(tested)).not.toEqual(copied);
      for (const [key, copy] of Object.entries(copies)) expect([...(await copy.read())]).toEqual(copied[key]);
      const { timeAxis } = net.model;
      const rows = timeAxis === 1 ? after[0].map((row) => [row]) : [after[0]];
      const x = timeAxis === undefined ? after[0] : rows;
      const { output, states } = net.runWithStates(x, { states: copies });
      // A push may sum in another order.
      const close = (numbers: Iterable<number>): unknown[] =>
        Array.from(numbers, (x) => expect.closeTo(x, 6));
      expect([...(await output.read())]).toEqual(close(pushed.flat()));
      // The stream does not need the copies.
      for (const copy of Object.values(copies)) copy.dispose();
      const next = await readStates(tested);
      for (const [key, state] of Object.entries(states))
        expect([...(await state.read())]).toEqual(close(next[key]));
    });
  });

  test('a stream of a cell gives the outputs of its layer', async () => {
    const sizes = { inputSize: INPUTS, hiddenSize: HIDDEN };
    using layer = await runtime.load(new LSTM(sizes), { seed: 5 });
    using cell = await runtime.load(new LSTMCell(sizes), { seed: 5 });
    const steps = drawSteps(6, 3);
    const [got, expected] = [cell, layer].map((net) => pushAll(net.stream({ batch: BATCH }), steps));
    expect(await got).toEqual(await expected);
    // Also for an input without a batch.
    const one = cell.stream();
    expect((await pushAll(one, [steps[0].slice(0, 1)]))[0]).toEqual(
      Array.from(await cell.stream().push(steps[0][0]).read()),
    );
  });

  test('reset, fork and states read nothing back and create no buffers', async () => {
    const net = await runtime.load(streamModels.LSTM());
    const stream = net.stream({ batch: BATCH });
    const round = (): void => {
      stream.push(drawSteps(1, 1)[0]).dispose();
      stream.reset(1);
      stream.fork().dispose();
      for (const state of Object.values(stream.states())) state.dispose();
    };
    round();
    const [read, create] = [vi.spyOn(runtime.backend, 'read'), vi.spyOn(runtime.backend, 'createBuffer')];
    round();
    // The CPU leaves memory to the garbage collector.
    const created = backend === 'cpu' ? [] : create.mock.calls;
    expect([read.mock.calls.length, created.length]).toEqual([0, 0]);
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

  test("reset of a row refuses a state without an axis of the batch's size", async () => {
    // The state has size 2 for every batch.
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

  describe('load refuses', () => {
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
        /load: the file is of a stream of GRU; expected one of LSTM/,
      ],
      [
        'another batch',
        lstm(),
        () => fileOf(lstm(), 2),
        /load: the file is of a stream of batch 2; expected 3/,
      ],
      [
        'another size',
        lstm(),
        () => fileOf(lstm(HIDDEN + 1)),
        /load: "h" must have shape \[1, 3, 5\], got \[1, 3, 6\]; was the file saved from another model\?/,
      ],
      [
        'an extra state',
        sequence(new GRU({ inputSize: INPUTS, hiddenSize: HIDDEN })),
        () => fileOf(sequence(lstm())),
        /load: the model has no state "0\.c"; expected "0\.h"/,
      ],
      [
        'a missing state',
        sequence(lstm()),
        () => fileOf(sequence(new GRU({ inputSize: INPUTS, hiddenSize: HIDDEN }))),
        /load: no tensor "0\.c"; the file has "0\.h"; expected f32 \[/,
      ],
      [
        "a net's weights",
        lstm(),
        async () => (await runtime.load(lstm())).save(),
        /load: expected what stream\.save\(\) wrote, .*, got \["format"\]/,
      ],
      [
        'i32 states',
        lstm(),
        async () => written('i32', { model: 'LSTM', batch: '3' }),
        /load: "h" must be f32, f64, f16 or bf16 \[1, 3, 5\], got i32/,
      ],
      [
        'a truncated file',
        lstm(),
        async () => (await fileOf(lstm())).subarray(0, -4),
        /safetensors: .*truncated/,
      ],
    ])('%s, and leaves the states unchanged', async (_, model, file, message) => {
      const stream = (await runtime.load(model)).stream({ batch: BATCH });
      stream.push(drawSteps(1, 1)[0]);
      const before = await readStates(stream);
      const bytes = await file();
      expect(() => stream.load(bytes)).toThrow(failure('file', message));
      expect(await readStates(stream)).toEqual(before);
    });

    test('no file that fits', async () => {
      const stream = (await runtime.load(lstm())).stream({ batch: BATCH });
      stream.push(drawSteps(1, 1)[0]);
      stream.load(written('f32', { model: 'LSTM', batch: '3' }));
      for (const state of Object.values(await readStates(stream)))
        expect(new Set(state)).toEqual(new Set([0]));
    });
  });

  test('after dispose only dispose is allowed; disposing of the net disposes of its forks', async () => {
    const net = await runtime.load(streamModels.LSTM());
    const stream = net.stream({ batch: BATCH });
    const bytes = await stream.save();
    const fork = stream.fork();
    const expectDisposed = async (of: Stream): Promise<void> => {
      const after = (method: string): Error =>
        failure('disposed', new RegExp(`stream: ${method}\\(\\) after dispose\\(\\); make a new stream`));
      expect(() => of.push(drawSteps(1, 1)[0])).toThrow(after('push'));
      expect(() => of.reset()).toThrow(after('reset'));
      expect(() => of.reset(0)).toThrow(after('reset'));
      expect(() => of.states()).toThrow(after('states'));
      expect(() => of.fork()).toThrow(after('fork'));
      expect(() => of.load(bytes)).toThrow(after('load'));
      await expect(of.save()).rejects.toThrow(after('save'));
      of.dispose();
    };
    stream.dispose();
    await expectDisposed(stream);
    expect((await pushAll(fork, drawSteps(1, 1))).length).toBe(BATCH);
    net.dispose();
    await expectDisposed(fork);
  });

  describe('a layer that reads later steps', () => {
    const whole: Layer = {
      ...total((batch) => [batch]),
      name: 'Both',
      causal: false,
    };
    const refused = failure(
      'unsupported',
      /stream: Both is bidirectional: its output at a step depends on later steps; use run\(\)/,
    );

    test('cannot stream, at any depth, but can run', async () => {
      const models = [
        whole,
        new Sequential([whole]),
        new Sequential([new Sequential([whole]), new Linear({ inputSize: 1, outputSize: 1 })]),
      ];
      for (const model of models) {
        const net = await runtime.load(model);
        expect(() => net.stream()).toThrow(refused);
        expect(net.run([[[1], [2]]]).shape).toEqual([1, 2, 1]);
      }
    });

    test('makes its Sequential non-causal', () => {
      expect(new Sequential([new Linear({ inputSize: 1, outputSize: 1 }), whole]).causal).toBe(false);
      expect(
        new Sequential([new Embedding({ numEmbeddings: 3, embeddingDim: 1 }), total((batch) => [batch])])
          .causal,
      ).toBe(true);
    });
  });
});
