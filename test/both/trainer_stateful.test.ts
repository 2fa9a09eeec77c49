// Truncated back-propagation through time: a stateful trainer against a loop that carries the states by hand.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { adam, crossEntropy, mse, Trainer } from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  createRuntime,
  Embedding,
  GRU,
  Linear,
  LSTM,
  parseSafetensors,
  Sequential,
  type HostData,
  type Layer,
  type Net,
  type Runtime,
  type Tensor,
} from '../../src/index.ts';
import { Random } from '../../src/core/random.ts';
import { failure } from '../failure.ts';
import { backend } from '../setup/backend.ts';
import { swapAxes } from '../swap_axes.ts';

const STEPS = 4;
const BATCH = 3;
const TOKENS = 6;

/** Consecutive pieces of one text, (STEPS, BATCH) tokens each. */
function pieces(count: number, batch = BATCH): { x: number[][]; y: number[][] }[] {
  const random = new Random(11, batch);
  const all = Array.from({ length: count * STEPS + 1 }, () =>
    Array.from({ length: batch }, () => random.integer(TOKENS)),
  );
  return Array.from({ length: count }, (_, i) => ({
    x: all.slice(i * STEPS, (i + 1) * STEPS),
    y: all.slice(i * STEPS + 1, (i + 1) * STEPS + 1),
  }));
}

const models = {
  LSTM: { batchFirst: false, recurrent: () => new LSTM({ inputSize: 3, hiddenSize: 5, numLayers: 2 }) },
  'GRU, batch first': {
    batchFirst: true,
    recurrent: () => new GRU({ inputSize: 3, hiddenSize: 5, numLayers: 2, batchFirst: true }),
  },
} as const;
type ModelName = keyof typeof models;

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  const character = (name: ModelName): Layer =>
    new Sequential([
      new Embedding({ numEmbeddings: TOKENS, embeddingDim: 3 }),
      models[name].recurrent(),
      new Linear({ inputSize: 5, outputSize: TOKENS }),
    ]);
  const options = () => ({ loss: crossEntropy, optimizer: adam({ lr: 0.05 }), clipNorm: 1 });
  const prepare = async (name: ModelName, stateful: boolean): Promise<{ net: Net; trainer: Trainer }> => {
    const net = await runtime.load(character(name), { seed: 4 });
    return { net, trainer: new Trainer(net, { ...options(), stateful }) };
  };
  const weightsOf = async (net: Net): Promise<number[]> => Array.from(await net.context.weights[0].read());
  const close = (numbers: readonly number[], digits = 4): number[] =>
    numbers.map((x) => expect.closeTo(x, digits) as number);

  /** The states after a run as host data, with some rows of the batch set to zero. */
  async function read(
    states: Record<string, Tensor>,
    cleared: readonly number[],
  ): Promise<Record<string, HostData>> {
    const entries = Object.entries(states).map(async ([name, tensor]): Promise<[string, HostData]> => {
      const [layers, batch, hidden] = tensor.shape;
      const flat = await tensor.read();
      const rows = Array.from({ length: layers }, (_, l) =>
        Array.from({ length: batch }, (__, b) =>
          Array.from({ length: hidden }, (___, h) =>
            cleared.includes(b) ? 0 : flat[(l * batch + b) * hidden + h],
          ),
        ),
      );
      return [name, rows];
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  /** Losses of steps that start from the states after the previous batch, computed before its update and without gradient. */
  async function byHand(
    { net, trainer }: { net: Net; trainer: Trainer },
    data: readonly { x: HostData; y: HostData }[],
    cleared: (step: number) => readonly number[] = () => [],
  ): Promise<number[]> {
    const losses: number[] = [];
    let states: Record<string, HostData> = {};
    for (const [i, { x, y }] of data.entries()) {
      const after = net.runWithStates(x, { states });
      losses.push(await trainer.step(x, y, { states }));
      states = await read(after.states, cleared(i + 1));
    }
    return losses;
  }

  test.each(Object.keys(models) as ModelName[])(
    '%s: losses equal those of a loop that carries the states',
    async (name) => {
      const arrange = models[name].batchFirst ? swapAxes : (rows: number[][]) => rows;
      const data = pieces(5).map(({ x, y }) => ({ x: arrange(x), y: arrange(y) }));
      const one = await prepare(name, true);
      const losses: number[] = [];
      for (const { x, y } of data) losses.push(await one.trainer.step(x, y));
      const other = await prepare(name, false);
      expect(losses).toEqual(close(await byHand(other, data)));
      expect(await weightsOf(one.net)).toEqual(close(await weightsOf(other.net), 3));
      // Other initial states give other losses.
      const without = await prepare(name, false);
      const differences: number[] = [];
      for (const [i, { x, y }] of data.entries())
        differences.push(Math.abs((await without.trainer.step(x, y)) - losses[i]));
      expect(differences[0]).toBe(0);
      expect(Math.max(...differences)).toBeGreaterThan(1e-3);
      for (const { net } of [one, other, without]) net.dispose();
    },
  );

  test('resetStates sets some rows or all to zero', async () => {
    const data = pieces(6);
    const one = await prepare('LSTM', true);
    const losses: number[] = [];
    const cleared: Record<number, number[]> = { 2: [1], 3: [0, 2], 5: [0, 1, 2] };
    for (const [i, { x, y }] of data.entries()) {
      if (i === 2) one.trainer.resetStates(1);
      if (i === 3) one.trainer.resetStates([2, 0]);
      if (i === 5) one.trainer.resetStates();
      losses.push(await one.trainer.step(x, y));
    }
    const other = await prepare('LSTM', false);
    expect(losses).toEqual(close(await byHand(other, data, (step) => cleared[step] ?? [])));
    const never = await prepare('LSTM', false);
    const carried = await byHand(never, data);
    expect(losses.slice(0, 2)).toEqual(close(carried.slice(0, 2)));
    for (const i of [2, 3, 5]) expect(Math.abs(losses[i] - carried[i])).toBeGreaterThan(1e-4);
    for (const { net } of [one, other, never]) net.dispose();
  });

  test('resetStates clears NaN', async () => {
    const { net } = await prepare('LSTM', true);
    const trainer = new Trainer(net, { ...options(), stateful: true, onNonFinite: 'apply' });
    const [{ x, y }] = pieces(1);
    const flat = await net.context.weights[0].read();
    runtime.backend.write(
      net.context.weights[0].buffer,
      new Float32Array(net.context.weights[0].shape[0]).fill(NaN),
    );
    expect(await trainer.step(x, y)).toBeNaN();
    const fresh = new Trainer(net, { ...options(), stateful: true });
    runtime.backend.write(net.context.weights[0].buffer, flat);
    const expected = await fresh.step(x, y);
    runtime.backend.write(net.context.weights[0].buffer, flat);
    trainer.resetStates();
    expect(await trainer.step(x, y)).toBe(expected);
    net.dispose();
  });

  test('states stay as they are where the loss is NaN', async () => {
    const [first, second] = pieces(2);
    const [one, other] = [await prepare('LSTM', true), await prepare('LSTM', true)];
    await one.trainer.step(first.x, first.y);
    await other.trainer.step(first.x, first.y);
    const flat = await one.net.context.weights[0].read();
    one.net.context.weights[0].write(new Float32Array(flat.length).fill(NaN));
    await expect(one.trainer.step(second.x, second.y)).rejects.toThrow(failure('not-finite'));
    one.net.context.weights[0].write(flat);
    expect(await one.trainer.step(second.x, second.y)).toBe(await other.trainer.step(second.x, second.y));
    for (const { net } of [one, other]) net.dispose();
  });

  test('steps may be queued, and plan takes no step', async () => {
    const data = pieces(4);
    const one = await prepare('LSTM', true);
    const queued = await Promise.all(data.map(({ x, y }) => one.trainer.step(x, y)));
    const other = await prepare('LSTM', true);
    const awaited: number[] = [];
    for (const { x, y } of data) {
      tools.explain(other.trainer, x, y);
      awaited.push(await other.trainer.step(x, y));
      tools.explain(other.trainer, x, y);
    }
    expect(queued).toEqual(awaited);
    one.net.dispose();
    other.net.dispose();
  });

  test('a batch of another size needs resetStates first', async () => {
    const { net, trainer } = await prepare('LSTM', true);
    const [{ x, y }] = pieces(1);
    const [wide] = pieces(1, 5);
    await trainer.step(x, y);
    const refusal = failure(
      'argument',
      /the batch has 5 sequences, but the states of the last step are those of 3; call resetStates\(\) first/,
    );
    expect(() => trainer.step(wide.x, wide.y)).toThrow(refusal);
    trainer.resetStates([0, 1]);
    expect(() => trainer.step(wide.x, wide.y)).toThrow(refusal);
    expect(trainer.steps).toBe(1);
    trainer.resetStates();
    const fresh = await prepare('LSTM', true);
    await fresh.trainer.step(x, y);
    fresh.trainer.resetStates();
    expect(await trainer.step(wide.x, wide.y)).toBe(await fresh.trainer.step(wide.x, wide.y));
    // The number of steps may change.
    expect(await trainer.step(wide.x.slice(1), wide.y.slice(1))).toBeGreaterThan(0);
    net.dispose();
    fresh.net.dispose();
  });

  test('rows outside the batch are refused', async () => {
    const { net, trainer } = await prepare('LSTM', true);
    expect(() => trainer.resetStates([0])).toThrow(failure('argument', /none before the first step, got 0/));
    const [{ x, y }] = pieces(1);
    await trainer.step(x, y);
    for (const row of [3, -1, 0.5, NaN])
      expect(() => trainer.resetStates([0, row])).toThrow(
        failure('argument', /resetStates: expected rows of the batch, 0 to 2, got/),
      );
    net.dispose();
  });

  describe('checkpoints', () => {
    test.each([
      ['after a step', undefined],
      ['with a row reset', [1]],
      ['with all reset', [0, 1, 2]],
    ])('%s continue bit for bit', async (_, rows) => {
      const data = pieces(6);
      const one = await prepare('LSTM', true);
      for (const { x, y } of data.slice(0, 3)) await one.trainer.step(x, y);
      if (rows !== undefined) one.trainer.resetStates(rows);
      const bytes = await one.trainer.save();
      const names = [...parseSafetensors(bytes).tensors.keys()].filter((name) => name.startsWith('state.'));
      expect(names).toEqual(rows?.length === 3 ? [] : ['state.1.h', 'state.1.c']);
      const other = await prepare('LSTM', true);
      await other.trainer.step(...(Object.values(pieces(1, 2)[0]) as [number[][], number[][]]));
      other.trainer.load(bytes);
      for (const { x, y } of data.slice(3))
        expect(await other.trainer.step(x, y)).toBe(await one.trainer.step(x, y));
      expect(await other.trainer.save()).toEqual(await one.trainer.save());
      // A net loads its weights from the checkpoint.
      using third = await runtime.load(character('LSTM'), { weights: bytes });
      expect(third.parameterCount).toBe(one.net.parameterCount);
      one.net.dispose();
      other.net.dispose();
    });

    test('with states of another model are refused and change nothing', async () => {
      const model = (hiddenSize: number): Layer => new GRU({ inputSize: 2, hiddenSize });
      const batch = [[[[1, 2]]], [[[1, 2, 3]]]] as const;
      using net = await runtime.load(model(3));
      const recipe = { loss: mse, optimizer: adam() };
      const trainer = new Trainer(net, { ...recipe, stateful: true });
      await trainer.step(...(batch as unknown as [number[][][], number[][][]]));
      const bytes = await trainer.save();
      const plain = new Trainer(net, recipe);
      const before = await plain.save();
      expect(() => plain.load(bytes)).toThrow(
        failure('file', /holds states of the model, .*make the trainer with stateful: true/),
      );
      expect(await plain.save()).toEqual(before);
      const damaged = bytes.slice();
      // Another name of the state in the header, of the same length.
      const at = new TextDecoder('latin1').decode(bytes).indexOf('state.h');
      damaged.set(new TextEncoder().encode('state.x'), at);
      expect(() => trainer.load(damaged)).toThrow(
        failure('file', /the model has no state "state\.x"; expected "state\.h"/),
      );
      expect(await trainer.save()).toEqual(bytes);
    });
  });
});
