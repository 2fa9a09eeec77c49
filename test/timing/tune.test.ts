// Tuning chooses and stores a variant for each kind of step and changes no result. No test depends on which is fastest.
import { expect, test } from 'vitest';

import { adam, mse, Trainer } from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  createRuntime,
  Linear,
  LSTM,
  matmul,
  Sequential,
  tanh,
  type GatewiseError,
  type Runtime,
  type Tensor,
  type TuningStore,
  type Value,
} from '../../src/index.ts';

const storeOf = (text?: string): TuningStore & { text: string | undefined } => ({
  text,
  getItem() {
    return this.text ?? null;
  },
  setItem(_, written) {
    this.text = written;
  },
});
const failsWith = (code: string): GatewiseError => expect.objectContaining({ code }) as GatewiseError;
const wave = (...shape: number[]): { data: Float32Array; shape: number[] } => ({
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)),
  shape,
});
const a = wave(5, 300);
const b = wave(300, 40);
const product = (x: Value, y: Value): Value => tanh(matmul(x, y));
const KIND = 'matmul:8x512x64:kn';

type Operands = [Tensor, Tensor];
const operands = (runtime: Runtime): Operands =>
  [a, b].map(({ data, shape }) => runtime.tensor(data, { shape })) as Operands;

async function runOf(runtime: Runtime): Promise<ArrayLike<number>> {
  return await runtime
    .compile(product)(...operands(runtime))
    .read();
}

const shownBy = (runtime: Runtime): string | undefined =>
  variantIn(tools.explain(runtime.compile(product), ...operands(runtime)));

/** The variant that `explain` shows. */
function variantIn(text: string): string | undefined {
  return / {2}(registers|subgroup|tiled|skinny|split_k) {2}/.exec(text)?.[1];
}

test('a variant is measured, used and stored, and the next runtime uses it at once', async () => {
  const store = storeOf();
  using runtime = await createRuntime({ backend: 'webgpu', tuning: { store } });
  const compiled = runtime.compile(product);
  const args = operands(runtime);
  const before = await compiled(...args).read();
  const [found, ...more] = await tools.tune(compiled, ...args);
  expect(more).toEqual([]);
  expect(found.kind).toBe(KIND);
  expect(Object.keys(found.seconds).length).toBeGreaterThan(1);
  expect(Object.keys(found.seconds)).toContain(found.variant);
  for (const seconds of Object.values(found.seconds)) expect(seconds).toBeGreaterThan(0);

  expect(runtime.tuning).toEqual({ [runtime.backend.description]: { [KIND]: found.variant } });
  expect(JSON.parse(store.text ?? '')).toEqual(runtime.tuning);
  expect(variantIn(tools.explain(compiled, ...args))).toBe(found.variant);
  const after = await compiled(...args).read();
  before.forEach((x, i) => expect(after[i]).toBeCloseTo(x, 5));
  expect(await tools.tune(compiled, ...args)).toEqual([]);

  using next = await createRuntime({ backend: 'webgpu', tuning: { store } });
  expect(next.tuning).toEqual(runtime.tuning);
  expect(await runOf(next)).toEqual(after);
});

test('the variant in a store is used, also where it is not the default', async () => {
  using probe = await createRuntime({ backend: 'webgpu', tuning: false });
  const adapter = probe.backend.description;
  const expected = await runOf(probe);
  const cases = ['registers', 'skinny', 'split_k'].map((variant) => [variant, variant] as const);
  for (const [variant, shown] of [...cases, ['no such variant', shownBy(probe)] as const]) {
    const store = storeOf(JSON.stringify({ [adapter]: { [KIND]: variant } }));
    using runtime = await createRuntime({ backend: 'webgpu', tuning: { store } });
    expect(shownBy(runtime)).toBe(shown);
    const got = await runOf(runtime);
    Array.from(expected).forEach((x, i) => expect(got[i]).toBeCloseTo(x, 5));
  }
});

test('tuning a net, a stream and a trainer does not change their weights and states', async () => {
  using runtime = await createRuntime({ backend: 'webgpu', tuning: { store: storeOf() } });
  const model = new Sequential([
    new LSTM({ inputSize: 5, hiddenSize: 8 }),
    new Linear({ inputSize: 8, outputSize: 3 }),
  ]);
  const [x, y] = [wave(4, 2, 5), wave(4, 2, 3)];
  const [input, target] = [x, y].map(({ data, shape }) => runtime.tensor(data, { shape }));
  using net = await runtime.load(model);
  using twin = await runtime.load(model);
  const stream = net.stream({ batch: 2 });
  const other = twin.stream({ batch: 2 });
  const step = wave(2, 5);
  const pushed = runtime.tensor(step.data, { shape: step.shape });
  stream.push(pushed);
  other.push(pushed);
  const trainer = new Trainer(net, { loss: mse, optimizer: adam({ lr: 0.01 }) });
  const plain = new Trainer(twin, { loss: mse, optimizer: adam({ lr: 0.01 }) });
  await trainer.step(input, target);
  await plain.step(input, target);

  const found = [
    ...(await tools.tune(net, input)),
    ...(await tools.tune(stream, pushed)),
    ...(await tools.tune(trainer, input, target)),
  ];
  expect(new Set(found.map(({ kind }) => kind)).size).toBe(found.length);
  expect(found.some(({ kind }) => kind.startsWith('recurrent:'))).toBe(true);

  const close = async (one: Promise<ArrayLike<number>>, two: Promise<ArrayLike<number>>): Promise<void> => {
    const [got, expected] = [Array.from(await one), Array.from(await two)];
    got.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4));
  };
  expect(await trainer.step(input, target)).toBeCloseTo(await plain.step(input, target), 4);
  await close(net.context.weights[0].read(), twin.context.weights[0].read());
  await close(net.run(input).read(), twin.run(input).read());
  await close(stream.push(pushed).read(), other.push(pushed).read());
});

test('a runtime without tuning refuses tune', async () => {
  using off = await createRuntime({ backend: 'webgpu', tuning: false });
  await expect(tools.tune(off.compile(product), ...operands(off))).rejects.toEqual(failsWith('unsupported'));
  expect(off.tuning).toEqual({});
  using checked = await createRuntime({ backend: 'webgpu', check: true });
  await expect(tools.tune(checked.compile(product), ...operands(checked))).rejects.toEqual(
    failsWith('unsupported'),
  );
});

test('dispose during tuning rejects it', async () => {
  using runtime = await createRuntime({ backend: 'webgpu', tuning: { store: storeOf() } });
  const compiled = runtime.compile(product);
  const started = tools.tune(compiled, ...operands(runtime));
  compiled.dispose();
  await expect(started).rejects.toEqual(failsWith('disposed'));
});
