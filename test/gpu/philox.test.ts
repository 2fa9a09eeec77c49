/// <reference types="vite/client" />
// shaders/lib/philox.wgsl gives the words and numbers of src/core/random.ts, bit for bit.
import { afterAll, beforeAll, expect, test } from 'vitest';

import { philox, Random, unitUniform } from '../../src/core/random.ts';
import library from '../../shaders/lib/philox.wgsl?raw';

const code = `${library}
struct Draw { counter: vec4u, key: vec2u }
struct Drawn { words: vec4u, uniforms: vec4f }
@group(0) @binding(0) var<storage, read> draws: array<Draw>;
@group(0) @binding(1) var<storage, read_write> drawn: array<Drawn>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let words = philox(draws[id.x].counter, draws[id.x].key);
  drawn[id.x] = Drawn(
    words,
    vec4f(unit_uniform(words.x), unit_uniform(words.y), unit_uniform(words.z), unit_uniform(words.w)),
  );
}`;

type Draw = readonly [counter: readonly [number, number, number, number], key: readonly [number, number]];

const random = new Random(5);
const word = (): number => random.integer(2 ** 32);
const ones = 0xffffffff;
// A whole number of workgroups.
const draws: readonly Draw[] = Array.from({ length: 256 }, (_, i) => {
  if (i === 0)
    return [
      [0, 0, 0, 0],
      [0, 0],
    ];
  if (i === 1)
    return [
      [ones, ones, ones, ones],
      [ones, ones],
    ];
  // As a layer draws: small counters and streams, a seed and a step.
  if (i < 128)
    return [
      [i, i % 3, 0, 0],
      [7, i % 5],
    ];
  return [
    [word(), word(), word(), word()],
    [word(), word()],
  ];
});

let device: GPUDevice;
beforeAll(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('expected a WebGPU adapter, found none');
  device = await adapter.requestDevice();
});
afterAll(() => device.destroy());

test('philox and unit_uniform equal those of the host', async () => {
  const input = Uint32Array.from(draws.flatMap(([counter, key]) => [...counter, ...key, 0, 0]));
  const buffer = (usage: number): GPUBuffer => device.createBuffer({ size: input.byteLength, usage });
  const [from, to, read] = [
    buffer(GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST),
    buffer(GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC),
    buffer(GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST),
  ];
  device.queue.writeBuffer(from, 0, input);
  const pipeline = device.createComputePipeline({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code }) },
  });
  const entries = [from, to].map((resource, binding) => ({ binding, resource: { buffer: resource } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(draws.length / 64);
  pass.end();
  encoder.copyBufferToBuffer(to, 0, read, 0, input.byteLength);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const bytes = read.getMappedRange();
  const [words, uniforms] = [new Uint32Array(bytes), new Float32Array(bytes)];
  draws.forEach(([counter, key], i) => {
    const expected = philox(counter, key);
    expect([...words.subarray(8 * i, 8 * i + 4)]).toEqual(expected);
    expect([...uniforms.subarray(8 * i + 4, 8 * i + 8)]).toEqual(expected.map(unitUniform));
  });
});
