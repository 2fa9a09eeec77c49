// Calibrations and profiles are complete and have no side effects. No test depends on how fast anything is.
import { afterAll, beforeAll, expect, test } from 'vitest';

import { adam, mse, Trainer } from '../../src/train/index.ts';
import { printProfile, type Profile } from '../../src/tools/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  createRuntime,
  Dropout,
  Linear,
  LSTM,
  Sequential,
  tanh,
  type Calibration,
  type GatewiseError,
  type Runtime,
  type Value,
} from '../../src/index.ts';

let runtime: Runtime;
let calibration: Calibration;
beforeAll(async () => {
  runtime = await createRuntime({ backend: 'webgpu' });
  calibration = await runtime.calibrate();
});
afterAll(() => runtime.dispose());

const failsWith = (code: string): GatewiseError => expect.objectContaining({ code }) as GatewiseError;
const numbers = (...shape: number[]): { data: Float32Array; shape: number[] } => ({
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)),
  shape,
});
const steps = numbers(7, 3, 5);
const targets = numbers(7, 3, 2);
const model = (): Sequential =>
  new Sequential([
    new LSTM({ inputSize: 5, hiddenSize: 6 }),
    new Dropout({ p: 0.3 }),
    new Linear({ inputSize: 6, outputSize: 2 }),
  ]);

function expectWhole({ method, ...found }: Calibration): void {
  expect(['timestamps', 'slopes']).toContain(method);
  const { device, bandwidth, oneWorkgroupBandwidth, ...rest } = found;
  expect(device).toMatch(/^WebGPU/);
  for (const list of [bandwidth, oneWorkgroupBandwidth]) {
    const sizes = list.map(({ bytes }) => bytes);
    expect(sizes[0]).toBe(2 ** 16);
    expect(sizes).toEqual([...new Set(sizes)].toSorted((a, b) => a - b));
  }
  expect(oneWorkgroupBandwidth.at(-1)?.bytes).toBeLessThanOrEqual(2 ** 22);
  const rates = [...bandwidth, ...oneWorkgroupBandwidth].map(({ bytesPerSecond }) => bytesPerSecond);
  for (const value of [...rates, ...Object.values(rest)]) {
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThan(Infinity);
  }
}

function expectSound(profile: Profile, method: Profile['method']): void {
  expect(profile.method).toBe(method);
  expect(profile.steps.length).toBeGreaterThan(0);
  for (const { seconds, floorSeconds = NaN, rho = NaN, bound } of profile.steps) {
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(Infinity);
    expect(floorSeconds).toBeGreaterThan(0);
    expect(rho).toBe(floorSeconds / seconds);
    expect(['dispatch', 'compute', 'bandwidth']).toContain(bound);
  }
  const sum = profile.steps.reduce((total, { seconds, memoised }) => total + (memoised ? 0 : seconds), 0);
  expect(profile.seconds).toBeCloseTo(sum, 12);
}

test('a calibration is complete, plain data, and made once', async () => {
  expectWhole(calibration);
  expect(JSON.parse(JSON.stringify(calibration))).toEqual(calibration);
  expect(await Promise.all([runtime.calibrate(), runtime.calibrate()])).toEqual([calibration, calibration]);
  expect(await runtime.calibrate()).toBe(calibration);
  // On a busy machine it may use another clock than the first.
  const again = await runtime.calibrate({ again: true });
  expect(again).not.toBe(calibration);
  expect(await runtime.calibrate()).toBe(again);
  calibration = again;
  expectWhole(calibration);
});

test("a net's profile has the steps of its plan", async () => {
  const net = await runtime.load(model());
  const x = runtime.tensor(steps.data, { shape: steps.shape });
  const profile = await tools.profile(net, x);
  expectSound(profile, calibration.method);
  expect(profile.device).toBe(runtime.backend.description);
  const expected = tools.plan(net, x).steps.map((step) => {
    const { flop, bytes } = step.cost;
    return { label: step.label, op: step.op.name, flop, bytes };
  });
  expect(profile.steps).toMatchObject(expected);
  // The printed plan shows the same steps.
  const printed = tools
    .explain(net, x)
    .split('\n')
    .slice(1, 1 + expected.length);
  profile.steps.forEach(({ dispatches }, i) => expect(printed[i]).toMatch(new RegExp(` ${dispatches}  `)));
  expect(profile.steps.some(({ memoised }) => memoised)).toBe(true);
  expect(printProfile(profile).split('\n')).toHaveLength(profile.steps.length + 4);
});

test('a compiled function has a profile', async () => {
  const compiled = runtime.compile((x: Value) => tanh(x));
  const profile = await tools.profile(compiled, [1, 2, 3]);
  expectSound(profile, calibration.method);
  expect(profile.steps.map(({ op }) => op)).toEqual(['elementwise']);
});

test('a profile of a stream does not change its states', async () => {
  const net = await runtime.load(model());
  const [profiled, plain] = [net.stream(), net.stream()];
  const step = [1, 2, 3, 4, 5];
  for (const stream of [profiled, plain]) stream.push(step);
  const profile = await tools.profile(profiled, step);
  expectSound(profile, calibration.method);
  // First the product that is prefetched.
  expect(profile.steps.map(({ label }) => label)).toEqual([
    'matmul',
    ...tools.plan(plain, step).steps.map(({ label }) => label),
  ]);
  expect(await profiled.push(step).read()).toEqual(await plain.push(step).read());
});

/** Losses of four steps and the checkpoint after them. @param between Runs before the third step. */
async function train(on: Runtime, between: (trainer: Trainer) => Promise<void>): Promise<unknown> {
  const net = await on.load(model(), { seed: 3 });
  const trainer = new Trainer(net, { loss: mse, optimizer: adam(), clipNorm: 1, seed: 5, stateful: true });
  const [x, y] = [steps, targets].map(({ data, shape }) => on.tensor(data, { shape }));
  const losses: number[] = [];
  for (let step = 0; step < 4; step++) {
    if (step === 2) await between(trainer);
    losses.push(await trainer.step(x, y));
  }
  return { losses, file: [...(await trainer.save())] };
}

test('a profile of a trainer does not change it', async () => {
  const plain = await train(runtime, async () => undefined);
  const profiled = await train(runtime, async (trainer) => {
    const before = trainer.steps;
    const [x, y] = [steps, targets].map(({ data, shape }) => runtime.tensor(data, { shape }));
    const profile = await tools.profile(trainer, x, y);
    expectSound(profile, calibration.method);
    expect(profile.steps.map(({ op }) => op)).toContain('recurrent_backward');
    expect(trainer.steps).toBe(before);
  });
  expect(profiled).toEqual(plain);
});

test('dispose during a profile rejects it, and the runtime stays usable', async () => {
  const net = await runtime.load(model());
  const x = runtime.tensor(steps.data, { shape: steps.shape });
  const profile = tools.profile(net, x);
  net.dispose();
  await expect(profile).rejects.toThrow(failsWith('disposed'));
  expect(await (await runtime.load(model())).run(x).read()).toHaveLength(7 * 3 * 2);
});

test('concurrent profiles work, also of tensors that are disposed meanwhile, and leave no buffers behind', async () => {
  const compiled = runtime.compile((x: Value) => tanh(x));
  const profileTwo = async (): Promise<void> => {
    const x = runtime.tensor([1, 2, 3]);
    const both = [tools.profile(compiled, x), tools.profile(compiled, x)];
    x.dispose();
    for (const profile of await Promise.all(both)) expectSound(profile, calibration.method);
  };
  await profileTwo();
  const { backend } = runtime;
  const create = backend.createBuffer.bind(backend);
  let live = 0;
  backend.createBuffer = (size, dtype) => {
    const buffer = create(size, dtype);
    const destroy = buffer.destroy.bind(buffer);
    live++;
    buffer.destroy = () => {
      live--;
      destroy();
    };
    return buffer;
  };
  await profileTwo();
  backend.createBuffer = create;
  expect(live).toBe(0);
});

test.each([
  ['without timestamps', false],
  ['whose timestamps stand still', true],
])('an application with a device %s is timed by slopes', async (_, asked) => {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('there is no adapter');
  const feature = 'timestamp-query';
  const device = await adapter.requestDevice({
    requiredFeatures: asked && adapter.features.has(feature) ? [feature] : [],
  });
  const createCommandEncoder = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = createCommandEncoder(descriptor);
    encoder.resolveQuerySet = () => undefined;
    return encoder;
  };
  using borrowed = await createRuntime({ device });
  const found = await borrowed.calibrate();
  expectWhole(found);
  expect(found.method).toBe('slopes');
  const net = await borrowed.load(model());
  expectSound(await tools.profile(net, borrowed.tensor(steps.data, { shape: steps.shape })), 'slopes');
  borrowed.dispose();
  device.destroy();
});

test('check mode refuses a profile', async () => {
  using checked = await createRuntime({ backend: 'webgpu', check: true });
  const net = await checked.load(model());
  const x = checked.tensor(steps.data, { shape: steps.shape });
  await expect(tools.profile(net, x)).rejects.toThrow(failsWith('unsupported'));
  expect(await net.run(x).read()).toHaveLength(7 * 3 * 2);
});

test('a profile on the CPU uses the clock and has no floor; the CPU cannot be calibrated', async () => {
  using cpu = await createRuntime({ backend: 'cpu' });
  const plain = await train(cpu, async () => undefined);
  const profiled = await train(cpu, async (trainer) => {
    const [x, y] = [steps, targets].map(({ data, shape }) => cpu.tensor(data, { shape }));
    const profile = await tools.profile(trainer, x, y);
    expect(profile).toMatchObject({ method: 'clock', device: cpu.backend.description });
    for (const step of profile.steps) {
      expect(step.seconds).toBeGreaterThan(0);
      expect(step.rho).toBeUndefined();
    }
  });
  expect(profiled).toEqual(plain);
  await expect(cpu.calibrate()).rejects.toThrow(failsWith('unsupported'));
});
