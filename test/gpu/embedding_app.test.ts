// gatewise inside an application: buffers of the application as inputs and outputs, and runs recorded into its commands.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  add,
  createRuntime,
  GRU,
  LSTM,
  Linear,
  mul,
  Random,
  Sequential,
  sum,
  type Runtime,
  type Tensor,
  type Value,
} from '../../src/index.ts';
import { failure } from '../failure.ts';

const STORAGE = 0x80;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;

/** x ← 2·x + 1 over a buffer: a pass of the application. */
const SCALE = `
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(64) fn scale(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&x)) { x[id.x] = 2.0 * x[id.x] + 1.0; }
}`;

let device: GPUDevice;
let runtime: Runtime;
let created: string[];

beforeAll(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('expected an adapter, got none');
  device = await adapter.requestDevice();
  runtime = await createRuntime({ device });
  for (const method of [
    'createBuffer',
    'createBindGroup',
    'createBindGroupLayout',
    'createPipelineLayout',
    'createComputePipeline',
    'createShaderModule',
    'createQuerySet',
  ] as const) {
    const original = device[method].bind(device) as (descriptor: never) => unknown;
    Object.defineProperty(device, method, {
      value: (descriptor: never) => {
        created.push(method);
        return original(descriptor);
      },
    });
  }
  created = [];
});
afterAll(() => {
  runtime.dispose();
  device.destroy();
});

function numbers(size: number, seed = 1): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: size }, () => random.uniform(-1, 1));
}

function bufferOf(data: Float32Array, offset = 0, usage = STORAGE | COPY_SRC | COPY_DST): GPUBuffer {
  const size = offset + Math.ceil(data.byteLength / 16) * 16;
  const buffer = device.createBuffer({ size, usage: usage | COPY_DST });
  device.queue.writeBuffer(buffer, offset, data as Float32Array<ArrayBuffer>);
  return buffer;
}

/** Runs commands, with one submit, and throws where WebGPU finds them invalid. */
async function submit(record: (encoder: GPUCommandEncoder) => void): Promise<void> {
  device.pushErrorScope('validation');
  const encoder = device.createCommandEncoder();
  record(encoder);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  expect(error?.message).toBeUndefined();
}

describe('tensorFrom', () => {
  test('reads and writes a part of a buffer, which outlives the tensor', async () => {
    const data = numbers(7);
    const buffer = bufferOf(data, 512);
    const tensor = runtime.tensorFrom(buffer, { shape: [7], offset: 512 });
    expect(tensor.gpuBuffer).toBe(buffer);
    expect(await tensor.read()).toEqual(data);
    tensor.write(data.map((x) => -x));
    expect(await tensor.read()).toEqual(data.map((x) => -x));
    const double = runtime.compile((x: Value) => mul(x, 2));
    expect(await double(tensor).read()).toEqual(data.map((x) => -2 * x));
    tensor.dispose();
    const again = runtime.tensorFrom(buffer, { shape: [7], offset: 512 });
    expect(await again.read()).toEqual(data.map((x) => -x));
    buffer.destroy();
  });

  test('refuses what kernels cannot bind, and says what they can', () => {
    const buffer = bufferOf(new Float32Array(64));
    const from = (options: { shape: number[]; offset?: number }, of: GPUBuffer = buffer) => {
      return () => runtime.tensorFrom(of, options);
    };
    expect(from({ shape: [65] })).toThrow(
      failure('argument', /65 elements need 272 bytes .* the buffer has 256/),
    );
    expect(from({ shape: [4], offset: 16 })).toThrow(failure('argument', /a multiple of 256, got 16/));
    expect(from({ shape: [1], offset: 256 })).toThrow(failure('argument', /need 16 bytes .* from byte 256/));
    expect(from({ shape: [0] })).toThrow(failure('shape', /at least 1/));
    const vertices = bufferOf(new Float32Array(4), 0, 0x20);
    expect(from({ shape: [4] }, vertices)).toThrow(
      failure('argument', /expected a buffer with GPUBufferUsage\.STORAGE/),
    );
  });

  test('read and write need the usages of copies', async () => {
    const buffer = device.createBuffer({ size: 16, usage: STORAGE });
    const tensor = runtime.tensorFrom(buffer, { shape: [4] });
    await expect(tensor.read()).rejects.toThrow(failure('unsupported', /no GPUBufferUsage\.COPY_SRC/));
    expect(() => tensor.write([1, 2, 3, 4])).toThrow(failure('unsupported', /no GPUBufferUsage\.COPY_DST/));
  });

  test('the CPU has neither', async () => {
    using cpu = await createRuntime({ backend: 'cpu' });
    expect(() => cpu.tensorFrom(bufferOf(new Float32Array(4)), { shape: [4] })).toThrow(
      failure('unsupported'),
    );
    expect(() => cpu.tensor([1]).gpuBuffer).toThrow(failure('unsupported', /no GPUBuffer on CPU/));
    const double = cpu.compile((x: Value) => mul(x, 2));
    const [x, y] = [cpu.tensor([1]), cpu.tensor([0])];
    expect(() => double.encode({} as GPUCommandEncoder, [x], y)).toThrow(failure('unsupported', /on CPU/));
  });

  test('markWritten: memoised steps run again after commands of the application have written the weights', async () => {
    const net = await runtime.load(new LSTM({ inputSize: 3, hiddenSize: 4 }), { precision: 'f16' });
    const x = runtime.tensor(numbers(6), { shape: [2, 1, 3] });
    const before = await net.run(x).read();
    const weights = await net.context.weights[0].read();
    const halved = Float32Array.from(weights, (weight) => weight / 2);
    device.queue.writeBuffer(net.context.weights[0].gpuBuffer, 0, halved);
    net.context.weights[0].markWritten();
    const after = await net.run(x).read();
    net.context.weights[0].write(halved);
    expect(after).toEqual(await net.run(x).read());
    expect(after).not.toEqual(before);
  });
});

describe('encode', () => {
  /** A frame: a pass of the application writes the input, gatewise runs, a pass of the application changes the output. */
  function frame(encoder: GPUCommandEncoder, input: GPUBuffer, run: () => void, output: GPUBuffer): void {
    scale(encoder, input);
    run();
    scale(encoder, output);
  }

  let pipeline: GPUComputePipeline | undefined;
  const groups = new Map<GPUBuffer, GPUBindGroup>();
  function scale(encoder: GPUCommandEncoder, buffer: GPUBuffer): void {
    pipeline ??= device.createComputePipeline({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: SCALE }) },
    });
    const layout = pipeline.getBindGroupLayout(0);
    const group =
      groups.get(buffer) ??
      device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] });
    groups.set(buffer, group);
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(buffer.size / 4 / 64));
    pass.end();
  }
  const scaled = (data: ArrayLike<number>): Float32Array => Float32Array.from(data, (x) => 2 * x + 1);

  test('a net between passes of the application: one submit, the bits of run, and nothing allocated after the first frame', async () => {
    const net = await runtime.load(
      new Sequential([new GRU({ inputSize: 4, hiddenSize: 8 }), new Linear({ inputSize: 8, outputSize: 4 })]),
    );
    const data = numbers(5 * 2 * 4);
    const [input, output] = [bufferOf(data), bufferOf(new Float32Array(40))];
    const x = runtime.tensorFrom(input, { shape: [5, 2, 4] });
    const y = runtime.tensorFrom(output, { shape: [5, 2, 4] });
    let expected = scaled(data);
    const allocated: string[][] = [];
    for (let n = 0; n < 3; n++) {
      created = [];
      await submit((encoder) => frame(encoder, input, () => net.encode(encoder, x, y), output));
      allocated.push([...created]);
      const reference = await net.run(runtime.tensor(expected, { shape: [5, 2, 4] })).read();
      expect(await y.read()).toEqual(scaled(reference));
      expected = scaled(expected);
    }
    expect(allocated.slice(1)).toEqual([[], []]);
  });

  test('a pass of the application takes it too, and goes on', async () => {
    const steps = runtime.compile((x: Value, more: { readonly b: Value }) => ({
      total: sum(x),
      sums: [add(x, more.b)],
    }));
    const [x, b] = [runtime.tensor([1, 2, 3]), runtime.tensor([10, 20, 30])];
    const outputs = { total: runtime.tensor(0), sums: [runtime.tensor([0, 0, 0])] };
    await submit((encoder) => {
      const pass = encoder.beginComputePass();
      steps.encode(pass, [x, { b }], outputs);
      steps.encode(pass, [outputs.sums[0], { b }], { total: outputs.total, sums: [x] });
      pass.end();
    });
    expect([...(await outputs.sums[0].read())]).toEqual([11, 22, 33]);
    expect([...(await x.read())]).toEqual([21, 42, 63]);
    expect(await outputs.total.item()).toBe(66);
  });

  test('a stream: its pushes, in buffers of the application', async () => {
    const net = await runtime.load(new LSTM({ inputSize: 3, hiddenSize: 8 }));
    const [stream, reference] = [net.stream({ batch: 2 }), net.stream({ batch: 2 })];
    const output = bufferOf(new Float32Array(16));
    const y = runtime.tensorFrom(output, { shape: [2, 8] });
    const x = runtime.tensor(new Float32Array(6), { shape: [2, 3] });
    const allocated: string[][] = [];
    for (let step = 0; step < 5; step++) {
      const data = numbers(6, step);
      x.write(data);
      created = [];
      await submit((encoder) => stream.encode(encoder, x, y));
      allocated.push([...created]);
      const pushed = await reference.push(runtime.tensor(data, { shape: [2, 3] })).read();
      expect(await y.read()).toEqual(pushed);
    }
    // The states change places, so the second push binds other buffers than the first.
    expect(allocated.slice(2)).toEqual([[], [], []]);
    // The two ways alternate.
    const data = numbers(6, 9);
    const pushed = await reference.push(runtime.tensor(data, { shape: [2, 3] })).read();
    expect(await stream.push(runtime.tensor(data, { shape: [2, 3] })).read()).toEqual(pushed);
  });

  test('refuses numbers, and outputs of another shape, nesting or runtime', async () => {
    const double = runtime.compile((x: Value) => mul(x, 2));
    const x = runtime.tensor([1, 2]);
    const encoder = device.createCommandEncoder();
    const encode = (input: unknown, output: unknown) => () =>
      double.encode(encoder, [input as Tensor], output as Tensor);
    expect(encode([1, 2], x)).toThrow(
      failure('argument', /arg0 must be a tensor, got numbers: make it once/),
    );
    expect(encode(x, runtime.tensor([1]))).toThrow(
      failure('shape', /expected a tensor f32 \[2\] .*, got f32 \[1\]/),
    );
    expect(encode(x, { y: x })).toThrow(failure('argument', /for out, got nothing/));
    const other = await createRuntime({ device });
    expect(encode(x, other.tensor([1, 2]))).toThrow(failure('shape', /of this runtime/));
    other.dispose();
  });
});
